//! Each invariant that no mutant of the engine breaks alone, broken by hand: a check that cannot fail checks nothing.

use super::{inventory, plan};
use crate::engine::record::{Choice, Record, Verdict};
use crate::rehearse::invariants::broken;
use crate::rehearse::node::{Bend, Ground, Node};
use crate::rehearse::report::How;
use crate::step::testing::at_once;
use crate::world::postgres::Altered;

/// A run of a shipped runbook that has just begun.
fn begun() -> (Ground, Node) {
    let (plan, inventory) = (plan("runbooks/postgres-planned-failover.yaml"), inventory());
    let how = How::of(&plan, &inventory, 1, 1);
    let sim = (how.world)();
    let (ground, mut node) =
        Ground::begin(plan.clone(), sim, how.source, how.local.clone(), how.places.clone(), Bend::default())
            .unwrap();
    node.open(&ground, Choice::Continue);
    assert_eq!(found(&ground, &node), None);
    (ground, node)
}

fn found(ground: &Ground, node: &Node) -> Option<&'static str> {
    broken(ground, node, false).map(|(invariant, _)| invariant.id)
}

fn surveyed(node: &mut Node, ground: &Ground, frozen: &[&str]) {
    let frozen = frozen.iter().map(|name| (*name).to_string()).collect();
    let (world, unknown) = (String::new(), false);
    let (notes, diverged, promoted, waiting) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    node.append(ground, Record::Surveyed { world, notes, frozen, diverged, unknown, promoted, waiting });
}

fn ended(node: &mut Node, ground: &Ground, verdict: Verdict) {
    node.append(ground, Record::Ended { verdict, why: String::new(), world: String::new() });
}

#[test]
fn two_writable_primaries_are_seen() {
    let (ground, node) = begun();
    node.sim.postgres.promoted_by_others("orders", "us-east");
    assert_eq!(found(&ground, &node), Some("I1"));
}

#[test]
fn users_who_are_sent_nowhere_are_seen() {
    let (ground, node) = begun();
    node.sim.dns.overwrite("www", "pdns-eu", Vec::new());
    assert_eq!(found(&ground, &node), Some("I2"));
}

#[test]
fn a_write_that_was_told_and_is_not_on_the_new_primary_is_seen() {
    let (ground, mut node) = begun();
    node.sim.postgres.with("orders", "us-east", |server| server.stuck = true);
    node.tell("orders", true);
    node.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::To("on".into()));
    node.sim.postgres.promoted_by_others("orders", "us-east");
    assert_eq!(found(&ground, &node), Some("I3"));
}

#[test]
fn a_run_that_was_only_killed_and_gave_up_is_seen() {
    let (ground, mut node) = begun();
    node.mishaps = 1;
    surveyed(&mut node, &ground, &[]);
    ended(&mut node, &ground, Verdict::Paused);
    assert_eq!(found(&ground, &node), Some("I7"));
}

#[test]
fn a_freeze_that_is_told_and_is_not_there_is_seen() {
    let (ground, mut node) = begun();
    surveyed(&mut node, &ground, &["orders"]);
    ended(&mut node, &ground, Verdict::Paused);
    assert_eq!(found(&ground, &node), Some("I8"));
}

#[test]
fn what_others_changed_excuses_nothing_else() {
    let (ground, mut node) = begun();
    let others =
        crate::rehearse::alphabet::Mishap::PromotedByOthers(crate::world::Member::new("orders", "us-east"));
    node.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::To("on".into()));
    node.suffer(&ground, &others);
    node.only_killed = false;
    assert_eq!(found(&ground, &node), None);
    let record = ground.plan.records.keys().next().unwrap().clone();
    node.sim.dns.overwrite(&record, "pdns-eu", Vec::new());
    assert_eq!(found(&ground, &node), Some("I2"));
}

/// What overwrites another's value, by hand: the port itself asks for nothing.
fn permit(step: &str, effect: &str, undo: bool) -> crate::journal::Permit {
    use crate::journal::Storage as _;
    let key = crate::journal::IntentKey {
        run: "run".into(),
        step: step.into(),
        effect: effect.into(),
        attempt: 1,
        undo,
    };
    let mut journal = crate::journal::memory::MemoryJournal::default();
    journal.append_intent(key, serde_json::Map::new()).unwrap().1
}

#[test]
fn a_setting_of_others_that_an_undo_or_a_freeze_overwrites_is_seen() {
    for (undo, value, seen) in [
        (true, "off", Some("I17")),
        // Which of two equal values is whose nobody can see.
        (true, "on", None),
        (false, "off", Some("I17")),
    ] {
        let (ground, mut node) = begun();
        let at = crate::world::Member::new("orders", "eu-west");
        node.sim.postgres.set_by_others("orders", "eu-west", Altered::To(value.into()));
        let system = node.sim.postgres.read("orders", "eu-west", |server| server.system.clone()).unwrap();
        let (world, permit) = (node.sim.world(), permit("freeze", "read_only", undo));
        match undo {
            true => at_once(world.postgres.unfreeze(&permit, &at, &system, &Altered::Unset)),
            false => at_once(world.postgres.freeze(&permit, &at, &system, None)),
        };
        node.append(&ground, Record::Expired { allowed_ms: 0 });
        assert_eq!(found(&ground, &node), seen, "undo {undo} of {value}");
    }
}

