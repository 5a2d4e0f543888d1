use super::measure::GapEnd;
use super::model::{Change, Model, Phase};
use super::sample::*;
use crate::engine::Progress;
use crate::engine::record::{Choice, Purpose, Record, Turn};
use crate::step::Standing;
use std::sync::Arc;

fn phases(records: &[(i64, Record)]) -> Vec<(&'static str, Phase)> {
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    let ids = ["people", "drill_note", "warm", "freeze", "catch_up", "promote", "shift", "users"];
    ids.into_iter().zip(model.rows.iter().map(|row| row.phase)).collect()
}

#[test]
fn each_step_has_the_phase_that_its_records_say() {
    use Phase::{Done, Failed, Running, Skipped, Undone, Unknown, Waiting};
    let all = until_frozen();
    for (what, records, wanted) in [
        ("nothing", vec![], [Waiting, Skipped, Waiting, Waiting, Waiting, Waiting, Waiting, Waiting]),
        (
            "begun",
            all[..2].to_vec(),
            [Running, Skipped, Waiting, Waiting, Waiting, Waiting, Waiting, Waiting],
        ),
        (
            "answered",
            all[..4].to_vec(),
            [Done, Skipped, Running, Waiting, Waiting, Waiting, Waiting, Waiting],
        ),
        ("frozen", all, [Done, Skipped, Done, Done, Running, Waiting, Waiting, Waiting]),
        ("completed", completed(), [Done, Skipped, Done, Done, Done, Done, Done, Done]),
        ("rolled back", rolled_back(), [Done, Skipped, Done, Undone, Failed, Waiting, Waiting, Waiting]),
        ("unknown", unknown(), [Done, Skipped, Done, Done, Done, Unknown, Waiting, Waiting]),
    ] {
        let ours: Vec<Phase> = phases(&records).into_iter().map(|(_, phase)| phase).collect();
        assert_eq!(ours, wanted, "{what}");
    }
}

#[test]
fn the_write_gap_runs_from_the_intent_to_freeze_to_the_proof_of_promotion() {
    let measures = |records: &[(i64, Record)]| {
        Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record))).measures
    };
    let done = measures(&completed());
    assert_eq!(done.write_gap().and_then(|gap| gap.length(0)), Some(1200));
    assert_eq!(done.gaps["orders"].1, Some(GapEnd::Moved));
    assert_eq!(done.recovery().and_then(|span| span.length(0)), Some(24_000));
    let back = measures(&rolled_back());
    assert_eq!(back.write_gap().and_then(|gap| gap.length(0)), Some(10_800));
    assert_eq!(back.gaps["orders"].1, Some(GapEnd::Restored));
    let open = measures(&unknown());
    assert_eq!(open.write_gap().map(|gap| gap.ended), Some(None));
}

#[test]
fn a_time_that_a_clock_which_was_set_back_has_measured_is_unknown_and_no_other() {
    let records = completed();
    let model = |back: usize, by: i64| {
        let at = |(index, (at, record))| (if index < back { at } else { at - by }, record);
        let moved: Vec<(i64, Record)> = records.clone().into_iter().enumerate().map(at).collect();
        Model::of(Arc::new(plan()), moved.iter().map(|(at, record)| (*at, record))).measures
    };
    let place = |what: &dyn Fn(&Record) -> bool| records.iter().position(|(_, record)| what(record)).unwrap();
    let freeze = place(&|record| matches!(record, Record::Intent { step, .. } if step == "freeze"));
    let promote = place(&|record| matches!(record, Record::Intent { step, .. } if step == "promote"));
    let known = |measures: &super::measure::Measures| {
        let length = |span: Option<super::measure::Span>| span.and_then(|span| span.length(i64::MAX));
        [length(measures.run), length(measures.write_gap()), length(measures.recovery())]
            .map(|one| one.is_some())
    };
    let last = records.len() - 1;
    for (what, back, wanted) in [
        ("never", records.len(), [true, true, true]),
        ("before the freeze", freeze, [false, true, false]),
        ("while writes were stopped", promote, [false, false, false]),
        ("at the very end", last, [false, true, true]),
    ] {
        // By hours, and by so little that every length would still look like one.
        for by in [7_200_000, 1 + records[back.min(last)].0 - records[back.min(last) - 1].0] {
            let measures = model(back, by);
            assert_eq!(known(&measures), wanted, "{what}, by {by} ms");
            let from = measures.run.unwrap().began;
            for moment in measures.moments.reached() {
                let before = usize::try_from(moment.record).unwrap() < back;
                assert_eq!(moment.after(from).is_some(), before, "{what}: {moment:?}");
            }
        }
    }
}

#[test]
fn a_fence_behind_the_promotion_is_no_gap_of_its_own_and_nobody_is_told_how_to_lift_it() {
    let mut records = completed();
    let gap = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record))).measures;
    let (end, fence) = (
        records.last().unwrap().0,
        records
            .iter()
            .find(|(_, r)| matches!(r, Record::Intent { step, .. } if step == "freeze"))
            .unwrap()
            .1
            .clone(),
    );
    records.push((end + 1_000, fence.clone()));
    let mut model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert_eq!(model.measures.write_gap(), gap.write_gap());
    let changes = model.record(end + 2_000, &fence);
    assert!(!changes.iter().any(|change| matches!(change, Change::Freezing(..))));
}

