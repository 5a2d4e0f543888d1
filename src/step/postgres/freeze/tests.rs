//! What a look at the source means for a freeze.

use super::super::examples;
use super::*;
use crate::step::Standing;

fn freeze() -> Freeze {
    let mut pair = examples::pair();
    pair.others = vec![pair.target.clone()];
    Freeze { pair, keep: vec!["monitoring".into()] }
}

fn facts(source: ServerFacts, other: Known<bool>) -> Facts {
    Facts { source: Known::Known(source), target: not_looked_at(), others: vec![("us-east".into(), other)] }
}

fn standing(effect: &str, facts: &Facts, aim: Aim<'_, Facts>) -> Standing {
    freeze().judge(effect, facts, aim, None).standing
}

#[test]
fn read_only_is_judged_by_the_setting_of_a_fresh_session() {
    let standby = Known::Known(true);
    let writable = facts(examples::primary(), standby.clone());
    assert_eq!(standing(READ_ONLY, &writable, Aim::Applied), Standing::NotReached);
    let frozen = facts(examples::frozen(), standby.clone());
    assert_eq!(standing(READ_ONLY, &frozen, Aim::Applied), Standing::Reached);
    let wrong = facts(examples::standby(), standby.clone());
    assert_eq!(standing(READ_ONLY, &wrong, Aim::Applied), Standing::Blocked);
    let silent = Facts { source: Known::unknown("no answer"), target: not_looked_at(), others: vec![] };
    assert_eq!(standing(READ_ONLY, &silent, Aim::Applied), Standing::Unknown);
    for on in [false, true] {
        let mut own = examples::primary();
        (own.read_only.on, own.read_only.source) = (on, "user".into());
        let judged = standing(READ_ONLY, &facts(own, standby.clone()), Aim::Applied);
        assert_eq!(judged, Standing::Unknown, "set for our own role, {on}");
    }
    let mut prepared = examples::primary();
    examples::primary_of(&mut prepared).prepared = vec!["tm-1".into()];
    assert_eq!(standing(READ_ONLY, &facts(prepared, standby), Aim::Applied), Standing::Blocked);
}

#[test]
fn sessions_from_before_and_writers_keep_it_open() {
    let mut source = examples::frozen();
    assert_eq!(
        standing(SESSIONS, &facts(source.clone(), Known::Known(true)), Aim::Applied),
        Standing::Reached
    );
    let Known::Known(sessions) = &mut source.sessions else { unreachable!() };
    sessions.older = 1;
    assert_eq!(
        standing(SESSIONS, &facts(source.clone(), Known::Known(true)), Aim::Applied),
        Standing::NotReached
    );
    source.sessions = Known::unknown("no pg_monitor");
    assert_eq!(standing(SESSIONS, &facts(source, Known::Known(true)), Aim::Applied), Standing::Unknown);
}

#[test]
fn who_lifts_the_freeze_or_manages_the_server_forbids_it() {
    let mut managed = examples::primary();
    managed.managers = vec!["Patroni".into()];
    assert_eq!(standing(READ_ONLY, &facts(managed, Known::Known(true)), Aim::Applied), Standing::Blocked);
    for (mut source, effect) in [(examples::primary(), READ_ONLY), (examples::frozen(), SESSIONS)] {
        source.overrides = vec!["role app: default_transaction_read_only=off".into()];
        assert_eq!(standing(effect, &facts(source, Known::Known(true)), Aim::Applied), Standing::Blocked);
    }
    let mut reports = examples::frozen();
    reports.overrides = vec!["role reports: default_transaction_read_only=on".into()];
    assert_eq!(standing(SESSIONS, &facts(reports, Known::Known(true)), Aim::Applied), Standing::Reached);
}
