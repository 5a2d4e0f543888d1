//! The connection is lost at each step of what is said for a freeze, and for taking it back.

use super::{FREEZE, Night, Out, THAW, expected};
use crate::support::proxy::Deed;
use mrctl::lab::Fault;
use std::time::{Duration, Instant};

/// Of half a freeze nothing may be left: the next reload would stop writes.
fn nothing_is_left(night: &Night, what: &str) {
    let file = night.site.lab.layout().pgdata(night.from).join("postgresql.auto.conf");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("default_transaction_read_only"), "{what}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_whose_connection_is_lost_is_seen_or_taken_back_with_both_of_its_halves() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let reload = "set_config('mrctl.reload'";
    let back = "rolled_back";
    let cases = [
        (
            expected("reset at the rename", 0, "", Out::Closed),
            ["SET application_name", "/read_only/"],
            Deed::ResetBefore,
        ),
        (expected("reset before", 3, back, Out::Closed), [FREEZE, ""], Deed::ResetBefore),
        (expected("reset between the halves", 3, back, Out::Closed), [reload, ""], Deed::ResetBefore),
        (expected("reset after the first half", 3, back, Out::Closed), [FREEZE, ""], Deed::ResetAfter),
        (expected("reset after", 0, "", Out::Closed), [reload, ""], Deed::ResetAfter),
        (expected("answer swallowed", 0, "", Out::Closed), [reload, ""], Deed::LoseAnswer),
        (expected("swallowed", 3, back, Out::Closed), [FREEZE, ""], Deed::LoseBefore),
        (
            expected("reset before sessions are ended", 0, "", Out::Closed),
            ["pg_terminate_backend", ""],
            Deed::ResetBefore,
        ),
        (
            expected("reset after sessions are ended", 0, "", Out::Closed),
            ["pg_terminate_backend", ""],
            Deed::ResetAfter,
        ),
    ];
    for (expected, words, deed) in cases {
        night.digest();
        night.source().next(&words, deed);
        let begun = Instant::now();
        let ended = night.press().end().await;
        assert_eq!(night.source().met(), 1, "{}", expected.what);
        if ended.code == 3 {
            nothing_is_left(&night, expected.what);
        }
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_that_is_taken_back_over_a_lost_connection_does_not_stop_writes_for_long() {
    let mut night = Night::up().await;
    night.runbook = "mrctl: 1
name: short
title: Short
steps:
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
    timeout: 2s
  - id: promote
    postgres.promote: orders
";
    let observer = night.watch();
    let cases = [
        (expected("reset before", 3, "behind", Out::Closed), Deed::ResetBefore, 15),
        (expected("reset between the halves", 3, "behind", Out::Closed), Deed::ResetAfter, 15),
        // Nothing of it is known until the server has ended the session that nobody speaks on any more.
        (expected("swallowed", 3, "behind", Out::Closed), Deed::LoseBefore, 40),
    ];
    for (expected, deed, bound) in cases {
        night.digest();
        night.site.lab.inflict(Fault::Receiver).await.unwrap();
        night.source().next(&[THAW], deed);
        let begun = Instant::now();
        let ended = night.press().end().await;
        assert_eq!(night.source().met(), 1, "{}", expected.what);
        assert!(
            begun.elapsed() < Duration::from_secs(bound),
            "{}: {:?}: {ended}",
            expected.what,
            begun.elapsed()
        );
        nothing_is_left(&night, expected.what);
        night.site.lab.heal(Fault::Receiver).await.unwrap();
        night.ends(expected, begun, &ended).await;
    }
    let seen = night.judged(observer).await;
    assert!(seen.gap < Duration::from_secs(40), "{:?}", seen.gap);
    night.site.lab.down().await.unwrap();
}