#[test]
fn a_refused_freeze_stopped_no_writes() {
    let mut records = until_frozen();
    records.truncate(records.len() - 2);
    records.push((BEGIN + 20_300, replied("freeze", "read_only", false, crate::world::Reply::refused("no"))));
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert_eq!(model.measures.write_gap(), None);
}

#[test]
fn a_freeze_in_doubt_that_looks_undone_is_not_over_before_its_undo() {
    let mut records = until_frozen();
    records.truncate(records.len() - 2);
    let lost = crate::world::Reply::lost("connection reset");
    records.push((BEGIN + 20_300, replied("freeze", "read_only", false, lost)));
    records.push((BEGIN + 20_400, turned(Turn::RollBack, "freeze", true, "freeze: no answer")));
    let looked = |purpose| looked("freeze", "read_only", purpose, Standing::Reached, "writable");
    records.push((BEGIN + 20_500, looked(Purpose::Undo)));
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert!(model.measures.write_gap().is_some_and(|gap| gap.ended.is_none()));
    assert_eq!(model.undo.iter().map(|row| row.ended).collect::<Vec<_>>(), [None]);
    records.push((BEGIN + 20_600, intent("freeze", "read_only", true)));
    records.push((BEGIN + 20_700, looked(Purpose::Undone)));
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert_eq!(model.measures.write_gap().and_then(|gap| gap.length(0)), Some(600));
    assert_eq!(model.undo.iter().map(|row| row.ended).collect::<Vec<_>>(), [Some(BEGIN + 20_700)]);
}

#[test]
fn a_section_is_told_once_and_a_step_settles_before_the_next_begins() {
    let mut model = Model::new(Arc::new(plan()));
    let mut changes = Vec::new();
    for (at, record) in completed() {
        changes.extend(model.record(at, &record));
    }
    let structure: Vec<&Change> =
        changes.iter().filter(|change| !matches!(change, Change::Told(..) | Change::Freezing(..))).collect();
    use Change::{Began, Ended, Opened, Section, Settled};
    let wanted = [
        Opened { resumed: false },
        Section(0),
        Began(0),
        Settled(0),
        Began(2),
        Settled(2),
        Section(1),
        Began(3),
        Settled(3),
        Began(4),
        Settled(4),
        Began(5),
        Settled(5),
        Section(2),
        Began(6),
        Settled(6),
        Began(7),
        Settled(7),
        Ended,
    ];
    assert_eq!(structure, wanted.iter().collect::<Vec<_>>());
}

#[test]
fn a_resume_looks_again_at_what_was_unknown() {
    let mut records = unknown();
    records.push((BEGIN + 90_000, opened(Choice::Continue)));
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert_eq!(model.rows[5].phase, Phase::Running);
    assert_eq!((model.ending.clone(), model.notes.len()), (None, 0));
    assert!(model.measures.write_gap().is_some_and(|gap| gap.ended.is_none()), "writes still stand still");
}

#[test]
fn progress_is_the_latest_only() {
    let records = until_frozen();
    let mut model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    for line in 0..10_000 {
        model.progress(&Progress {
            step: "catch_up".into(),
            effect: "handover".into(),
            evidence: format!("{line} bytes behind"),
        });
    }
    assert_eq!(model.rows[4].moving, "9999 bytes behind");
}

#[test]
fn counters_leave_out_what_is_skipped() {
    let records = completed();
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert_eq!(model.counters(), (7, 7));
}

#[test]
fn each_moment_of_the_recovery_is_counted_once_with_the_record_that_proves_it() {
    use super::moments::Named::*;
    let mut records = completed();
    let declared = records[0].0 - 60_000;
    let Record::Created { since, .. } = &mut records[0].1 else { panic!("not created first") };
    *since = Some(declared);
    let model = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    let reached = model.measures.moments.reached();
    let names: Vec<_> = reached.iter().map(|moment| moment.name).collect();
    assert_eq!(names, [Begun, Decided, WritesStopped, Promoted, ServiceRestored]);
    for moment in &reached {
        let (at, record) = &records[usize::try_from(moment.record).unwrap()];
        assert_eq!(*at, moment.at);
        let proves = matches!(record, Record::Looked { standing: Standing::Reached, .. });
        assert!(proves || matches!(moment.name, Begun | Decided), "{record:?}");
    }
    // The clock of the recovery began when the incident was declared.
    let restored = reached.last().unwrap().at;
    assert_eq!(model.measures.recovery().and_then(|span| span.length(0)), Some(restored - declared));
    // Looked at again after a resume: it is no other moment.
    let again = records
        .iter()
        .find(|(_, record)| matches!(record, Record::Looked { step, .. } if step == "promote"))
        .unwrap()
        .1
        .clone();
    records.push((restored + 5_000, again));
    let after = Model::of(Arc::new(plan()), records.iter().map(|(at, record)| (*at, record)));
    assert_eq!(after.measures.moments.reached(), reached);
}
