//! `mrctl heartbeat`: a row that is written through the primary at short intervals, so that what an unplanned failover loses is counted.

use super::heart::{Heart, in_words};
use super::setup::{Format, Setup, holder};
use super::{folders, wire};
use crate::error::{Problems, Severity, Sources, suggest};
use crate::exit_code::ExitCode;
use crate::runbook::Inventory;
use crate::world::postgres::heartbeat::{Beat, Missed};
use crate::world::real::postgres::remembered::Writer;
use clap::Args;
use std::cell::RefCell;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

/// The longest pause between tries that fail.
const SELDOM: Duration = Duration::from_secs(15);

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
        let cluster = heart.cluster().to_owned();
        let voice = Voice { setup, cluster: &cluster, last: RefCell::default() };
        let mut next = Instant::now();
        let (mut tried, mut missed) = (0, 0);
        loop {
            let result = heart.beat().await;
            voice.tell(&result);
            tried += 1;
            if args.count == Some(tried) {
                return result.is_ok();
            }
            // One that is refused again and again is tried less often: a login that fails every second locks accounts. Late ones are not
            // made up for.
            missed = if result.is_ok() { 0 } else { (missed + 1).min(10) };
            let pause = every.saturating_mul(1 << missed).min(every.max(SELDOM));
            next = (next + pause).max(Instant::now());
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
