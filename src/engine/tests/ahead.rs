//! What is seen before a run begins, and speaks against it.

use super::Trial;
use crate::engine::preview::{obstacles, preview};
use crate::step::condition::Starts;
use crate::step::testing::at_once;
use crate::world::dns::RecordName;

fn against(trial: &Trial) -> Vec<String> {
    let seen = at_once(preview(&trial.plan, &trial.world, &Starts::new()));
    obstacles(&trial.plan, &seen).now
}

#[test]
fn users_who_are_there_already_are_told_before_the_writer_is_moved() {
    let trial = Trial::new("trial.yaml");
    assert!(!against(&trial).iter().any(|why| why.starts_with("shift:")), "{:?}", against(&trial));
    // Somebody has moved the users: unattended, nobody could adopt that behind the promotion.
    for server in &trial.plan.records["www"] {
        trial.sim.dns.changed_by_others(&RecordName { record: "www".into(), server: server.clone() }, false);
    }
    assert!(against(&trial).iter().any(|why| why.starts_with("shift:")), "{:?}", against(&trial));
}
