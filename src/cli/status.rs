//! `mrctl status`: what is true now, from the systems alone, what is open here, and whether each runbook would work.

use super::certificate;
use super::heartbeat_rows;
use super::history;
use super::readiness::{self, Readiness};
use super::setup::{Format, Setup};
use super::wire;
use crate::engine::survey::{self, ClusterNow};
use crate::error::{Problems, Severity, Sources};
use crate::exit_code::ExitCode;
use crate::output::certified;
use crate::output::status::{Health, ResourceRow, status as table};
use crate::runbook::Inventory;
use crate::world::postgres::ServerFacts;
use crate::world::{Known, World};
use std::collections::BTreeMap;

/// What was seen, for both forms of output.
#[derive(Default)]
struct Seen {
    rows: Vec<ResourceRow>,
    alarms: Vec<String>,
    open: Vec<serde_json::Value>,
    open_lines: Vec<String>,
}

/// A server as a row.
fn server(cluster: &str, region: &str, facts: &Known<ServerFacts>) -> ResourceRow {
    let row = |is: &str, detail: String, health: Health| ResourceRow {
        resource: format!("postgres/{cluster}"),
        region: region.into(),
        is: is.into(),
        detail,
        health,
    };
    let facts = match facts {
        Known::Known(facts) => facts,
        Known::Unknown(why) => return row("unknown", why.clone(), Health::Unknown),
    };
    match (facts.primary(), facts.standby()) {
        (Some(primary), _) => {
            let standbys = match &primary.senders {
                Known::Known(senders) => match senders.len() {
                    1 => "1 standby follows".into(),
                    count => format!("{count} standbys follow"),
                },
                Known::Unknown(why) => format!("standbys unknown: {why}"),
            };
            let detail = format!("timeline {}, {standbys}", primary.timeline);
            match facts.read_only.on {
                true => row("FROZEN", format!("primary, {detail}"), Health::Bad),
                false => row("primary", detail, Health::Fine),
            }
        }
        (None, Some(standby)) => match (&standby.receiver, &standby.replayed) {
            (Known::Known(receiver), Known::Known(replayed)) => {
                let streams = match receiver.status.as_str() {
                    "streaming" => String::new(),
                    other => format!("{other}, "),
                };
                let detail = format!("{streams}timeline {}, replayed {replayed}", receiver.timeline);
                row("standby", detail, if streams.is_empty() { Health::Fine } else { Health::Warn })
            }
            (Known::Unknown(why), _) | (_, Known::Unknown(why)) => {
                row("standby", format!("not streaming: {why}"), Health::Warn)
            }
        },
        (None, None) => row("unknown", String::new(), Health::Unknown),
    }
}

impl Seen {
    async fn databases(&mut self, world: &World, inventory: &Inventory) -> BTreeMap<String, ClusterNow> {
        let mut clusters = BTreeMap::new();
        for (name, cluster) in &inventory.postgres {
            let regions: Vec<String> = cluster.members.keys().cloned().collect();
            let now = survey::cluster(world, name, &regions, "").await;
            self.rows.extend(now.members.iter().map(|(region, facts)| server(name, region, facts)));
            self.rows.extend(heartbeat_rows::rows(world, name, &now).await);
            if now.frozen() {
                self.alarms.push(format!("FROZEN: nobody can write to {name}"));
            }
            if now.writable().len() > 1 {
                let both = now.writable().join(" and ");
                self.alarms.push(format!("SPLIT BRAIN: {name} can be written in {both}"));
            }
            match now.exposed() {
                Known::Known(Some(why)) => self.alarms.push(format!("UNPROTECTED: {name}: {why}")),
                Known::Known(None) => {}
                Known::Unknown(why) => {
                    self.alarms.push(format!("whether {name} is protected is unknown: {why}"));
                }
            }
            clusters.insert(name.clone(), now);
        }
        clusters
    }

    async fn records(&mut self, world: &World, inventory: &Inventory) {
        for (name, record) in &inventory.dns_records {
            let shares = survey::record(world, name, &record.servers).await;
            for (server, shares) in &shares {
                let (is, detail, health) = match shares {
                    Known::Known(shares) => (survey::shares_in_words(shares), String::new(), Health::Fine),
                    Known::Unknown(why) => ("unknown".to_string(), why.clone(), Health::Unknown),
                };
                let (resource, region) = (format!("dns/{name}"), server.clone());
                self.rows.push(ResourceRow { resource, region, is, detail, health });
            }
            let mut answers: Vec<_> = shares.values().filter_map(Known::get).collect();
            answers.dedup();
            if answers.len() > 1 {
                self.alarms.push(format!("the servers of {name} answer differently"));
            }
        }
    }

