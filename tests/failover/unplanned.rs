//! The worst night, on real servers: the source is gone, or only out of sight.

use super::killed::killed_when;
use super::{Ended, Site, load};
use crate::lab::until;
use mrctl::lab::{Fault, Load, Region, Role};
use std::path::Path;
use std::time::Duration;

pub(super) const RUNBOOK: &str = include_str!("../../runbooks/postgres-failover.yaml");

impl Site {
    /// Arguments of an unplanned command from eu-west to us-east.
    fn unplanned<'a>(&self, command: &[&'a str], runbook: &'a str) -> Vec<&'a str> {
        let direction = ["--mode", "unplanned", "--from", "eu-west", "--to", "us-east", "--runbook", runbook];
        [command, &direction, &["--output", "json"]].concat()
    }

    /// The digest of the unplanned plan.
    pub(super) fn looked(&self, runbook: &str) -> String {
        let looked = self.mrctl(&self.unplanned(&["drill", "--dry-run"], runbook));
        looked.last("dry_run")["digest"].as_str().unwrap().to_string()
    }

    /// The button, with every approval given.
    pub(super) fn button<'a>(&self, runbook: &'a str, digest: &'a str) -> Vec<&'a str> {
        let given = [
            "failover",
            "--yes",
            "--approve",
            "step:promote",
            "--approve",
            "loss:promote",
            "--plan-digest",
            digest,
        ];
        self.unplanned(
            &[&given, ["--reason", "the power went out", "--since", "5m"].as_slice()].concat(),
            runbook,
        )
    }

    pub(super) fn press(&self, runbook: &str) -> Ended {
        self.mrctl(&self.button(runbook, &self.looked(runbook)))
    }

    /// The standby's upstream is cut off; what is on its way in a buffer of a stopped receiver would still arrive.
    pub(super) async fn cut_off(&self) {
        let standby = self.lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
        standby.simple_query("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
        standby.simple_query("SELECT pg_reload_conf()").await.unwrap();
        until("nothing is received", async || {
            standby.query("SELECT 1 FROM pg_stat_wal_receiver", &[]).await.unwrap().is_empty()
        })
        .await;
    }

    fn journal(&self) -> String {
        self.journals().last().map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_primary_dies_it_is_fenced_and_the_standby_takes_over_with_what_it_has() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let text = [
        "drill",
        "--dry-run",
        "--mode",
        "unplanned",
        "--from",
        "eu-west",
        "--to",
        "us-east",
        "--runbook",
        &runbook,
    ];
    let plan = site.mrctl(&text).stdout;
    assert!(plan.contains("skipped: the source does not answer") && plan.contains("else pause"), "{plan}");
    assert!(!plan.contains("roll back"), "{plan}");
    // A planned one is refused, and says what there is.
    let planned = site.approved_as("0", Path::new(&runbook), Region::EuWest, Region::UsEast);
    let digest_now = site.mrctl(&[
        "drill",
        "--dry-run",
        "--output",
        "json",
        "--from",
        "eu-west",
        "--to",
        "us-east",
        "--runbook",
        &runbook,
    ]);
    let digest_now = digest_now.last("dry_run")["digest"].as_str().unwrap().to_string();
    let planned: Vec<&str> =
        planned.iter().map(|argument| if argument == "0" { digest_now.as_str() } else { argument }).collect();
    let planned = site.mrctl(&planned);
    assert_eq!(planned.code, 5, "{planned}");
    assert!(planned.stderr.contains("--mode unplanned --from eu-west --to us-east"), "{planned}");
    let begun = site.journals().len();
    // What is lost is accepted by name, or nothing is changed.
    let digest = site.looked(&runbook);
    let mut silent = site.button(&runbook, &digest);
    silent.retain(|argument| *argument != "loss:promote");
    let at = silent.iter().rposition(|argument| *argument == "--approve").unwrap();
    silent.remove(at);
    let refused = site.mrctl(&silent);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stderr.contains("--approve loss:promote"), "{refused}");
    assert_eq!(site.journals().len(), begun);
    let ended = site.press(&runbook);
    assert_eq!(ended.code, 0, "{ended}");
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    assert_eq!(report.primary, Region::UsEast);
    assert!(site.writable(Region::UsEast).await && !site.writable(Region::EuWest).await);
    let journal = site.journal();
    assert!(journal.contains("\"by\":\"loss_accepted\""), "{journal}");
    assert!(journal.contains("\"reason\":\"the power went out\""), "{journal}");
    let world = ended.last("ended")["world"].as_str().unwrap().to_string();
    assert!(world.starts_with("writes: us-east · old primary: fenced · traffic: 100% us-east"), "{world}");
    // Five minutes passed before anybody pressed the button; each moment has the record that proves it.
    let last = ended.last("ended");
    let moments = last["moments"].as_array().unwrap();
    let names: Vec<&str> = moments.iter().map(|moment| moment["name"].as_str().unwrap()).collect();
    let wanted = [
        "begun",
        "writes_stopped",
        "decided",
        "promoted",
        "first_write",
        "traffic_moved",
        "service_restored",
    ];
    assert_eq!(names, wanted, "{last}");
    assert!(moments.iter().all(|moment| moment["after_ms"].as_i64().unwrap() >= 300_000), "{last}");
    assert_eq!(last["service_restored_ms"], moments[6]["after_ms"], "{last}");
    let promoted = moments[3]["record"].as_u64().unwrap();
    let line = journal.lines().find(|line| line.contains(&format!("\"seq\":{promoted},"))).unwrap();
    assert!(line.contains("\"step\":\"promote\"") && line.contains("\"standing\":\"reached\""), "{line}");
    // Whoever starts it again is told by the databases themselves.
    site.lab.start_postgres(Region::EuWest).await.unwrap();
    let status = site.mrctl(&["status"]).stdout;
    assert!(status.contains("SPLIT BRAIN"), "{status}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_standby_never_received_is_lost_and_said_to_be_unknown() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    site.cut_off().await;
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let ended = site.press(&runbook);
    assert_eq!(ended.code, 0, "{ended}");
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    assert!(!report.lost.is_empty(), "{report}");
    assert!(site.journal().contains("is lost, how much is unknown"), "{ended}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_somebody_still_sees_is_neither_fenced_nor_replaced() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let looked = site.mrctl(&site.unplanned(&["drill", "--dry-run"], &runbook));
    assert_eq!(looked.code, 10, "{looked}");
    assert!(looked.stdout.contains("lives"), "{looked}");
    let alive = site.press(&runbook);
    assert_eq!(alive.code, 5, "{alive}");
    assert!(alive.stdout.contains("lives"), "{alive}");
    // Out of our sight alone: the standby still hears from it.
    let inventory = site.lab.inventory();
    let text = std::fs::read_to_string(&inventory).unwrap();
    let port = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    let port: String = port.query_one("SHOW port", &[]).await.unwrap().get(0);
    let (before, after) = text.split_once(&format!("port: {port}\n")).unwrap();
    std::fs::write(&inventory, format!("{before}port: 1\n{after}")).unwrap();
    let unseen = site.press(&runbook);
    assert_eq!(unseen.code, 5, "{unseen}");
    assert!(unseen.stdout.contains("us-east heard from it"), "{unseen}");
    assert!(site.writable(Region::EuWest).await && !site.writable(Region::UsEast).await);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unplanned_failover_names_its_direction_and_its_reason() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    for (arguments, word) in [
        (&["--to", "us-east", "--reason", "gone"][..], "--from and --to"),
        (&["--from", "eu-west", "--to", "us-east"][..], "--reason"),
        (&["--from", "eu-west", "--to", "us-east", "--fenced", "orders/eu-west"][..], "--reason"),
        (
            &["--from", "eu-west", "--to", "us-east", "--reason", "gone", "--fenced", "orders/us-east"][..],
            "only the old primary can be: orders/eu-west",
        ),
    ] {
        let common = ["failover", "--mode", "unplanned", "--runbook", &runbook];
        let ended = site.mrctl(&[&common, arguments].concat());
        assert_eq!(ended.code, 2, "{ended}");
        assert!(ended.stderr.contains(word), "{ended}");
    }
    assert!(site.journals().is_empty());
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hangs_is_killed_by_the_second_command_of_the_ladder() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    site.cut_off().await;
    site.lab.inflict(Fault::FreezePrimary).await.unwrap();
    let ended = site.press(&runbook);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(site.journal().contains("1 of 2 commands"), "{ended}");
    assert!(ended.last("ended")["world"].as_str().unwrap().contains("old primary: fenced"), "{ended}");
    assert!(site.lab.connect(Region::EuWest, Role::App).await.is_err(), "it runs");
    assert!(site.writable(Region::UsEast).await);
    site.lab.down().await.unwrap();
}

/// Killed as soon as it intends a step, and resumed.
async fn killed_at(site: &Site, runbook: &str, at: &str) {
    let digest = site.looked(runbook);
    let step = format!("\"step\":\"{at}\"");
    let intended = |journal: &str| {
        journal.lines().any(|line| line.contains("\"type\":\"intent\"") && line.contains(&step))
    };
    assert!(killed_when(site, &site.button(runbook, &digest), intended), "the run ended before");
    let given = ["--yes", "--approve", "step:promote", "--approve", "loss:promote", "--plan-digest", &digest];
    let resumed = site.mrctl(&[&["resume", "--output", "json"], given.as_slice()].concat());
    assert_eq!(resumed.code, 0, "{resumed}");
    assert!(site.writable(Region::UsEast).await && !site.writable(Region::EuWest).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_the_promotion_whoever_resumes_comes_to_the_same_end() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    killed_at(&site, &runbook, "promote").await;
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_the_fence_whoever_resumes_comes_to_the_same_end() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    // So that there is something to be done by the fence.
    site.cut_off().await;
    site.lab.inflict(Fault::FreezePrimary).await.unwrap();
    killed_at(&site, &runbook, "fence").await;
    site.lab.down().await.unwrap();
}
