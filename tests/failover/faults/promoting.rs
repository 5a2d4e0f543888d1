//! The connection is lost at each step of what is said for a promotion.

use super::{Night, Out, PROMOTE, PROMOTED, expected};
use crate::lab::until;
use crate::support::proxy::{Deed, Proxy};
use mrctl::lab::{Fault, Role};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_whose_connection_is_lost_is_seen_or_told_as_unseen_and_resumed() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let late = "it may still come about";
    let cases = [
        (
            expected("reset at the rename", 0, "", Out::Closed),
            ["SET application_name", "/promote/"],
            Deed::ResetBefore,
        ),
        (expected("reset before", 4, late, Out::Resume(0)), [PROMOTE, ""], Deed::ResetBefore),
        (expected("reset after", 0, "", Out::Closed), [PROMOTE, ""], Deed::ResetAfter),
        (expected("swallowed", 6, late, Out::Resume(0)), [PROMOTE, ""], Deed::LoseBefore),
        (expected("answer swallowed", 0, "", Out::Closed), [PROMOTE, ""], Deed::LoseAnswer),
        (expected("reset in the wait", 0, "", Out::Closed), [PROMOTED, ""], Deed::ResetBefore),
        (expected("silent in the wait", 0, "", Out::Closed), [PROMOTED, ""], Deed::LoseBefore),
    ];
    for (expected, words, deed) in cases {
        night.digest();
        night.target().next(&words, deed);
        let begun = Instant::now();
        let ended = night.press().end().await;
        assert_eq!(night.target().met(), 1, "{}", expected.what);
        if expected.what == "swallowed" {
            // Until then a resume says no more than that: the server ends the session that nobody speaks on.
            let session = night.site.lab.connect(night.to, Role::Superuser).await.unwrap();
            until("the server has ended the session", async || {
                let ours = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/promote/%'";
                session.query(ours, &[]).await.unwrap().is_empty()
            })
            .await;
        }
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_comes_late_or_not_at_all_has_a_way_out_in_both_directions() {
    let mut night = Night::up().await;
    let observer = night.watch();
    // The server takes the request, and the process that would act on it hangs.
    let running = night.held(night.to, &[PROMOTE]).await;
    night.site.lab.inflict(Fault::Startup).await.unwrap();
    night.target().release();
    let begun = Instant::now();
    let ended = running.end().await;
    assert!(night.told("late", true).await.is_empty());
    let back = night.rollback(&[]).await;
    assert!(back.code == 5 && back.stderr.contains("no way back"), "{back}");
    night.site.lab.heal(Fault::Startup).await.unwrap();
    until("it is promoted after all", async || night.site.writable(night.to).await).await;
    let late = expected("a stopped startup process", 4, "it may still come about", Out::Resume(0));
    night.ends(late, begun, &ended).await;
    // Never sent; and the restart of its server forgets whatever was.
    night.digest();
    night.target().next(&[PROMOTE], Deed::ResetBefore);
    let begun = Instant::now();
    let ended = night.press().end().await;
    let back = night.rollback(&[]).await;
    assert!(back.code == 5 && back.stderr.contains("no way back"), "{back}");
    night.site.lab.kill_postgres(night.to).await.unwrap();
    night.site.lab.start_postgres(night.to).await.unwrap();
    night.proxies.iter().for_each(Proxy::heal);
    let never =
        expected("never sent, and the target restarted", 4, "it may still come about", Out::Resume(3));
    night.ends(never, begun, &ended).await;
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
