//! The lab itself: it comes up, tells the truth, fails over and back, and leaves nothing running.

mod inventory;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mrctl::lab::{
    DemoOptions, Fault, Lab, LabError, Load, LoadOptions, Options, Process, Region, Role, Standing, demo,
};

/// A folder below /tmp that the servers' account can pass through, unlike that of `tempfile`.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = tempfile::Builder::new().prefix("mrctl-lab-").tempdir().unwrap().keep();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711)).unwrap();
        Self(path)
    }

    pub fn path(&self) -> PathBuf {
        self.0.join("lab")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program under test: the one that was built with the tests, or another, such as a packaged one.
pub fn program() -> PathBuf {
    std::env::var_os("MRCTL_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_mrctl").into(), PathBuf::from)
}

/// A lab in a folder of its own, killed and deleted at the end of the test.
pub async fn lab() -> (Lab, Folder) {
    let folder = Folder::new();
    let options = Options::new(folder.path()).unwrap().program(program());
    (Lab::up(options).await.unwrap(), folder)
}

async fn promote(lab: &Lab, region: Region) {
    let session = lab.connect(region, Role::Mrctl).await.unwrap();
    session.batch_execute("SELECT pg_promote()").await.unwrap();
    assert!(matches!(lab.database(region).await, Standing::Primary { frozen: false, .. }));
}

/// Points the record at a region, on both servers, the way a run does.
pub async fn point_dns(lab: &Lab, region: Region) {
    use secrecy::ExposeSecret;
    let key = lab.secrets().read(mrctl::lab::Secret::DnsKey).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for server in Region::ALL {
        let url = format!("{}/api/v1/servers/localhost/zones/{}", lab.dns_api(server), mrctl::lab::ZONE);
        let body = serde_json::json!({ "rrsets": [{
            "name": mrctl::lab::RECORD, "type": "A", "ttl": 5, "changetype": "REPLACE",
            "records": [{ "content": region.address().to_string(), "disabled": false }],
        }]});
        let response =
            client.patch(url).header("X-API-Key", key.expose_secret()).json(&body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 204);
    }
}

fn running(lab: &Lab) -> Vec<Process> {
    let state = mrctl::lab::State::read(lab.layout()).unwrap();
    state.processes.into_values().filter(Process::alive).flat_map(|process| process.tree()).collect()
}

