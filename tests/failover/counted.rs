//! What an unplanned failover loses is counted by heartbeats, and the count is that of somebody who kept his own.

use super::unplanned::RUNBOOK;
use super::{Site, load};
use crate::lab::until;
use mrctl::lab::{Load, Region, Role};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

/// `mrctl heartbeat` as it runs somewhere, and what it prints.
struct Beating {
    process: Child,
    said: PathBuf,
}

impl Beating {
    /// With a heartbeat every 100 ms, so that tests need not wait.
    fn start(site: &Site) -> Self {
        let inventory = site.lab.inventory();
        let text = std::fs::read_to_string(&inventory).unwrap();
        assert!(text.contains("every: 1s }"), "{text}");
        std::fs::write(&inventory, text.replace("every: 1s }", "every: 100ms }")).unwrap();
        let said = site.folder.path().join("heartbeats.jsonl");
        let out = std::fs::File::create(&said).unwrap();
        let mut command = site.command(&["heartbeat", "--output", "json"]);
        let process = command.stdout(out).stderr(Stdio::null()).spawn().unwrap();
        Self { process, said }
    }

    /// Those that were acknowledged, in order.
    fn acknowledged(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.said).unwrap();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let beats = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        beats.filter(|beat| beat["acknowledged"] == true).collect()
    }

    fn last(&self) -> u64 {
        self.acknowledged().last().map_or(0, |beat| beat["number"].as_u64().unwrap())
    }

    /// Waits for one that was sent after now. The one that is under way may have been sent before.
    async fn another(&self) {
        let from = self.last();
        until("a heartbeat is acknowledged", async || self.last() >= from + 2).await;
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_that_is_reported_as_lost_is_the_number_that_is_missing() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let source = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    // Its transactions would be counted, too: they are lost, and nobody misses them.
    source.simple_query("ALTER SYSTEM SET autovacuum = off").await.unwrap();
    source.simple_query("SELECT pg_reload_conf()").await.unwrap();
    let beating = Beating::start(&site);
    beating.another().await;
    // Idle, and both sides have the same: nothing would be lost, and status says so.
    let status = site.mrctl(&["status"]).stdout;
    assert!(status.contains("heartbeat/orders"), "{status}");
    site.cut_off().await;
    let standby = site.lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
    let there = "SELECT max(number) FROM mrctl.heartbeat";
    let arrived: i64 = standby.query_one(there, &[]).await.unwrap().get(0);
    // The outside counter: a client who remembers what was acknowledged.
    let client = site.lab.connect(Region::EuWest, Role::App).await.unwrap();
    let mut mine: Vec<String> = Vec::new();
    for number in 0..137_i64 {
        let id = format!("counted-{number}");
        client
            .execute("INSERT INTO orders (id, client, seq) VALUES ($1, 7, $2)", &[&id, &number])
            .await
            .unwrap();
        mine.push(id);
        if number % 50 == 0 {
            beating.another().await;
        }
    }
    // A transaction that is still open, with savepoints that wrote: nobody was told that it is committed.
    let open = site.lab.connect(Region::EuWest, Role::App).await.unwrap();
    open.batch_execute(
        "BEGIN; INSERT INTO orders (id, client, seq) VALUES ('open-1', 8, 1); SAVEPOINT a; \
         INSERT INTO orders (id, client, seq) VALUES ('open-2', 8, 2); RELEASE a; SAVEPOINT b; \
         INSERT INTO orders (id, client, seq) VALUES ('open-3', 8, 3)",
    )
    .await
    .unwrap();
    // One that is rolled back wrote nothing that anybody could miss, and has no number if it never wrote.
    client.batch_execute("BEGIN; SELECT 1; ROLLBACK").await.unwrap();
    beating.another().await;
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let ended = site.press(&runbook);
    assert_eq!(ended.code, 0, "{ended}");
    let here = site.lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
    let found: i64 =
        here.query_one("SELECT count(*) FROM orders WHERE id = ANY($1)", &[&mine]).await.unwrap().get(0);
    let missing = mine.len() as u64 - found as u64;
    assert_eq!(missing, 137, "nothing of it had arrived");
    let before = |beat: &Value| beat["region"] == "eu-west";
    let counted = ended.last("ended")["counted"]["orders"].clone();
    assert_eq!(counted["transactions"]["least"], missing, "{counted}");
    assert_eq!(counted["transactions"]["most"], missing, "{counted}");
    // Each line that it printed as acknowledged, and whose number had not arrived.
    let lost = beating
        .acknowledged()
        .iter()
        .filter(|beat| before(beat) && beat["number"].as_i64() > Some(arrived))
        .count();
    assert_eq!(counted["heartbeats"]["least"], lost, "{counted}");
    assert_eq!(counted["heartbeats"]["most"], lost, "{counted}");
    assert!(counted["bytes"].as_u64().unwrap() > 137 * 50, "{counted}");
    assert!(counted["until_ms"].as_i64() > counted["from_ms"].as_i64(), "{counted}");
    assert_eq!(ended.last("ended")["data_lost"], "accepted");
    // It goes on at the new primary by itself, and what was lost is told to whoever reads later.
    until("the heartbeat goes on", async || {
        beating.acknowledged().last().is_some_and(|beat| beat["region"] == "us-east")
    })
    .await;
    drop(beating);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_no_more_is_counted_than_is_lost_and_a_planned_run_finds_every_heartbeat_again() {
    let site = Site::up().await;
    let planned = site.runbook(super::RUNBOOK);
    let moved = site.failover(&planned, Region::EuWest, Region::UsEast);
    assert_eq!(moved.code, 0, "{moved}");
    // It wrote one itself before it froze, and read it back behind the promotion.
    let read_back = |event: &Value| {
        event["evidence"].as_str().is_some_and(|seen| seen.ends_with(" of the old primary is there"))
    };
    assert!(moved.events().iter().any(|event| event["step"] == "writable" && read_back(event)), "{moved}");
    let beating = Beating::start(&site);
    beating.another().await;
    assert_eq!(beating.acknowledged()[0]["region"], "us-east", "the primary is found");
    // A second one of the same state folder would take its numbers.
    let second = site.mrctl(&["heartbeat", "--count", "1"]);
    assert_eq!(second.code, 8, "{second}");
    assert!(second.stderr.contains("the heartbeat of orders is held by ada"), "{second}");
    drop(beating);
    // Killed between its commit and its memory: the next one has no number to go on with, and begins a row of its own.
    let memory = site
        .state()
        .join("heartbeats")
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("orders.json");
    let text = std::fs::read_to_string(&memory).unwrap();
    let known: Value = serde_json::from_str(&text).unwrap();
    let number = known["beats"].as_array().unwrap().last().unwrap()["number"].as_u64().unwrap();
    let before = text.replace(&format!("\"number\":{number},"), &format!("\"number\":{},", number - 1));
    std::fs::write(&memory, before).unwrap();
    let next = site.mrctl(&["heartbeat", "--count", "1"]);
    assert_eq!(next.code, 0, "{next}");
    assert!(next.stdout.contains("heartbeat 1 acknowledged by us-east"), "{next}");
    site.lab.down().await.unwrap();

    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let beating = Beating::start(&site);
    beating.another().await;
    let options = load();
    let load = Load::start(&site.lab, &options).unwrap();
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    site.cut_off().await;
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    beating.another().await;
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let ended = site.press(&runbook);
    assert_eq!(ended.code, 0, "{ended}");
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    let counted = ended.last("ended")["counted"]["orders"].clone();
    let least = counted["transactions"]["least"].as_u64().unwrap();
    let most = counted["transactions"]["most"].as_u64().unwrap();
    // What was acknowledged after the last heartbeat is in none; what was committed and not yet told may be in it, one for each client.
    let clients = u64::from(options.clients + options.long_writers);
    assert!(most < least + 10, "{counted}");
    assert!(least >= 60 && least <= report.lost.len() as u64 + clients, "{counted} {report}");
    drop(beating);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_says_what_is_missing_for_it_and_writes_nothing_where_it_must_not() {
    let site = Site::up().await;
    let one = |site: &Site| site.mrctl(&["heartbeat", "--count", "1"]);
    let fine = one(&site);
    assert_eq!(fine.code, 0, "{fine}");
    assert!(fine.stdout.contains("orders: heartbeat 1 acknowledged by eu-west"), "{fine}");
    // Another environment with a cluster of the same name has another memory.
    let remembered = site.state().join("heartbeats");
    let environments: Vec<_> =
        std::fs::read_dir(&remembered).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(environments.len() == 1 && environments[0].join("orders.json").is_file(), "{environments:?}");
    let unknown = site.mrctl(&["heartbeat", "order"]);
    assert_eq!(unknown.code, 2, "{unknown}");
    assert!(unknown.stderr.contains("did you mean `orders`?"), "{unknown}");
    // Frozen: nothing is written, and nothing is remembered as acknowledged.
    let source = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    source.simple_query("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    source.simple_query("SELECT pg_reload_conf()").await.unwrap();
    until("frozen", async || {
        let fresh = site.lab.connect(Region::EuWest, Role::App).await.unwrap();
        fresh.query_one("SHOW default_transaction_read_only", &[]).await.unwrap().get::<_, String>(0) == "on"
    })
    .await;
    let frozen = one(&site);
    assert_eq!(frozen.code, 1, "{frozen}");
    assert!(frozen.stdout.contains("the primary takes no writes"), "{frozen}");
    let fresh = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    fresh.simple_query("ALTER SYSTEM RESET default_transaction_read_only").await.unwrap();
    fresh.simple_query("SELECT pg_reload_conf()").await.unwrap();
    // The table is not there, or not ours.
    fresh.simple_query("SET default_transaction_read_only = off").await.unwrap();
    fresh.simple_query("REVOKE INSERT ON mrctl.heartbeat FROM mrctl").await.unwrap();
    until("writable", async || site.writable(Region::EuWest).await).await;
    let denied = one(&site);
    assert_eq!(denied.code, 1, "{denied}");
    assert!(denied.stdout.contains("permission denied for table heartbeat"), "{denied}");
    // Two primaries: not for a heartbeat to choose.
    let standby = site.lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
    standby.simple_query("SELECT pg_promote(true, 30)").await.unwrap();
    let both = one(&site);
    assert_eq!(both.code, 1, "{both}");
    assert!(both.stdout.contains("two primaries: eu-west and us-east take writes"), "{both}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_hangs_in_its_commit_is_a_writer_like_any_other_to_a_freeze() {
    let site = Site::up().await;
    let runbook = site.runbook(super::RUNBOOK);
    assert_eq!(site.mrctl(&["heartbeat", "--count", "1"]).code, 0);
    // Its row is held by somebody who is spared by the freeze, so that the next one waits, its transaction begun before the freeze.
    let holder = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE mrctl.heartbeat IN EXCLUSIVE MODE").await.unwrap();
    let mut hangs = site.command(&["heartbeat", "--count", "1"]);
    let mut hangs = hangs.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("a heartbeat hangs", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mrctl-heartbeat' AND wait_event_type = 'Lock'";
        let monitor = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
        monitor.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    // A lock on its own takes no transaction number, and is no write.
    let moved = site.failover(&runbook, Region::EuWest, Region::UsEast);
    assert_eq!(moved.code, 0, "{moved}");
    assert_eq!(moved.last("ended")["data_lost"], "nothing", "{moved}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(hangs.wait().unwrap().code(), Some(1), "it was ended, and is not acknowledged");
    let old = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    let newest: i64 = old.query_one("SELECT max(number) FROM mrctl.heartbeat", &[]).await.unwrap().get(0);
    assert_eq!(newest, 1, "nothing was committed behind the freeze");
    site.lab.down().await.unwrap();
}
