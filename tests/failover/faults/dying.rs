//! The source dies or hangs at each phase of a planned run.

use super::{FREEZE, GLANCE, MARK, Night, Out, PROMOTE, PROMOTED, expected, nightly};
use mrctl::lab::{Fault, Region};
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Killed,
    Stopped,
}

impl Night {
    async fn fells(&self, how: How, from: Region) {
        match how {
            How::Killed => self.site.lab.kill_postgres(from).await.unwrap(),
            How::Stopped => self.site.lab.inflict(Fault::FreezePrimary).await.unwrap(),
        }
    }

    async fn raises(&self, how: How, from: Region) {
        match how {
            How::Killed => self.site.lab.start_postgres(from).await.unwrap(),
            How::Stopped => self.site.lab.heal(Fault::FreezePrimary).await.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dies_before_the_promotion_is_never_replaced_by_a_planned_run() {
    let mut night = Night::up().await;
    let observer = night.watch();
    // It comes back while the run still tries to take back what it did; where it does not, see the night.
    let cases = [
        (expected("killed before the freeze", 3, "rolled_back", Out::Closed), FREEZE, How::Killed),
        (expected("stopped before the freeze", 3, "rolled_back", Out::Closed), FREEZE, How::Stopped),
        (expected("killed when frozen", 3, "rolled_back", Out::Closed), MARK, How::Killed),
        (expected("stopped when frozen", 3, "rolled_back", Out::Closed), MARK, How::Stopped),
        (expected("killed when caught up", 3, "rolled_back", Out::Closed), GLANCE, How::Killed),
    ];
    for (expected, words, how) in cases {
        // The others are as likely to do harm as these, and take as long.
        if !nightly() && matches!((words, how), (FREEZE, How::Killed) | (MARK, How::Stopped)) {
            continue;
        }
        let from = night.from;
        if words == MARK {
            night.site.lab.inflict(Fault::Receiver).await.unwrap();
        }
        let begun = Instant::now();
        let running = night.held(from, &[words]).await;
        if words == MARK {
            // First: it lets everything go on that is stopped.
            night.site.lab.heal(Fault::Receiver).await.unwrap();
        }
        night.fells(how, from).await;
        night.source().release();
        let ended = tokio::spawn(running.end());
        night.turned_back().await;
        assert!(!night.site.writable(night.to).await, "{}: promoted", expected.what);
        night.raises(how, from).await;
        let ended = ended.await.unwrap();
        assert!(!night.site.writable(night.to).await, "{}: promoted", expected.what);
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dies_behind_the_promotion_is_told_as_unknown_and_the_run_stays_open() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let unseen = "the end state could not be seen";
    let cases = [
        (expected("killed as it is sent", 6, unseen, Out::Resume(0)), PROMOTE, How::Killed),
        (expected("stopped as it is sent", 6, unseen, Out::Resume(0)), PROMOTE, How::Stopped),
        (expected("killed after it", 6, unseen, Out::Resume(0)), PROMOTED, How::Killed),
    ];
    for (expected, words, how) in cases {
        let from = night.from;
        let begun = Instant::now();
        let running = night.held(night.to, &[words]).await;
        night.fells(how, from).await;
        night.target().release();
        let ended = running.end().await;
        assert!(ended.to_string().contains("old primary: unknown"), "{ended}");
        night.raises(how, from).await;
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_night_a_source_that_never_comes_back_leaves_a_run_that_is_open_and_says_so() {
    if !nightly() {
        return;
    }
    let mut night = Night::up().await;
    let observer = night.watch();
    let failed = "could not be taken back";
    for (expected, words) in [
        (expected("killed before the freeze, for long", 7, failed, Out::Resume(3)), FREEZE),
        (expected("killed when caught up, for long", 7, failed, Out::Resume(3)), GLANCE),
    ] {
        let from = night.from;
        let begun = Instant::now();
        let running = night.held(from, &[words]).await;
        night.fells(How::Killed, from).await;
        night.source().release();
        let ended = running.end().await;
        night.raises(How::Killed, from).await;
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
