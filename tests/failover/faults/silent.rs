//! Packets to the source or the target are refused or dropped without a word, at each phase; both databases live on.

use super::{FREEZE, GLANCE, MARK, Night, Out, PROMOTE, PROMOTED, Running, expected, nightly};
use crate::support::proxy::{Door, Proxy};
use mrctl::lab::{Fault, Region};
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Refused,
    Dropped,
}

fn cut(proxy: &Proxy, how: How) {
    match how {
        How::Refused => {
            proxy.door(Door::Closed);
            proxy.cut();
        }
        How::Dropped => proxy.silence(),
    }
}

impl Night {
    /// At the moment when one region is about to hear this, the other or the same one cannot be reached any more.
    async fn cut_off_at(&mut self, at: Region, words: &str, whom: Region, how: How) -> Running {
        let running = self.held(at, &[words]).await;
        cut(self.proxy(whom), how);
        self.proxy(at).release();
        running
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_at_the_beginning_is_a_reason_to_refuse() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let digest = night.digest();
    for how in [How::Refused, How::Dropped] {
        for whom in [night.from, night.to] {
            cut(night.proxy(whom), how);
            let runbook = night.site.runbook(night.runbook);
            let arguments = night.site.approved_as(&digest, &runbook, night.from, night.to);
            let begun = Instant::now();
            let ended = night.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).end().await;
            let path = runbook.display().to_string();
            let (from, to) = (night.from.to_string(), night.to.to_string());
            let dry = ["drill", "--dry-run", "--runbook", &path, "--from", &from, "--to", &to];
            let dry = night.start(&dry).end().await;
            assert!(dry.code == 10 && dry.stdout.contains("could not be read"), "{dry}");
            night.proxies.iter().for_each(Proxy::heal);
            // Who cannot be seen is not who was approved.
            let refused = expected("at the beginning", 5, "not the one that was approved", Out::Closed);
            night.ends(refused, begun, &ended).await;
        }
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_any_more_before_the_promotion_makes_the_run_go_back() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let back = "rolled_back";
    let (from, to) = (night.from, night.to);
    let cases = [
        (expected("source refused at the freeze", 3, back, Out::Closed), FREEZE, from, How::Refused),
        (expected("source dropped at the freeze", 3, back, Out::Closed), FREEZE, from, How::Dropped),
        (expected("target refused when frozen", 3, back, Out::Closed), MARK, to, How::Refused),
        (expected("target dropped when frozen", 3, back, Out::Closed), MARK, to, How::Dropped),
        (expected("source dropped when frozen", 3, back, Out::Closed), MARK, from, How::Dropped),
        (expected("source refused when caught up", 3, back, Out::Closed), GLANCE, from, How::Refused),
    ];
    for (expected, words, whom, how) in cases {
        if !nightly() && matches!((words, how), (FREEZE, How::Refused) | (MARK, How::Refused)) {
            continue;
        }
        if words == MARK {
            night.site.lab.inflict(Fault::Receiver).await.unwrap();
        }
        let begun = Instant::now();
        let ended = tokio::spawn(night.cut_off_at(from, words, whom, how).await.end());
        night.turned_back().await;
        assert!(!night.site.writable(to).await, "{}: promoted", expected.what);
        night.proxies.iter().for_each(Proxy::heal);
        let ended = ended.await.unwrap();
        night.site.lab.heal(Fault::Receiver).await.unwrap();
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_any_more_behind_the_promotion_is_told_as_unknown() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let unseen = "the end state could not be seen";
    let cases = [
        (
            expected("target refused as it is sent", 6, "could not be read", Out::Resume(0)),
            PROMOTE,
            true,
            How::Refused,
        ),
        (
            expected("target dropped as it is sent", 6, "could not be read", Out::Resume(0)),
            PROMOTE,
            true,
            How::Dropped,
        ),
        (expected("source refused as it is sent", 6, unseen, Out::Resume(0)), PROMOTE, false, How::Refused),
        (expected("source dropped after it", 6, unseen, Out::Resume(0)), PROMOTED, false, How::Dropped),
    ];
    for (expected, words, target, how) in cases {
        let whom = if target { night.to } else { night.from };
        let begun = Instant::now();
        let ended = night.cut_off_at(night.to, words, whom, how).await.end().await;
        night.proxies.iter().for_each(Proxy::heal);
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
