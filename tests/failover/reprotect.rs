//! After a failover: the old primary becomes a standby of the new one, and until then the databases themselves say UNPROTECTED.

use super::killed::killed_when;
use super::{Ended, Site, load};
use crate::lab::until;
use mrctl::lab::{Load, Region, Role};
use std::path::PathBuf;
use std::time::Duration;

const FAILOVER: &str = include_str!("../../runbooks/postgres-failover.yaml");
const REPROTECT: &str = include_str!("../../runbooks/postgres-reprotect.yaml");

impl Site {
    /// The runbooks beside the inventory, where a failback finds them.
    pub(super) fn moved_by(&self) -> PathBuf {
        self.beside("postgres-failover.yaml", FAILOVER)
    }

    fn beside(&self, name: &str, text: &str) -> PathBuf {
        let path = self.lab.folder().join("runbooks").join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command that makes the old primary a standby again, unattended.
    pub(super) fn reprotecting(&self, from: Region, to: Region) -> Vec<String> {
        let runbook = self.beside("postgres-reprotect.yaml", REPROTECT).display().to_string();
        ["failover", "--output", "json", "--yes", "--runbook", &runbook]
            .iter()
            .map(ToString::to_string)
            .chain(["--from".into(), from.to_string(), "--to".into(), to.to_string()])
            .collect()
    }

    pub(super) fn run(&self, arguments: &[String]) -> Ended {
        self.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Who is in recovery and streams, as it says itself.
    pub(super) async fn streams(&self, region: Region) -> bool {
        let session = self.lab.connect(region, Role::Superuser).await.unwrap();
        let rows = session
            .query(
                "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming' AND pg_is_in_recovery()",
                &[],
            )
            .await;
        !rows.unwrap().is_empty()
    }

    fn journal_of_last(&self) -> String {
        self.journals().last().map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default()
    }

    /// How often the last run intended an effect.
    fn intents(&self, effect: &str) -> usize {
        let effect = format!("\"effect\":\"{effect}\"");
        let journal = self.journal_of_last();
        journal.lines().filter(|line| line.contains("\"type\":\"intent\"") && line.contains(&effect)).count()
    }

    pub(super) async fn one(&self, region: Region, sql: &str) -> i64 {
        let session = self.lab.connect(region, Role::Superuser).await.unwrap();
        session.query_one(sql, &[]).await.unwrap().get(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_planned_move_the_old_primary_comes_back_as_a_standby_and_asking_twice_changes_nothing() {
    let site = Site::up().await;
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let moved = site.failover(&site.moved_by(), eu, us);
    assert_eq!(moved.code, 0, "{moved}");
    let status = site.mrctl(&["status"]).stdout;
    assert!(status.contains("UNPROTECTED"), "{status}");
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let ended = site.run(&site.reprotecting(eu, us));
    assert_eq!(ended.code, 0, "{ended}");
    let world = ended.last("ended")["world"].as_str().unwrap().to_string();
    assert!(world.starts_with("writes: us-east · old primary: standby"), "{world}");
    assert!(site.streams(eu).await && site.writable(us).await && !site.writable(eu).await);
    assert_eq!(site.one(us, "SELECT count(*) FROM pg_replication_slots WHERE active").await, 1);
    assert_eq!(site.one(us, "SELECT count(*) FROM pg_replication_slots").await, 1);
    assert_eq!(site.one(eu, "SELECT count(*) FROM pg_replication_slots").await, 0);
    assert_eq!(site.one(us, "SELECT timeline_id::bigint FROM pg_control_checkpoint()").await, 2);
    let frozen =
        "SELECT count(*) FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on'";
    assert_eq!(site.one(eu, frozen).await, 0);
    let status = site.mrctl(&["status"]).stdout;
    assert!(!status.contains("UNPROTECTED") && !status.contains("SPLIT"), "{status}");
    let started = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint";
    let before = site.one(eu, started).await;
    let again = site.run(&site.reprotecting(eu, us));
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(site.intents("rejoin"), 0, "it was done again");
    assert_eq!(site.one(eu, started).await, before, "it was started again");
    let report = load.stop().await.unwrap();
    assert!(report.lost.is_empty(), "{report}");
    site.lab.down().await.unwrap();
}
