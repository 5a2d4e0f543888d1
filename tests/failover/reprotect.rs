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

    fn last_run(&self) -> String {
        let journal = self.journals().pop().unwrap();
        journal.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Goes back from a run, unattended: looked at first, for the digest.
    fn failed_back(&self, run: &str) -> Ended {
        let command = [
            "failback",
            run,
            "--output",
            "json",
            "--reason",
            "the exercise is over",
            "--in-spite-of",
            "turning-around:orders",
        ];
        let looked = self.mrctl(&[&command, ["--dry-run"].as_slice()].concat());
        assert_eq!(looked.code, 0, "{looked}");
        let seen = looked.last("dry_run");
        assert!(seen["needs_reason"][0].as_str().unwrap().contains("MR0612"), "{looked}");
        assert_eq!(seen["needs_named"][0], "--in-spite-of turning-around:orders", "{looked}");
        let digest = seen["digest"].as_str().unwrap().to_string();
        let given = ["--yes", "--approve", "step:promote", "--plan-digest", &digest];
        self.mrctl(&[&command, given.as_slice()].concat())
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
    // What only comes about by its first effects is no obstacle to it.
    let looked = site.run(&[site.reprotecting(eu, us), vec!["--dry-run".into()]].concat());
    assert_eq!(looked.code, 0, "{looked}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_second_primary_is_not_ended_and_nobody_goes_back_to_what_is_no_standby() {
    let site = Site::up().await;
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let runbook = site.moved_by();
    let moved = site.failover(&runbook, eu, us);
    assert_eq!(moved.code, 0, "{moved}");
    let run = site.last_run();
    // To a server that has nothing of what was written since: whatever the reason.
    let back = site.mrctl(&["failback", &run, "--reason", "in a hurry", "--yes"]);
    assert_eq!(back.code, 5, "{back}");
    assert!(back.stderr.contains("MR0613") && back.stderr.contains("a primary itself"), "{back}");
    // Somebody takes the freeze away: two histories.
    let old = site.lab.connect(eu, Role::Superuser).await.unwrap();
    old.simple_query("ALTER SYSTEM RESET default_transaction_read_only").await.unwrap();
    old.simple_query("SELECT pg_reload_conf()").await.unwrap();
    until("the old one takes writes", async || site.writable(eu).await).await;
    let looked = site.run(&[site.reprotecting(eu, us), vec!["--dry-run".into()]].concat());
    assert_eq!(looked.code, 10, "{looked}");
    let refused = site.run(&site.reprotecting(eu, us));
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stdout.contains("divergence: orders in eu-west is a second primary"), "{refused}");
    assert_eq!(site.one(us, "SELECT count(*) FROM pg_replication_slots").await, 0, "something was begun");
    assert!(site.writable(eu).await, "it was ended");
    // In the wrong direction nobody was promoted.
    site.lab.rejoin_to(us).await.unwrap();
    let wrong = site.run(&site.reprotecting(us, eu));
    assert_eq!(wrong.code, 5, "{wrong}");
    assert!(wrong.stdout.contains("nobody was promoted there"), "{wrong}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_old_primary_rejoins_a_resume_ends_the_same_and_nothing_is_made_twice() {
    let site = Site::up().await;
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let moved = site.failover(&site.moved_by(), eu, us);
    assert_eq!(moved.code, 0, "{moved}");
    // As soon as the old one's files are being rewound: the command outlives whoever started it.
    let rewinding = site.lab.folder().join("rewinding-eu-west");
    let arguments = site.reprotecting(eu, us);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(killed_when(&site, &arguments, |_| rewinding.exists()), "the run ended before");
    let resumed = site.mrctl(&["resume", "--output", "json", "--yes"]);
    assert_eq!(resumed.code, 0, "{resumed}");
    assert!(site.streams(eu).await && site.writable(us).await && !site.writable(eu).await);
    assert_eq!(site.one(us, "SELECT count(*) FROM pg_replication_slots").await, 1);
    assert_eq!(site.intents("rejoin"), 1, "{resumed}");
    assert!(!rewinding.exists(), "{resumed}");
    // A standby that was killed is only started; to rewind it would end in an error.
    site.lab.kill_postgres(eu).await.unwrap();
    let again = site.run(&site.reprotecting(eu, us));
    assert_eq!(again.code, 0, "{again}");
    assert!(site.streams(eu).await);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failback_is_the_same_runbook_the_other_way_with_a_reason_and_only_of_a_completed_run() {
    let site = Site::up().await;
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let runbook = site.moved_by();
    let moved = site.failover(&runbook, eu, us);
    assert_eq!(moved.code, 0, "{moved}");
    let run = site.last_run();
    let ended = site.run(&site.reprotecting(eu, us));
    assert_eq!(ended.code, 0, "{ended}");
    let soon = site.mrctl(&["failback", &run, "--yes"]);
    assert_eq!(soon.code, 5, "{soon}");
    assert!(soon.stderr.contains("MR0612"), "{soon}");
    let again = "--reason 'why it cannot wait' --in-spite-of turning-around:orders";
    assert!(soon.stderr.contains(again), "{soon}");
    // A reason that names nothing outweighs nothing, and a name without a reason neither.
    for given in [["--reason", "in a hurry"], ["--in-spite-of", "turning-around:orders"]] {
        let refused = site.mrctl(&[["failback", &run, "--yes"].as_slice(), given.as_slice()].concat());
        assert_eq!(refused.code, 5, "{refused}");
        assert!(refused.stderr.contains("MR0612"), "{refused}");
    }
    std::fs::write(&runbook, FAILOVER.replace("rto: 5m", "rto: 6m")).unwrap();
    let changed = site.mrctl(&["failback", &run, "--yes"]);
    assert_eq!(changed.code, 5, "{changed}");
    assert!(changed.stderr.contains("MR0615") && changed.stderr.contains("SHA-256"), "{changed}");
    std::fs::write(&runbook, FAILOVER).unwrap();
    let refused = site.mrctl(&["failback", "no-such-run", "--yes"]);
    assert_eq!(refused.code, 2, "{refused}");
    let back = site.failed_back(&run);
    assert_eq!(back.code, 0, "{back}");
    assert!(back.stderr.contains("--from us-east --to eu-west"), "{back}");
    assert!(site.journal_of_last().contains("the exercise is over (in spite of MR0612"), "{back}");
    assert!(site.writable(eu).await && !site.writable(us).await);
    // The one that was left is no standby yet.
    let unprotected = site.mrctl(&[
        "failover",
        "--yes",
        "--runbook",
        &runbook.display().to_string(),
        "--from",
        "eu-west",
        "--to",
        "us-east",
    ]);
    assert_eq!(unprotected.code, 5, "{unprotected}");
    assert!(unprotected.stderr.contains("MR0611"), "{unprotected}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_primary_died_its_server_comes_back_as_a_standby_and_the_way_back_loses_nothing() {
    let site = Site::up().await;
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let runbook = site.moved_by().display().to_string();
    let first = Load::start(&site.lab, &load()).unwrap();
    first.wait_for(60, Duration::from_secs(30)).await.unwrap();
    site.lab.kill_postgres(eu).await.unwrap();
    let moved = site.press(&runbook);
    assert_eq!(moved.code, 0, "{moved}");
    let run = site.last_run();
    first.wait_for(30, Duration::from_secs(30)).await.unwrap();
    drop(first.stop().await.unwrap());
    let watch = Watch::start(&site);
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    // What only comes about by its first effects is no obstacle to it.
    let looked = site.run(&[site.reprotecting(eu, us), vec!["--dry-run".into()]].concat());
    assert_eq!(looked.code, 0, "{looked}");
    let ended = site.run(&site.reprotecting(eu, us));
    assert_eq!(ended.code, 0, "{ended}");
    assert!(site.streams(eu).await);
    let back = site.failed_back(&run);
    assert_eq!(back.code, 0, "{back}");
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    assert!(report.lost.is_empty() && report.primary == eu, "{report}");
    watch.stop().await;
    site.lab.down().await.unwrap();
}

/// Four in an ordinary run; ten with `MRCTL_TEST_REJOINS=10`, as at night.
#[tokio::test(flavor = "multi_thread")]
async fn failovers_back_and_forth_with_a_real_rejoin_lose_nothing_and_never_have_two_primaries() {
    let site = Site::up().await;
    let rounds =
        std::env::var_os("MRCTL_TEST_REJOINS").and_then(|n| n.to_str()?.parse().ok()).unwrap_or(4_usize);
    let runbook = site.moved_by();
    let watch = Watch::start(&site);
    let (mut from, mut to) = (Region::EuWest, Region::UsEast);
    let load = Load::start(&site.lab, &load()).unwrap();
    for round in 0..rounds {
        load.wait_for(30, Duration::from_secs(30)).await.unwrap();
        let moved = site.failover(&runbook, from, to);
        assert_eq!(moved.code, 0, "round {round}: {moved}");
        load.wait_for(30, Duration::from_secs(30)).await.unwrap();
        let ended = site.run(&site.reprotecting(from, to));
        assert_eq!(ended.code, 0, "round {round}: {ended}");
        assert!(site.streams(from).await && site.writable(to).await, "round {round}");
        assert_eq!(site.one(to, "SELECT count(*) FROM pg_replication_slots").await, 1, "round {round}");
        assert_eq!(site.one(from, "SELECT count(*) FROM pg_replication_slots").await, 0, "round {round}");
        (from, to) = (to, from);
    }
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    assert!(report.lost.is_empty(), "{report}");
    watch.stop().await;
    site.lab.down().await.unwrap();
}

/// Looks at both databases every 10 ms, from outside, over connections of its own.
struct Watch {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    task: tokio::task::JoinHandle<([Eye; 2], usize)>,
}

impl Watch {
    fn start(site: &Site) -> Self {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (stopped, folder) = (std::sync::Arc::clone(&stop), site.lab.folder().to_path_buf());
        let task = tokio::spawn(async move {
            let lab = mrctl::lab::Lab::open(&folder).unwrap();
            let mut eyes = [Eye::of(Region::EuWest), Eye::of(Region::UsEast)];
            let mut sightings = 0;
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                let [eu, us] = &mut eyes;
                // Writable before and after the other was seen writable: both at that moment.
                let before = eu.writable(&lab).await;
                let other = us.writable(&lab).await;
                sightings += usize::from(before && other && eu.writable(&lab).await);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (eyes, sightings)
        });
        Self { stop, task }
    }

    /// Both have to have been seen, and each of them writable at some time: who sees nothing proves nothing.
    async fn stop(self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let (eyes, sightings) = self.task.await.unwrap();
        for Eye { region, answers, writable, .. } in &eyes {
            assert!(
                *answers >= 20 && *writable >= 10,
                "{region}: {answers} answers, {writable} times writable"
            );
        }
        assert_eq!(sightings, 0, "two writable primaries");
    }
}

/// One database, over a connection that is kept while it works.
struct Eye {
    region: Region,
    session: Option<mrctl::lab::Session>,
    /// How often it answered.
    answers: usize,
    /// How often it was writable.
    writable: usize,
}

impl Eye {
    fn of(region: Region) -> Self {
        Self { region, session: None, answers: 0, writable: 0 }
    }

    /// Whether a new transaction could write there now, as the server says.
    async fn writable(&mut self, lab: &mrctl::lab::Lab) -> bool {
        if self.session.is_none() {
            self.session = lab.connect(self.region, Role::Monitoring).await.ok();
        }
        let Some(session) = &self.session else { return false };
        let asked = session.query_one(
            "SELECT NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::boolean",
            &[],
        );
        match tokio::time::timeout(Duration::from_secs(2), asked).await {
            Ok(Ok(row)) => {
                let writable: bool = row.get(0);
                self.answers += 1;
                self.writable += usize::from(writable);
                writable
            }
            Ok(Err(_)) | Err(_) => {
                self.session = None;
                false
            }
        }
    }
}
