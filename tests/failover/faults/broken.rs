//! What others change in the middle of a run: rights, passwords, certificates, settings.

use super::{FREEZE, MARK, Night, Out, PROMOTE, expected};
use crate::support::proxy::Proxy;
use mrctl::lab::{Fault, Role, Secret};
use secrecy::ExposeSecret as _;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_taken_away_in_the_middle_is_told_and_given_back_resumed() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let freeze = "ALTER SYSTEM ON PARAMETER default_transaction_read_only";
    // Nothing was changed yet.
    let begun = Instant::now();
    let running = night.held(night.from, &[FREEZE]).await;
    night.sql(night.from, &format!("REVOKE {freeze} FROM mrctl")).await;
    night.source().release();
    let ended = running.end().await;
    night.sql(night.from, &format!("GRANT {freeze} TO mrctl")).await;
    night.ends(expected("to freeze", 5, "permission denied", Out::Closed), begun, &ended).await;
    // Frozen, and no right to take it back.
    night.site.lab.inflict(Fault::Receiver).await.unwrap();
    let begun = Instant::now();
    let running = night.held(night.from, &[MARK]).await;
    night
        .sql(night.from, &format!("SET default_transaction_read_only = off; REVOKE {freeze} FROM mrctl"))
        .await;
    night.source().release();
    let ended = running.end().await;
    assert!(ended.to_string().contains("permission denied"), "{ended}");
    assert!(night.told("to thaw", true).await.is_empty());
    night.sql(night.from, &format!("SET default_transaction_read_only = off; GRANT {freeze} TO mrctl")).await;
    night.site.lab.heal(Fault::Receiver).await.unwrap();
    night.ends(expected("to thaw", 7, "permission denied", Out::Resume(3)), begun, &ended).await;
    // Right before the promotion.
    let begun = Instant::now();
    let running = night.held(night.to, &[PROMOTE]).await;
    let function = "FUNCTION pg_promote(boolean, integer)";
    night
        .sql(
            night.from,
            &format!("SET default_transaction_read_only = off; REVOKE EXECUTE ON {function} FROM mrctl"),
        )
        .await;
    let session = night.site.lab.connect(night.to, Role::Superuser).await.unwrap();
    crate::lab::until("the right is gone", async || {
        let may = "SELECT has_function_privilege('mrctl', 'pg_promote(boolean, integer)', 'EXECUTE')";
        !session.query_one(may, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;
    night.target().release();
    let ended = running.end().await;
    night.sql(night.from, &format!("GRANT EXECUTE ON {function} TO mrctl")).await;
    night.ends(expected("to promote", 3, "permission denied", Out::Closed), begun, &ended).await;
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_rotated_in_the_middle_never_leaves_writes_stopped_unreported() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let old = night.site.lab.secrets().read(Secret::Mrctl).unwrap().expose_secret().to_owned();
    for (what, words) in [("at the freeze", FREEZE), ("when frozen", MARK)] {
        if words == MARK {
            night.site.lab.inflict(Fault::Receiver).await.unwrap();
        }
        let begun = Instant::now();
        let running = night.held(night.from, &[words]).await;
        let set = |password: &str| {
            format!("SET default_transaction_read_only = off; ALTER ROLE mrctl PASSWORD '{password}'")
        };
        night.sql(night.from, &set("another")).await;
        // Whoever has a connection keeps it; who needs a new one does not get it.
        night.source().cut();
        night.source().release();
        let ended = tokio::spawn(running.end());
        night.turned_back().await;
        night.sql(night.from, &set(&old)).await;
        let ended = ended.await.unwrap();
        assert!(!ended.to_string().contains(&old) && !ended.to_string().contains("'another'"), "{ended}");
        night.site.lab.heal(Fault::Receiver).await.unwrap();
        night.proxies.iter().for_each(Proxy::heal);
        night.ends(expected(what, 3, "password authentication failed", Out::Closed), begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_would_wait_for_a_ghost_are_found_behind_the_promotion() {
    let mut night = Night::up().await;
    let observer = night.watch();
    let begun = Instant::now();
    let running = night.held(night.to, &[PROMOTE]).await;
    night
        .sql(night.to, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'; SELECT pg_reload_conf()")
        .await;
    night.target().release();
    let ended = running.end().await;
    night.sql(night.to, "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()").await;
    night.ends(expected("a ghost", 4, "ghost", Out::Resume(0)), begun, &ended).await;
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
