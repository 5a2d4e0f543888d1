//! An application that lifts the freeze for itself and comes again as often as it is ended, with the program itself.

use super::{RUNBOOK, Site};
use crate::support::observer::Observer;
use mrctl::lab::{Lab, Region, Role};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Writes in eu-west, whatever is frozen there, and comes again when it is ended.
async fn hostile(lab: &Lab, stop: &AtomicBool, told: &AtomicU32) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(session) = lab.connect(Region::EuWest, Role::App).await else { continue };
        if session.batch_execute("SET default_transaction_read_only = off").await.is_err() {
            continue;
        }
        let insert = "INSERT INTO orders (id, client, seq) VALUES (gen_random_uuid()::text, 9, 1)";
        while !stop.load(Ordering::Relaxed) && session.batch_execute(insert).await.is_ok() {
            told.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lifts_the_freeze_for_itself_keeps_the_promotion_from_being_made_and_loses_nothing() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let observer = Observer::of(&site.lab);
    let writes = async {
        hostile(&site.lab, &stop, &told).await;
    };
    let run = async {
        crate::lab::until("it writes", async || told.load(Ordering::Relaxed) > 20).await;
        let mut command = tokio::process::Command::from(site.command(&arguments));
        let ended = super::Ended::of(command.output().await.unwrap());
        stop.store(true, Ordering::Relaxed);
        ended
    };
    let both = futures_util::future::join(writes, run);
    let (_, ended) = tokio::time::timeout(Duration::from_secs(90), both).await.unwrap();
    assert_eq!(ended.code, 3, "{ended}");
    let why = ["in spite of the freeze", "writing transactions"];
    assert!(why.iter().any(|why| ended.stdout.contains(why)), "{ended}");
    assert!(site.writable(Region::EuWest).await && !site.writable(Region::UsEast).await);
    let root = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    let rows: i64 = root.query_one("SELECT count(*) FROM orders WHERE client = 9", &[]).await.unwrap().get(0);
    assert!(rows >= i64::from(told.load(Ordering::Relaxed)), "{rows} rows, told of {told:?}");
    let seen = observer.end();
    assert!(seen.both.is_empty(), "{:?}", seen.both);
    site.lab.down().await.unwrap();
}
