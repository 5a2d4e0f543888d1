//! Heartbeats in `mrctl status`: what would be lost if the primary died now, as far as they tell.

use crate::engine::survey::ClusterNow;
use crate::output::status::{Health, ResourceRow};
use crate::output::words::time;
use crate::world::postgres::{Heartbeat, ServerFacts};
use crate::world::real::clock::wall;
use crate::world::{Known, Member, World};

/// After so many intervals without one, nobody writes them.
const SILENT: u32 = 5;

/// One row for each standby of a cluster whose inventory has heartbeats.
pub async fn rows(world: &World, name: &str, seen: &ClusterNow) -> Vec<ResourceRow> {
    let Some(every) = world.postgres.heartbeat_every(name) else { return Vec::new() };
    let standby = |facts: &Known<ServerFacts>| facts.is(|facts| facts.in_recovery());
    let standbys = seen.members.iter().filter(|(_, facts)| standby(facts)).map(|(region, _)| region);
    let mut rows = Vec::new();
    for region in standbys {
        let Some(heartbeat) = world.postgres.heartbeat(&Member::new(name, region), None, false).await else {
            continue;
        };
        let silent = i64::try_from((every * SILENT).as_millis()).unwrap_or(i64::MAX);
        let (is, detail, health) = row(&heartbeat, wall().0, silent);
        rows.push(ResourceRow {
            resource: format!("heartbeat/{name}"),
            region: region.clone(),
            is,
            detail,
            health,
        });
    }
    rows
}

fn row(heartbeat: &Known<Heartbeat>, now: i64, silent: i64) -> (String, String, Health) {
    let heartbeat = match heartbeat {
        Known::Known(heartbeat) => heartbeat,
        Known::Unknown(why) => return ("none".into(), format!("a loss is not counted: {why}"), Health::Warn),
    };
    let age = now - heartbeat.last.at_ms;
    let ago =
        if age < 0 { "in the future: this clock went back".into() } else { format!("{} ago", time(age)) };
    let last = format!("the last that was acknowledged was sent {ago}");
    match heartbeat.missing() {
        Known::Unknown(why) => ("unknown".into(), format!("{why}; {last}"), Health::Unknown),
        Known::Known(_) if !(0..=silent).contains(&age) => {
            ("silent".into(), format!("{last}: `mrctl heartbeat` does not run here"), Health::Warn)
        }
        Known::Known(0) => ("all arrived".into(), last, Health::Fine),
        // One may be under way.
        Known::Known(1) => ("1 missing".into(), last, Health::Fine),
        Known::Known(missing) => (format!("{missing} missing"), last, Health::Warn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::postgres::examples;

    #[test]
    fn what_is_missing_and_who_is_silent_is_said() {
        // Sent at 5 s.
        let at = |arrived, now| row(&Known::Known(examples::heartbeat(12, arrived)), now, 5_000);
        let all = at(Some(12), 5_400);
        assert_eq!(
            all,
            ("all arrived".into(), "the last that was acknowledged was sent 0.4s ago".into(), Health::Fine)
        );
        assert_eq!(at(Some(11), 5_400).2, Health::Fine);
        assert_eq!((at(Some(2), 5_400).0.as_str(), at(Some(2), 5_400).2), ("10 missing", Health::Warn));
        let silent = at(Some(12), 10_001);
        assert_eq!((silent.0.as_str(), silent.2), ("silent", Health::Warn));
        let back = at(Some(12), 4_000);
        assert!(back.0 == "silent" && back.1.contains("this clock went back"), "{back:?}");
        assert_eq!(at(None, 5_400).2, Health::Unknown);
        assert_eq!(row(&Known::unknown("no heartbeat was written"), 0, 1).2, Health::Warn);
    }
}
