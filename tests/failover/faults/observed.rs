//! The observer itself: one that sees nothing proves nothing.

use super::Night;
use crate::lab::until;
use mrctl::lab::Role;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_two_primaries_where_there_are_two_and_the_writes_that_get_lost() {
    let night = Night::up().await;
    let lab = &night.site.lab;
    let observer = night.watch();
    // As a careless person does it: nobody was stopped, and the standby does not even have everything.
    night.site.cut_off().await;
    let rows = async || {
        let session = lab.connect(night.from, Role::Superuser).await.unwrap();
        let row = session.query_one("SELECT count(*) FROM orders WHERE client = -1", &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    let before = rows().await;
    until("the observer writes", async || rows().await > before + 4).await;
    let standby = lab.connect(night.to, Role::Superuser).await.unwrap();
    standby.batch_execute("SELECT pg_promote()").await.unwrap();
    until("both take writes", async || night.writers().await.len() == 2).await;
    let after = rows().await;
    until("the observer writes on", async || rows().await > after + 4).await;
    let seen = observer.end();
    assert!(seen.both.len() > 5, "{seen:?}");
    assert!(seen.answers.values().all(|answers| *answers > 20), "{:?}", seen.answers);
    assert!(!seen.lost(lab, night.to).await.is_empty(), "{:?}", seen.acknowledged);
    assert!(seen.gap < Duration::from_secs(1), "{:?}", seen.gap);
    lab.down().await.unwrap();
}