pub async fn until(what: &str, look: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !look().await {
        assert!(start.elapsed() < Duration::from_secs(60), "gave up waiting until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Holds up the replay of a standby, and waits until it is so: until the startup process has seen it, the pause is only requested.
pub async fn pause_replay(lab: &Lab, standby: Region) {
    let session = lab.connect(standby, Role::Superuser).await.unwrap();
    session.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    until("replay is paused", async || {
        let state = session.query_one("SELECT pg_get_wal_replay_pause_state()", &[]).await.unwrap();
        state.get::<_, String>(0) == "paused"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_comes_up_whole_and_goes_down_without_a_trace() {
    let (lab, folder) = lab().await;
    let status = lab.status().await.unwrap();
    assert!(status.processes.iter().all(|(_, running)| running.is_up()), "{status}");
    assert_eq!(status.processes.len(), 9);
    assert_eq!(status.databases[0].1, Standing::Primary { frozen: false, timeline: 1 });
    assert_eq!(status.databases[1].1, Standing::Standby { streaming: true });
    for (_, answer) in &status.dns {
        assert_eq!(answer.as_deref(), Ok([Region::EuWest.address()].as_slice()));
    }
    let all = running(&lab);
    assert!(all.len() > 9, "servers with children: {all:?}");
    lab.down().await.unwrap();
    assert!(all.iter().all(|process| !process.alive()));
    let left = |name: &str| folder.path().join(name).exists();
    assert!(left("logs") && !left("data") && !left("secrets") && !left("lab.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_value_kills_and_a_second_up_cleans_what_is_half_dead() {
    let (lab, folder) = lab().await;
    let all = running(&lab);
    // Also when the folder was deleted first, as in a test that ends badly.
    std::fs::rename(folder.path(), folder.path().with_extension("gone")).unwrap();
    drop(lab);
    std::fs::rename(folder.path().with_extension("gone"), folder.path()).unwrap();
    until("everything is dead", async || all.iter().all(|process| !process.alive())).await;
    let options = Options::new(folder.path()).unwrap().program(program());
    let again = Lab::up(options.clone()).await.unwrap();
    assert!(again.status().await.unwrap().processes.iter().all(|(_, running)| running.is_up()));
    // A third one must not touch a lab that is whole.
    match Lab::up(options).await {
        Err(LabError::Refused(reason)) => assert!(reason.contains("is up"), "{reason}"),
        other => panic!("expected a refusal, not {:?}", other.err()),
    }
    again.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_other_things_in_it_is_refused() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/thesis.txt"), "mine").unwrap();
    let refused = Lab::up(Options::new(folder.path()).unwrap()).await.err().unwrap();
    assert!(refused.to_string().contains("not empty"), "{refused}");
    assert!(folder.path().join("data/thesis.txt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_mrctl_can_do_its_work_and_no_more() {
    let (lab, _folder) = lab().await;
    let session = lab.connect(Region::EuWest, Role::Mrctl).await.unwrap();
    for allowed in [
        "ALTER SYSTEM SET default_transaction_read_only = 'off'",
        "ALTER SYSTEM RESET default_transaction_read_only",
        "ALTER SYSTEM RESET synchronous_standby_names",
        "SELECT pg_reload_conf()",
        "CHECKPOINT",
        "SELECT pg_logical_emit_message(true, 'mrctl', 'barrier')",
        "SELECT replay_lsn FROM pg_stat_replication",
        "INSERT INTO mrctl.probe VALUES ('test', clock_timestamp())",
    ] {
        session.batch_execute(allowed).await.unwrap_or_else(|error| panic!("{allowed}: {error:?}"));
    }
    for denied in ["ALTER SYSTEM SET work_mem = '1GB'", "SELECT * FROM orders", "CREATE ROLE other"] {
        assert!(session.batch_execute(denied).await.is_err(), "{denied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn load_counts_what_it_was_told_and_finds_it_again() {
    let (lab, _folder) = lab().await;
    let load = Load::start(&lab, &LoadOptions { long_writers: 2, ..LoadOptions::default() }).unwrap();
    load.wait_for(200, Duration::from_secs(60)).await.unwrap();
    long_transaction_in_flight(&lab).await;
    let report = load.stop().await.unwrap();
    assert!(report.acknowledged >= 200 && report.acknowledged_long >= 2, "{report}");
    assert_eq!(report.lost, Vec::<String>::new());
    assert_eq!(report.errors.len(), 0, "{report}");
    assert!(report.longest_gap_ms > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_order_that_is_gone_is_reported_as_lost() {
    let (lab, _folder) = lab().await;
    let load = Load::start(&lab, &LoadOptions::default()).unwrap();
    load.wait_for(50, Duration::from_secs(30)).await.unwrap();
    let session = lab.connect(Region::EuWest, Role::App).await.unwrap();
    let gone = "DELETE FROM orders WHERE id = (SELECT min(id) FROM orders) RETURNING id";
    let id: String = session.query_one(gone, &[]).await.unwrap().get(0);
    let report = load.stop().await.unwrap();
    assert_eq!(report.lost, vec![id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_follow_a_failover_there_and_back_and_the_old_primary_rejoins() {
    let (lab, _folder) = lab().await;
    let load = Load::start(&lab, &LoadOptions::default()).unwrap();
    load.wait_for(100, Duration::from_secs(30)).await.unwrap();
    for (from, to, timeline) in [(Region::EuWest, Region::UsEast, 2), (Region::UsEast, Region::EuWest, 3)] {
        lab.stop_postgres(from).await.unwrap();
        promote(&lab, to).await;
        point_dns(&lab, to).await;
        load.wait_for(100, Duration::from_secs(30)).await.unwrap();
        assert_eq!(lab.rejoin().await.unwrap(), from);
        assert_eq!(lab.database(to).await, Standing::Primary { frozen: false, timeline });
        assert_eq!(lab.database(from).await, Standing::Standby { streaming: true });
    }
    let report = load.stop().await.unwrap();
    assert_eq!(report.lost, Vec::<String>::new(), "{report}");
    assert_eq!(report.primary, Region::EuWest);
    assert_eq!(report.by_region.len(), 2);
    assert!(!report.errors.is_empty() && report.longest_gap_ms > 100, "{report}");
}

/// Waits until a writer of the load holds a transaction open that has written.
async fn long_transaction_in_flight(lab: &Lab) {
    until("a long transaction is in flight", async || {
        let session = lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
        let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'load' AND backend_xid IS NOT NULL";
        session.query_one(query, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_careless_failover_loses_acknowledged_orders_and_the_report_says_so() {
    let (lab, _folder) = lab().await;
    // Long enough that the careless script is through before they commit, also on a busy machine.
    let load = Load::start(
        &lab,
        &LoadOptions { long_writers: 3, hold: Duration::from_secs(6), ..LoadOptions::default() },
    )
    .unwrap();
    load.wait_for(50, Duration::from_secs(30)).await.unwrap();
    long_transaction_in_flight(&lab).await;
    // What many scripts do: read-only, then promote, without ending the transactions that are open.
    let session = lab.connect(Region::EuWest, Role::Mrctl).await.unwrap();
    session.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    session.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    promote(&lab, Region::UsEast).await;
    point_dns(&lab, Region::UsEast).await;
    load.wait_for(50, Duration::from_secs(30)).await.unwrap();
    let report = load.stop().await.unwrap();
    assert_eq!(report.primary, Region::UsEast);
    assert!(!report.lost.is_empty(), "{report}");
    assert!(report.to_string().contains("eu-west: read_only"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_tells_what_users_noticed_and_cleans_up() {
    let folder = Folder::new();
    let options = DemoOptions {
        lab: Options::new(folder.path()).unwrap().program(program()),
        load: LoadOptions::default(),
        keep: false,
    };
    let mut out = Vec::new();
    let (processes, report) = demo(options, &mut out, async |lab| {
        lab.stop_postgres(Region::EuWest).await.unwrap();
        promote(lab, Region::UsEast).await;
        point_dns(lab, Region::UsEast).await;
        running(lab)
    })
    .await
    .unwrap();
    assert_eq!(report.lost, Vec::<String>::new());
    assert_eq!(report.primary, Region::UsEast);
    assert!(report.by_region[&Region::UsEast] > 0);
    assert!(!processes.is_empty() && processes.iter().all(|process| !process.alive()));
    let text = String::from_utf8(out).unwrap();
    for line in ["up in ", "acknowledged, lost    0", "longest write gap", "audit trail", "the lab is down"] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diverged_primary_with_many_new_rows_and_a_leftover_freeze_is_rewound() {
    let (lab, _folder) = lab().await;
    promote(&lab, Region::UsEast).await;
    for region in Region::ALL {
        let session = lab.connect(region, Role::App).await.unwrap();
        let rows = "INSERT INTO orders SELECT 'fork-' || n, 1, n FROM generate_series(1, 50000) n";
        session.batch_execute(rows).await.unwrap();
    }
    let session = lab.connect(Region::EuWest, Role::Mrctl).await.unwrap();
    session.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    drop(session);
    assert_eq!(lab.rejoin().await.unwrap(), Region::EuWest);
    // Back again: the freeze is gone, and nobody kept an old slot.
    lab.stop_postgres(Region::UsEast).await.unwrap();
    promote(&lab, Region::EuWest).await;
    assert_eq!(lab.rejoin().await.unwrap(), Region::UsEast);
    let session = lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
    let slots: i64 =
        session.query_one("SELECT count(*) FROM pg_replication_slots", &[]).await.unwrap().get(0);
    assert_eq!(slots, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_seen_and_healed() {
    let (lab, _folder) = lab().await;
    let lag = async |lab: &Lab| -> bool {
        let session = lab.connect(Region::EuWest, Role::App).await.unwrap();
        let id = format!("lag-{:?}", Instant::now());
        session.execute("INSERT INTO orders VALUES ($1, 1, 1)", &[&id]).await.unwrap();
        let start = Instant::now();
        let standby = lab.connect(Region::UsEast, Role::App).await.unwrap();
        while start.elapsed() < Duration::from_millis(700) {
            if standby.query_opt("SELECT 1 FROM orders WHERE id = $1", &[&id]).await.unwrap().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    };
    for fault in [Fault::Replay, Fault::Receiver, Fault::Startup] {
        lab.inflict(fault).await.unwrap();
        assert!(lag(&lab).await, "{fault:?}");
        lab.heal(fault).await.unwrap();
        until("the standby is current again", async || !lag(&lab).await).await;
    }
    lab.inflict(Fault::FreezePrimary).await.unwrap();
    assert!(matches!(lab.database(Region::EuWest).await, Standing::Unknown(_)));
    lab.heal(Fault::FreezePrimary).await.unwrap();
    assert!(matches!(lab.database(Region::EuWest).await, Standing::Primary { .. }));
    lab.inflict(Fault::Primary).await.unwrap();
    assert!(matches!(lab.database(Region::EuWest).await, Standing::Unknown(_)));
    lab.heal(Fault::Primary).await.unwrap();
    assert!(matches!(lab.database(Region::EuWest).await, Standing::Primary { .. }));
    for (fault, name) in [
        (Fault::Dns(Region::UsEast), "pdns us-east"),
        (Fault::Redis(Region::EuWest), "redis eu-west"),
        (Fault::App(Region::EuWest), "app eu-west"),
    ] {
        lab.inflict(fault).await.unwrap();
        assert!(!lab.process(name).unwrap().unwrap().alive());
        lab.heal(fault).await.unwrap();
        assert!(lab.process(name).unwrap().unwrap().alive());
    }
}
