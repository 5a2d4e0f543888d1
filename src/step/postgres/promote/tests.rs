//! What a look at both sides means for the promotion.

use super::super::examples;
use super::*;
use crate::step::Standing;
use crate::world::postgres::Activity;

fn handover() -> Handover {
    Handover {
        system: "7301".into(),
        timeline: 1,
        position: "0/5000100".parse().unwrap(),
        next_transaction: 900,
        activity: examples::activity(),
        source_started: "100".into(),
        target_started: "100".into(),
        by: HandoverBy::Soft,
        counted: None,
    }
}

fn judge(source: Known<ServerFacts>, target: ServerFacts, handover: Option<&Handover>) -> Judgement {
    let promote =
        Promote { pair: examples::pair(), keep: vec![], control_data: None, fenced: None, unplanned: false };
    promote.judge(
        "promote",
        &PairFacts { source, target: Known::Known(target), others: vec![], heartbeat: None },
        Aim::Applied,
        handover,
    )
}

fn promoted() -> ServerFacts {
    let mut facts = examples::primary();
    examples::primary_of(&mut facts).timeline = 2;
    facts
}

#[test]
fn before_it_the_source_must_be_as_the_handover_says() {
    let frozen = || Known::Known(examples::frozen());
    let handover = handover();
    let before = |source| judge(source, examples::standby(), Some(&handover)).standing;
    assert_eq!(before(frozen()), Standing::NotReached);
    assert_eq!(before(Known::unknown("no answer")), Standing::Unknown);
    assert_eq!(before(Known::Known(examples::primary())), Standing::Blocked, "thawed");
    let mut restarted = examples::frozen();
    restarted.started = "101".into();
    assert_eq!(before(Known::Known(restarted)), Standing::Blocked, "restarted");
    let mut wrote = examples::frozen();
    examples::primary_of(&mut wrote).next_transaction = 901;
    assert_eq!(before(Known::Known(wrote)), Standing::Blocked, "one more transaction");
    let mut writing = examples::frozen();
    let Known::Known(sessions) = &mut writing.sessions else { unreachable!() };
    sessions.writing = 1;
    assert_eq!(before(Known::Known(writing)), Standing::Moving, "an open writer, whose number has not ended");
    let mut prepared = examples::frozen();
    examples::primary_of(&mut prepared).prepared = vec!["tm-1".into()];
    assert_eq!(before(Known::Known(prepared)), Standing::Moving, "prepared");
    let mut blind = examples::frozen();
    blind.sessions = Known::unknown("no pg_monitor");
    assert_eq!(before(Known::Known(blind)), Standing::Unknown, "who writes cannot be seen");
    let mut own = examples::frozen();
    own.read_only.source = "user".into();
    assert_eq!(before(Known::Known(own)), Standing::Blocked, "only our own role is read-only");
    let mut leaking = examples::standby();
    leaking.overrides = vec!["database orders: default_transaction_read_only=on".into()];
    assert_eq!(judge(frozen(), leaking.clone(), Some(&handover)).standing, Standing::Blocked, "leak");
    leaking.overrides = vec!["role reports: default_transaction_read_only=on".into()];
    assert_eq!(judge(frozen(), leaking, Some(&handover)).standing, Standing::NotReached, "reports");
}

#[test]
fn only_a_handover_of_a_lost_or_stopped_source_goes_without_it() {
    for (by, silent, running) in [
        (HandoverBy::Soft, Standing::Unknown, Standing::NotReached),
        (HandoverBy::Shutdown, Standing::NotReached, Standing::Blocked),
        (HandoverBy::LossAccepted, Standing::NotReached, Standing::Blocked),
    ] {
        let handover = Handover { by, ..handover() };
        let judged = |source| judge(source, examples::standby(), Some(&handover)).standing;
        assert_eq!(judged(Known::unknown("connection refused")), silent, "{by:?}");
        assert_eq!(judged(Known::Known(examples::frozen())), running, "{by:?}");
    }
}

#[test]
fn after_it_only_a_fork_of_the_handover_counts() {
    let handover = handover();
    let after = |source, target| judge(source, target, Some(&handover));
    let frozen = || Known::Known(examples::frozen());
    assert_eq!(after(frozen(), promoted()).standing, Standing::Reached);
    assert_eq!(after(Known::unknown("stopped"), promoted()).standing, Standing::Reached);
    assert_eq!(
        after(frozen(), examples::primary()).standing,
        Standing::Blocked,
        "same timeline: not our promotion"
    );
    let mut other = promoted();
    other.system = "8".into();
    assert_eq!(after(frozen(), other).standing, Standing::Blocked);
    let mut leaked = promoted();
    leaked.read_only.on = true;
    assert_eq!(after(frozen(), leaked).standing, Standing::Blocked);
    assert_eq!(judge(frozen(), promoted(), None).standing, Standing::Blocked, "no handover of ours");
}

#[test]
fn commits_on_the_old_primary_are_divergence() {
    let mut wrote = examples::frozen();
    examples::primary_of(&mut wrote).next_transaction = 902;
    let judged = judge(Known::Known(wrote), promoted(), Some(&handover()));
    assert_eq!((judged.standing, judged.remark), (Standing::Reached, Some(Remark::Divergence)));
    assert!(judged.evidence.contains("took 2 transactions"), "{}", judged.evidence);
}

#[test]
fn autovacuum_on_the_old_primary_is_told_and_is_no_divergence() {
    let before = examples::activity();
    let upkeep = before.upkeep + 1;
    let came = before.elsewhere_sessions + 1;
    let table = [
        ("autovacuum here", false, Activity { upkeep, ..before }, false),
        ("and a row", false, Activity { upkeep, rows: before.rows + 1, ..before }, true),
        ("nothing explains it", false, before, true),
        ("nobody was there", true, before, false),
        ("who has left wrote", true, Activity { rows: before.rows + 1, ..before }, true),
        ("autoanalyze elsewhere", true, Activity { elsewhere_rows: 8, ..before }, false),
        ("a reader elsewhere", true, Activity { elsewhere_sessions: came, ..before }, false),
        (
            "a writer elsewhere",
            true,
            Activity { elsewhere_rows: 8, elsewhere_sessions: came, ..before },
            true,
        ),
        (
            "and autovacuum here",
            false,
            Activity { elsewhere_rows: 8, elsewhere_sessions: came, upkeep, ..before },
            true,
        ),
        ("nothing is counted", true, Activity { counted: false, ..before }, true),
    ];
    for (what, complete, activity, diverged) in table {
        let mut source = examples::frozen();
        let primary = examples::primary_of(&mut source);
        (primary.next_transaction, primary.activity) = (902, Activity { complete, ..activity });
        let judged = judge(Known::Known(source), promoted(), Some(&handover()));
        assert_eq!(judged.standing, Standing::Reached, "{what}: it is promoted all the same");
        assert_eq!(judged.remark.is_some(), diverged, "{what}: {}", judged.evidence);
    }
}
