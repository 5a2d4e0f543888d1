//! What is counted, and what is not known.

use super::*;

fn ended(below: u64, until: u64, running: Option<&[u64]>) -> Ended {
    Ended { below, until, running: running.map(<[u64]>::to_vec) }
}

fn at(position: &str) -> Lsn {
    position.parse().unwrap()
}

fn heartbeat(source: Ended, target: Ended) -> Heartbeat {
    let last = Beat {
        writer: "w/1".into(),
        number: 12,
        missed: Vec::new(),
        at_ms: 5_000,
        system: "7".into(),
        region: "eu-west".into(),
        timeline: 1,
        flushed: at("0/5000100"),
        ended: source,
    };
    let (received, replayed) = (at("0/5000000"), at("0/5000000"));
    let standby = Some(Replayed { ended: target, received, replayed, at_rest: true });
    Heartbeat { last, arrived: Arrived { last: Some((10, 3_000)), standby }, asked_ms: 9_500 }
}

fn of(heartbeat: &Heartbeat) -> Counted {
    heartbeat.count("7", 1, at("0/5000000")).get().cloned().unwrap()
}

fn counted(source: Ended, target: Ended) -> Counted {
    of(&heartbeat(source, target))
}

fn range(least: u64, most: u64) -> Range {
    Range { least, most }
}

#[test]
fn what_ended_at_the_source_and_not_at_the_target_is_lost() {
    // 100 to 109 ended at the source after the target's last; two of them are heartbeats.
    let lost = counted(ended(110, 110, Some(&[])), ended(100, 100, Some(&[])));
    assert_eq!((lost.heartbeats, lost.transactions, lost.bytes), (range(2, 2), range(8, 8), 0x100));
    assert_eq!((lost.from_ms, lost.until_ms), (3_000, 5_000));
    assert_eq!(
        lost.to_string(),
        "lost until the last heartbeat at 00:00:05.000Z, 4 s before the count: 2 heartbeats, 8 transactions of others \
         and 256 bytes of log, from 00:00:03.000Z on"
    );
    // What still ran at the source was never acknowledged.
    let lost = counted(ended(104, 110, Some(&[104, 108])), ended(100, 100, Some(&[])));
    assert_eq!(lost.transactions, range(6, 6));
    // What ran at the target and ended at the source is lost, what ran at both is not.
    let lost = counted(ended(96, 110, Some(&[96])), ended(95, 100, Some(&[95, 96])));
    assert_eq!(lost.transactions, range(9, 9));
    // Those that run at either are not listed: bounds.
    let lost = counted(ended(110, 110, Some(&[])), ended(95, 100, None));
    assert_eq!((lost.transactions, lost.transactions.to_string().as_str()), (range(8, 13), "8 to 13"));
    let lost = counted(ended(104, 110, None), ended(100, 100, Some(&[])));
    assert_eq!(lost.transactions, range(2, 8));
}

#[test]
fn a_heartbeat_that_was_not_acknowledged_is_no_lost_one_and_hides_nobody_elses() {
    let mut missed = heartbeat(ended(141, 141, Some(&[])), ended(100, 100, Some(&[])));
    // 10 has arrived, 11 to 70 failed, 71 was acknowledged: 41 transactions ended, and at least 40 of them are others', unless
    // some that failed were committed after all.
    (missed.last.number, missed.last.missed) = (71, vec![(3, 4), (11, 70)]);
    let lost = of(&missed);
    assert_eq!((lost.heartbeats, lost.transactions), (range(1, 1), range(0, 40)));
    assert_eq!(missed.missing(), Known::Known(1));
    missed.arrived.last = Some((69, 3_000));
    assert_eq!(of(&missed).transactions, range(39, 40));
}

#[test]
fn what_is_received_and_not_replayed_may_still_arrive() {
    let mut half = heartbeat(ended(110, 110, Some(&[])), ended(100, 100, Some(&[])));
    half.arrived.standby.as_mut().unwrap().replayed = at("0/4FFFFB0");
    let lost = of(&half);
    assert_eq!((lost.heartbeats, lost.transactions), (range(0, 2), range(6, 8)), "80 bytes: two commits");
    assert!(half.count("7", 1, at("0/5000001")).get().is_none(), "received more since");
    half.arrived.standby.as_mut().unwrap().at_rest = false;
    assert!(half.count("7", 1, at("0/5000000")).get().is_none(), "what it replays later is not lost");
}

#[test]
fn a_target_that_has_all_lost_nothing_and_is_never_less_than_nothing() {
    let mut all = heartbeat(ended(110, 110, Some(&[])), ended(120, 120, Some(&[])));
    all.arrived.last = Some((13, 6_000));
    let lost = of(&all);
    assert!(lost.nothing() && lost.to_string().starts_with("nothing is lost until"), "{lost}");
    assert_eq!(all.missing(), Known::Known(0));
    // Days later, or with a clock that went back, that says little, and it is told.
    all.asked_ms = 5_000 + 3 * 86_400_000;
    assert!(
        of(&all).to_string().ends_with("at 1970-01-01 00:00:05.000Z, 72 h before the count"),
        "{}",
        of(&all)
    );
    all.asked_ms = 4_000;
    assert!(of(&all).to_string().contains("has not reached"), "{}", of(&all));
}

#[test]
fn another_history_or_no_row_counts_nothing() {
    let received = || at("0/5000000");
    let good = || heartbeat(ended(110, 110, Some(&[])), ended(100, 100, Some(&[])));
    assert!(good().count("8", 1, received()).get().is_none(), "another cluster");
    assert!(good().count("7", 2, received()).get().is_none(), "another timeline");
    let mut none = good();
    none.arrived.last = None;
    assert!(none.count("7", 1, received()).get().is_none() && none.missing().get().is_none());
    let mut primary = good();
    primary.arrived.standby = None;
    assert!(primary.count("7", 1, received()).get().is_none(), "a primary goes on counting");
}
