//! `mrctl heartbeat`: a row that is written through the primary at short intervals, so that what an unplanned failover loses is counted.

use super::setup::{Format, Setup, holder, now};
use super::{folders, wire};
use crate::error::{Problems, Severity, Sources, suggest};
use crate::exit_code::ExitCode;
use crate::runbook::Inventory;
use crate::world::postgres::heartbeat::{Beat, Missed};
use crate::world::postgres::{GlanceRole, Scope};
use crate::world::real::postgres::remembered::Writer;
use crate::world::{Known, Member, World};
use clap::Args;
use std::cell::RefCell;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

const LONG: &str = "Writes one row at short intervals through whichever server is the primary, as an application does, and remembers in the state \
folder what was acknowledged. An unplanned failover from the same state folder then counts what is lost: heartbeats, transactions, bytes \
and seconds. Let it run outside of the regions that it watches, and where failovers are started from. It ends with Ctrl-C or SIGTERM.

Needs `heartbeat` at the cluster in the inventory, and this table, made once on the primary:
  CREATE TABLE mrctl.heartbeat (writer text PRIMARY KEY, number bigint NOT NULL, at_ms bigint NOT NULL);
  GRANT SELECT, INSERT, UPDATE ON mrctl.heartbeat TO mrctl;";

/// Write heartbeats, so that an unplanned failover counts what it loses.
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub struct HeartbeatArgs {
    /// Only this cluster; may be given several times. All that have `heartbeat` in the inventory, if not given.
    #[arg(value_name = "CLUSTER")]
    clusters: Vec<String>,
    /// End after so many tries. The exit code is 0 if the last one was acknowledged.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// Who writes the heartbeats of one cluster.
pub struct Heart<'a> {
    world: &'a World,
    cluster: String,
    regions: Vec<String>,
    /// Where the last one was acknowledged.
    at: Option<String>,
    writer: Writer,
}

impl<'a> Heart<'a> {
    /// Nothing is written yet.
    pub fn new(world: &'a World, cluster: &str, regions: Vec<String>, writer: Writer) -> Self {
        Self { world, cluster: cluster.into(), regions, at: None, writer }
    }

    /// Writes one. Why not, if it was not acknowledged: frozen, or in words.
    pub async fn beat(&mut self) -> Result<Beat, Missed> {
        let region = match self.at.take() {
            Some(region) => region,
            None => self.primary().await.map_err(Missed::Failed)?,
        };
        let turn = self.writer.next(now());
        let beat = self.world.postgres.beat(&Member::new(&self.cluster, &region), &turn).await;
        let beat = beat.inspect_err(|missed| {
            if *missed == Missed::Behind {
                self.writer.anew();
            }
        })?;
        self.at = Some(region);
        // Acknowledged, and not remembered: nobody may count on it.
        let kept = self.writer.remember(&beat);
        kept.map_err(|error| Missed::Failed(format!("it cannot be remembered: {error}")))?;
        Ok(beat)
    }

    /// The only server that takes writes.
    async fn primary(&self) -> Result<String, String> {
        let scope = Scope::default();
        let members: Vec<Member> =
            self.regions.iter().map(|region| Member::new(&self.cluster, region)).collect();
        let looks = members.iter().map(|member| self.world.postgres.glance(member, &scope));
        let seen = futures_util::future::join_all(looks).await;
        let mut writable = Vec::new();
        let mut why = Vec::new();
        for (member, seen) in members.iter().zip(&seen) {
            match seen {
                Known::Unknown(unknown) => why.push(format!("{}: {unknown}", member.region)),
                Known::Known(seen) => match seen.role {
                    GlanceRole::Standby => {}
                    GlanceRole::Primary { .. } if seen.read_only => {
                        why.push(format!("{}: the primary is read-only by default", member.region));
                    }
                    GlanceRole::Primary { .. } => writable.push(member.region.clone()),
                },
            }
        }
        match writable.as_slice() {
            [one] => Ok(one.clone()),
            [] if why.is_empty() => Err("no member is a primary".into()),
            [] => Err(format!("no primary is seen ({})", why.join("; "))),
            // Which of them is the right one is not for a heartbeat to decide.
            many => Err(format!("two primaries: {} take writes", many.join(" and "))),
        }
    }
}

/// Why one was missed.
pub fn in_words(missed: &Missed) -> String {
    match missed {
        Missed::ReadOnly => "the server takes no writes: frozen, or a standby".into(),
        Missed::Behind => {
            "its row has a greater number: another copy of this state folder writes it; a new row is begun"
                .into()
        }
        Missed::Failed(why) => why.clone(),
    }
}

/// What is printed of one cluster.
struct Voice<'a> {
    setup: &'a Setup,
    cluster: &'a str,
    /// Why the last one was missed; none before the first, and an empty text where it was acknowledged.
    last: RefCell<Option<String>>,
}