    fn runs(&mut self, setup: &Setup) {
        let (store, (runs, broken)) =
            match setup.store().and_then(|store| store.runs().map(|runs| (store, runs))) {
                Ok(found) => found,
                Err(error) => {
                    self.alarms.push(format!("runs on this host cannot be read: {error}"));
                    return;
                }
            };
        for run in runs.iter().filter(|run| run.open()) {
            let (short, plan) = (store.short(&run.id), &run.plan);
            let (word, now) = match history::driven(&store, run) {
                Some(process) => ("running", format!("running, process {process} drives it")),
                None => {
                    let word = run.word();
                    (word, format!("{}; go on with `mrctl resume {short}`", word.replace('_', " ")))
                }
            };
            // While it is driven, its own looks will tell.
            let idle = history::driven(&store, run).is_none();
            let waits = |set: &&String| idle && run.state.may_wait(plan, set).next().is_some();
            // Where there is no way back as a whole, the run says itself what takes the setting back by hand.
            let way = match run.state.armed(plan) || run.state.passed(plan) {
                true => format!("`mrctl audit show {short}` has the statements that take it back"),
                false => format!("`mrctl rollback {short}` takes it back"),
            };
            self.alarms.extend(plan.clusters.keys().filter(waits).map(|set| {
                format!(
                    "run {short} asked for a freeze of {set} and has not seen it: it may be written in {} and not loaded, and the next reload or restart would stop writes; {way}",
                    plan.from
                )
            }));
            let what = format!("{} {} → {}", plan.runbook, plan.from, plan.to);
            self.open_lines.push(format!("open run {short}: {what}, {now}"));
            let by_hand = run.state.by_hand.lines(plan);
            self.open_lines.extend(by_hand.iter().map(|line| format!("  {line}")));
            self.open.push(
                serde_json::json!({ "run": run.id, "runbook": plan.runbook, "state": word, "by_hand": by_hand }),
            );
        }
        let unknown = broken.iter().filter(|(path, _)| !store.surely_closed(path));
        let alarms = unknown.map(|(path, error)| {
            let short = store.short(&path.file_name().unwrap_or_default().to_string_lossy());
            // What to do comes first: a long path in the reason may take all the room there is.
            format!("run {short} cannot be read, and may be open: `mrctl abandon {short} --reason …` closes it as it is; {error}")
        });
        self.alarms.extend(alarms);
    }

    fn ready(&self, runbooks: &[Readiness]) -> bool {
        self.alarms.is_empty() && self.open.is_empty() && runbooks.iter().all(|one| one.word == "ready")
    }

    fn document(&self, environment: &str, seen: &[Readiness]) -> serde_json::Value {
        let resources: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "resource": row.resource, "region": row.region, "is": row.is, "detail": row.detail,
                })
            })
            .collect();
        let runbooks: Vec<_> = seen
            .iter()
            .map(|one| {
                serde_json::json!({
                    "file": one.file, "direction": one.direction, "readiness": one.word, "reasons": one.reasons,
                    "rehearsal": one.rehearsal.as_ref().map(certified::document),
                })
            })
            .collect();
        let verdict = if self.ready(seen) { "completed" } else { "not_ready" };
        serde_json::json!({
            "schema": 1, "event": "status", "environment": environment, "resources": resources,
            "alarms": self.alarms, "open_runs": self.open, "runbooks": runbooks, "verdict": verdict,
        })
    }
}

/// `mrctl status`.
pub async fn status(setup: &Setup) -> ExitCode {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = setup.load_inventory(None, &mut sources, &mut problems);
    let world = match &loaded {
        Some(loaded) => {
            wire::world(
                loaded,
                &setup.redactor,
                Severity::Warning,
                setup.state_folder().as_deref(),
                &mut problems,
            )
            .await
        }
        None => None,
    };
    setup.problems(&problems, &sources);
    let (Some(loaded), Some(world)) = (loaded, world) else { return ExitCode::Invalid };
    let mut seen = Seen::default();
    let clusters = seen.databases(&world, &loaded.inventory).await;
    seen.records(&world, &loaded.inventory).await;
    seen.runs(setup);
    let runbooks = readiness::all(setup, &loaded, &world, &clusters, &mut sources).await;
    let ready = seen.ready(&runbooks);
    if let Some(judged) = runbooks.iter().find_map(|one| one.rehearsal.as_ref()) {
        certificate::unusable(setup, judged);
    }
    match setup.format {
        Format::Json => {
            let mut document = seen.document(&loaded.inventory.name, &runbooks);
            setup.redactor.scrub_json(&mut document);
            setup.data(&document.to_string());
        }
        Format::Text => {
            let say = |line: &str| setup.data(setup.redactor.scrub(line).as_ref());
            say(&format!("environment {}", loaded.inventory.name));
            let style = setup.output.data_style();
            for line in table(&seen.alarms, &seen.rows, style, setup.output.width) {
                say(&line.paint(style));
            }
            seen.open_lines.iter().for_each(|line| say(line));
            for one in &runbooks {
                let word = one.word.replace('_', " ");
                say(format!("{}: {word} {}", one.file, one.direction).trim_end());
                one.rehearsal.iter().for_each(|judged| say(&format!("  {}", certified::in_words(judged))));
                one.reasons.iter().for_each(|reason| say(&format!("  {reason}")));
            }
            say(if ready { "ready" } else { "not ready" });
        }
    }
    if ready { ExitCode::Completed } else { ExitCode::NotReady }
}