/// Where applications could commit, and what they were told, in a world and in one whose name servers answer for ever as before.
fn told_with_old_answers(change: fn(&Node)) -> (Ground, Node) {
    let (ground, mut node) = begun();
    let mut old = node.fork();
    for servers in ground.plan.records.values() {
        for server in servers {
            old.sim.dns.answer_as_before(server, std::time::Duration::from_secs(1 << 30));
        }
    }
    let everybody = |node: &Node| {
        for (at, sets) in node.sim.dns.all_sets() {
            let moved = sets.into_iter().map(|mut set| {
                set.contents = vec!["198.51.100.10".into()];
                set
            });
            node.sim.dns.overwrite(&at.record, &at.server, moved.collect());
        }
    };
    for node in [&mut node, &mut old] {
        node.tell("", false);
        everybody(node);
        change(node);
        node.tell("", true);
    }
    assert_eq!(node.told, old.told);
    assert_eq!(found(&ground, &node), found(&ground, &old));
    (ground, node)
}

#[test]
fn a_client_that_never_asks_dns_again_finds_every_source_that_is_open() {
    type Change = fn(&Node);
    let frozen: Change = |node| {
        node.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::To("on".into()));
        node.sim.postgres.promoted_by_others("orders", "us-east");
    };
    let thawed: Change = |node| {
        node.sim.postgres.with("orders", "eu-west", |server| server.loaded = Altered::To("on".into()));
        node.sim.postgres.promoted_by_others("orders", "us-east");
        node.sim.postgres.thawed_by_others("orders", "eu-west");
    };
    let never_frozen: Change = |node| node.sim.postgres.promoted_by_others("orders", "us-east");
    for (change, seen, sides) in [(frozen, None, 1), (thawed, Some("I1"), 2), (never_frozen, Some("I1"), 2)] {
        let (ground, node) = told_with_old_answers(change);
        assert_eq!(found(&ground, &node), seen);
        // Every user is sent to the target by now, and still the old source takes what is written there.
        let wrote = |region: &str, name: &String| {
            node.sim.postgres.read("orders", region, |server| server.log.contains(name)).unwrap()
        };
        let told = &node.told["orders"];
        let only = |region: &str, other: &str| {
            told.iter().filter(|name| wrote(region, name) && !wrote(other, name)).count()
        };
        let alone = usize::from(only("us-east", "eu-west") > 0) + usize::from(only("eu-west", "us-east") > 0);
        assert_eq!(alone, sides, "{told:?}");
    }
}

#[test]
fn a_source_that_others_start_beside_the_new_primary_has_to_be_told() {
    use crate::engine::decide::Task;
    use crate::rehearse::alphabet::Mishap;
    let (ground, mut node) = begun();
    let started = Mishap::StartedByOthers(crate::world::Member::new("orders", "eu-west"));
    let offered = |node: &Node| {
        crate::rehearse::moves::mishaps(&ground, node, &[Task::Survey].into()).contains(&started)
    };
    assert!(!offered(&node), "it runs");
    node.sim.postgres.stop("orders", "eu-west");
    node.sim.postgres.promoted_by_others("orders", "us-east");
    assert!(offered(&node), "it was stopped");
    node.suffer(&ground, &started);
    node.only_killed = false;
    node.tell("", false);
    // Two primaries, and not by the run: that it says so is what counts.
    assert_eq!(found(&ground, &node), None);
    surveyed(&mut node, &ground, &[]);
    ended(&mut node, &ground, Verdict::Completed);
    assert_eq!(found(&ground, &node), Some("I6"));
}

#[test]
fn a_freeze_that_waits_to_be_loaded_and_is_not_told_is_seen() {
    let (ground, mut node) = begun();
    node.sim.postgres.with("orders", "eu-west", |server| server.altered = Altered::To("on".into()));
    surveyed(&mut node, &ground, &[]);
    ended(&mut node, &ground, Verdict::Paused);
    assert_eq!(found(&ground, &node), Some("I18"));
    let (world, unknown, waiting) = (String::new(), false, vec!["orders".to_string()]);
    let (notes, frozen, diverged, promoted) = (vec![], vec![], vec![], vec![]);
    node.append(&ground, Record::Surveyed { world, notes, frozen, diverged, unknown, promoted, waiting });
    assert_eq!(found(&ground, &node), None);
    // Said or not, a run that is over with it has not taken it back.
    ended(&mut node, &ground, Verdict::Completed);
    assert_eq!(found(&ground, &node), Some("I18"));
}
