//! What can be half done, and only that, meets the fault of being half done.

use crate::rehearse::node::once;
use crate::step::testing::permit;
use crate::world::Member;
use crate::world::cache::{Cache as _, Pace};
use crate::world::postgres::{Altered, Postgres as _, Scope};
use crate::world::sim::postgres::Session;
use crate::world::sim::{Fault, Sim, two_regions};

const SYSTEM: &str = "system-of-orders";

fn at() -> Member {
    Member::new("orders", "eu-west")
}

/// Whether the changing call that this makes can be half done.
fn halves<T, F: Future<Output = T>>(sim: &Sim, call: impl FnOnce() -> F) -> bool {
    sim.tape.play([]);
    once(call()).unwrap();
    sim.tape.halves(0)
}

fn app(sim: &Sim, count: usize) {
    let older = Session { older: true, ..Session::app() };
    sim.postgres.with("orders", "eu-west", |server| server.sessions = vec![older; count]);
}

#[test]
fn a_setting_that_is_not_so_yet_can_be_half_set() {
    let (sim, permit) = (two_regions(), permit(false));
    let (at, standby) = (at(), Member::new("orders", "us-east"));
    // What the guard refuses does nothing at all.
    assert!(!halves(&sim, || sim.postgres.freeze(&permit, &standby, SYSTEM, None)));
    assert!(!halves(&sim, || sim.postgres.freeze(&permit, &at, "another", None)));
    assert!(halves(&sim, || sim.postgres.freeze(&permit, &at, SYSTEM, None)));
    // Half of it would be nothing, or all.
    assert!(!halves(&sim, || sim.postgres.freeze(&permit, &at, SYSTEM, None)));
    assert!(halves(&sim, || sim.postgres.unfreeze(&permit, &at, SYSTEM, &Altered::Unset)));
    assert!(!halves(&sim, || sim.postgres.unfreeze(&permit, &at, SYSTEM, &Altered::Unset)));
    // What is one statement and one effect is done or not.
    assert!(!halves(&sim, || sim.postgres.mark(&permit, &at, SYSTEM)));
    assert!(!halves(&sim, || sim.postgres.write_probe(&permit, &at, "mrctl.probe")));
}

#[test]
fn half_of_a_freeze_comes_into_force_with_the_next_reload_or_start() {
    let load: [fn(&Sim); 2] = [
        |sim| sim.postgres.reloaded_by_others("orders", "eu-west"),
        |sim| sim.postgres.restart("orders", "eu-west"),
    ];
    for load in load {
        let (sim, permit) = (two_regions(), permit(false));
        sim.tape.play([Fault::LostHalf]);
        once(sim.postgres.freeze(&permit, &at(), SYSTEM, None)).unwrap();
        assert_eq!(sim.postgres.writable("orders"), ["eu-west"]);
        load(&sim);
        assert!(sim.postgres.writable("orders").is_empty());
    }
}

#[test]
fn of_several_sessions_one_can_be_ended_and_of_one_there_is_no_half() {
    let (sim, permit, scope, at) = (two_regions(), permit(false), Scope::default(), at());
    for (count, half) in [(1, false), (3, true)] {
        app(&sim, count);
        assert_eq!(halves(&sim, || sim.postgres.end_sessions(&permit, &at, SYSTEM, &scope)), half);
    }
    app(&sim, 3);
    sim.tape.play([Fault::LostHalf]);
    once(sim.postgres.end_sessions(&permit, &at, SYSTEM, &scope)).unwrap();
    assert_eq!(sim.postgres.with("orders", "eu-west", |server| server.sessions.len()), Some(2));
}

#[test]
fn of_several_keys_one_can_be_copied() {
    let (sim, permit) = (two_regions(), permit(false));
    let (from, to) = (Member::new("sessions", "eu-west"), Member::new("sessions", "us-east"));
    let pace = Pace { rate: 1_000, ramp_ms: 0, skip: Vec::new() };
    sim.cache.with("sessions", "eu-west", |server| server.keys.retain(|key, _| key.as_str() < "session:11"));
    let keys = sim.cache.with("sessions", "eu-west", |server| server.keys.len()).unwrap();
    assert!(keys > 1);
    sim.tape.play([Fault::LostHalf]);
    once(sim.cache.copy(&permit, &from, &to, &pace, "")).unwrap();
    assert_eq!(sim.cache.with("sessions", "us-east", |server| server.keys.len()), Some(1));
    assert_eq!(halves(&sim, || sim.cache.copy(&permit, &from, &to, &pace, "")), keys > 2);
    // Everything is there already.
    assert!(!halves(&sim, || sim.cache.copy(&permit, &from, &to, &pace, "")));
}