impl Voice<'_> {
    fn tell(&self, result: &Result<Beat, Missed>) {
        let why = result.as_ref().err().map(in_words).unwrap_or_default();
        let why = self.setup.redactor.scrub(&why).into_owned();
        if self.setup.format == Format::Json {
            let beat = result.as_ref().ok();
            self.setup.data(
                &serde_json::json!({
                    "schema": 1, "event": "heartbeat", "cluster": self.cluster, "acknowledged": beat.is_some(),
                    "number": beat.map(|beat| beat.number), "at": beat.map(|beat| beat.at_ms),
                    "region": beat.map(|beat| &beat.region), "timeline": beat.map(|beat| beat.timeline),
                    "writer": beat.map(|beat| &beat.writer), "why": (!why.is_empty()).then_some(&why),
                })
                .to_string(),
            );
            return;
        }
        // A person wants to see what changes, not a line every second.
        let mut last = self.last.borrow_mut();
        if last.as_ref() != Some(&why) {
            let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
            match result {
                Ok(beat) => self.setup.data(&format!(
                    "{time} {}: heartbeat {} acknowledged by {}",
                    self.cluster, beat.number, beat.region
                )),
                Err(_) => self.setup.data(&format!("{time} {}: heartbeat missed: {why}", self.cluster)),
            }
            *last = Some(why);
        }
    }
}

/// The clusters to write to, with the time between two.
fn wanted(
    setup: &Setup,
    inventory: &Inventory,
    given: &[String],
) -> Result<Vec<(String, Duration)>, ExitCode> {
    let with: Vec<(String, Duration)> = inventory
        .postgres
        .iter()
        .filter_map(|(name, cluster)| Some((name.clone(), cluster.heartbeat.as_ref()?.every.as_duration())))
        .collect();
    let help = "write `heartbeat: {}` at the cluster in the inventory";
    for name in given {
        if !inventory.postgres.contains_key(name) {
            let names = inventory.postgres.keys().map(String::as_str);
            let close = suggest::closest(name, names.clone());
            let known = names.collect::<Vec<_>>().join(", ");
            let help = close
                .map_or(format!("the inventory has {known}"), |close| format!("did you mean `{close}`?"));
            return Err(setup.usage(format!("there is no postgres cluster `{name}` in the inventory"), help));
        }
        if !with.iter().any(|(one, _)| one == name) {
            return Err(setup.usage(format!("the cluster {name} has no heartbeat"), help));
        }
    }
    if with.is_empty() {
        return Err(setup.usage("no cluster of the inventory has a heartbeat", help));
    }
    Ok(with.into_iter().filter(|(name, _)| given.is_empty() || given.contains(name)).collect())
}

/// `mrctl heartbeat`.
pub async fn heartbeat(setup: &Setup, args: HeartbeatArgs) -> ExitCode {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = setup.load_inventory(None, &mut sources, &mut problems);
    let state = setup.state_folder();
    let world = match &loaded {
        Some(loaded) => {
            wire::world(loaded, &setup.redactor, Severity::Warning, state.as_deref(), &mut problems).await
        }
        None => None,
    };
    setup.problems(&problems, &sources);
    let (Some(loaded), Some(world)) = (loaded, world) else { return ExitCode::Invalid };
    let wanted = match wanted(setup, &loaded.inventory, &args.clusters) {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let Some(state) = state else {
        return setup.fail("there is no state folder: set MRCTL_STATE_DIR or HOME");
    };
    let folder = folders::heartbeats(&state, &loaded.inventory.name);
    let mut hearts = Vec::new();
    for (name, every) in &wanted {
        let regions = loaded.inventory.postgres[name].members.keys().cloned().collect();
        match Writer::take(&folder, name, &holder()) {
            Ok(writer) => hearts.push((Heart::new(&world, name, regions, writer), *every)),
            Err(error) => {
                setup.say(&format!("mrctl: {error}"));
                return ExitCode::Locked;
            }
        }
    }
    let each = hearts.into_iter().map(|(mut heart, every)| async move {
        let voice = Voice { setup, cluster: &heart.cluster.clone(), last: RefCell::default() };
        let mut next = Instant::now();
        let mut tried = 0;
        loop {
            let result = heart.beat().await;
            voice.tell(&result);
            tried += 1;
            if args.count == Some(tried) {
                return result.is_ok();
            }
            // Late ones are not made up for.
            next = (next + every).max(Instant::now());
            sleep_until(next).await;
        }
    });
    let all = futures_util::future::join_all(each);
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return setup.fail("signals cannot be listened for");
    };
    tokio::select! {
        ends = all => if ends.into_iter().all(|fine| fine) { ExitCode::Completed } else { ExitCode::Failed },
        _ = interrupt.recv() => ExitCode::Completed,
        _ = terminate.recv() => ExitCode::Completed,
    }
}
