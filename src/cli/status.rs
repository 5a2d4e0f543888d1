//! `mrctl status`: what is true now, from the systems alone, and what is open here.

use super::setup::{Format, Setup};
use super::wire;
use crate::engine::survey;
use crate::error::{Problems, Sources};
use crate::exit_code::ExitCode;
use crate::world::Known;
use crate::world::postgres::ServerFacts;
use std::fmt::Write;

/// A server in one line.
fn server(facts: &Known<ServerFacts>) -> String {
    let facts = match facts {
        Known::Known(facts) => facts,
        Known::Unknown(why) => return format!("unknown: {why}"),
    };
    let frozen = if facts.read_only.on { ", FROZEN" } else { "" };
    match (facts.primary(), facts.standby()) {
        (Some(primary), _) => {
            let standbys = match &primary.senders {
                Known::Known(senders) => format!("{} standbys follow", senders.len()),
                Known::Unknown(why) => format!("standbys unknown: {why}"),
            };
            format!("primary on timeline {}{frozen}, {standbys}", primary.timeline)
        }
        (None, Some(standby)) => match (&standby.receiver, &standby.replayed) {
            (Known::Known(receiver), Known::Known(replayed)) => {
                format!("standby, {} on timeline {}, replayed {replayed}", receiver.status, receiver.timeline)
            }
            (Known::Unknown(why), _) | (_, Known::Unknown(why)) => format!("standby, not streaming: {why}"),
        },
        (None, None) => "unknown".into(),
    }
}

/// `mrctl status`.
pub async fn status(setup: &Setup) -> ExitCode {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = setup.load_inventory(None, &mut sources, &mut problems);
    let world = match &loaded {
        Some(loaded) => wire::world(loaded, &setup.redactor, &mut problems).await,
        None => None,
    };
    setup.problems(&problems, &sources);
    let (Some(loaded), Some(world)) = (loaded, world) else { return ExitCode::Invalid };
    let inventory = &loaded.inventory;
    let (mut text, mut alarms) = (String::new(), Vec::new());
    let mut resources = Vec::new();
    for (name, cluster) in &inventory.postgres {
        let regions: Vec<String> = cluster.members.keys().cloned().collect();
        let now = survey::cluster(&world, name, &regions, "").await;
        let _ = writeln!(text, "postgres {name}");
        for (region, facts) in &now.members {
            let line = server(facts);
            let _ = writeln!(text, "  {region:<12} {line}");
            resources.push(
                serde_json::json!({"resource": format!("postgres/{name}"), "region": region, "is": line}),
            );
        }
        if now.frozen() {
            alarms.push(format!("FROZEN: nobody can write to {name}"));
        }
        if now.writable().len() > 1 {
            alarms.push(format!("SPLIT BRAIN: {name} can be written in {}", now.writable().join(" and ")));
        }
        match now.unprotected() {
            Known::Known(true) => {
                alarms.push(format!("UNPROTECTED: no standby follows the primary of {name}"))
            }
            Known::Known(false) => {}
            Known::Unknown(why) => alarms.push(format!("whether {name} is protected is unknown: {why}")),
        }
    }
    for (name, record) in &inventory.dns_records {
        let shares = survey::record(&world, name, &record.servers).await;
        let _ = writeln!(text, "dns {name} ({})", record.name);
        for (server, shares) in &shares {
            let line = match shares {
                Known::Known(shares) => survey::shares_in_words(shares),
                Known::Unknown(why) => format!("unknown: {why}"),
            };
            let _ = writeln!(text, "  {server:<12} {line}");
            resources
                .push(serde_json::json!({"resource": format!("dns/{name}"), "server": server, "is": line}));
        }
        let mut seen: Vec<_> = shares.values().filter_map(Known::get).collect();
        seen.dedup();
        if seen.len() > 1 {
            alarms.push(format!("the servers of {name} answer differently"));
        }
    }
    let mut open = Vec::new();
    match setup.store().and_then(|store| store.runs().map(|runs| (store, runs))) {
        Ok((store, (runs, broken))) => {
            for run in runs.iter().filter(|run| run.open()) {
                let short = store.short(&run.id);
                let _ = writeln!(
                    text,
                    "open run {short}: {} {} → {}, {}",
                    run.plan.runbook,
                    run.plan.from,
                    run.plan.to,
                    run.word()
                );
                open.push(
                    serde_json::json!({"run": run.id, "runbook": run.plan.runbook, "state": run.word()}),
                );
            }
            let unknown = broken.iter().filter(|(path, _)| !store.surely_closed(path));
            alarms.extend(
                unknown.map(|(path, error)| format!("a run cannot be read: {}: {error}", path.display())),
            );
        }
        Err(error) => alarms.push(format!("runs on this host cannot be read: {error}")),
    }
    let ready = alarms.is_empty() && open.is_empty();
    match setup.format {
        Format::Json => {
            let mut document = serde_json::json!({
                "schema": 1, "event": "status", "environment": inventory.name, "resources": resources, "alarms": alarms,
                "open_runs": open, "verdict": if ready { "completed" } else { "not_ready" },
            });
            setup.redactor.scrub_json(&mut document);
            setup.data(&document.to_string());
        }
        Format::Text => {
            setup.data(&format!("environment {}", inventory.name));
            text.lines().for_each(|line| setup.data(setup.redactor.scrub(line).as_ref()));
            alarms.iter().for_each(|alarm| setup.data(setup.redactor.scrub(alarm).as_ref()));
            setup.data(if ready { "ready" } else { "not ready" });
        }
    }
    if ready { ExitCode::Completed } else { ExitCode::NotReady }
}
