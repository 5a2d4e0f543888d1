//! `mrctl rehearse --from-live` on real servers: what is odd there is told, what is not there is told, and nothing is changed.

use crate::lab::{Folder, lab, program};
use mrctl::lab::{Lab, Region, Role, Secret};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RUNBOOK: &str = include_str!("../runbooks/postgres-planned-failover.yaml");

/// A lab with a runbook beside it.
struct Place {
    lab: Lab,
    folder: Folder,
}

impl Place {
    async fn up() -> Self {
        let (lab, folder) = lab().await;
        std::fs::write(folder.path().join("runbook.yaml"), RUNBOOK).unwrap();
        Self { lab, folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state-of-tests")
    }

    fn rehearse(&self, arguments: &[&str]) -> Output {
        let mut command = mrctl(&self.folder.path().join("runbook.yaml"), &self.lab.inventory());
        command.arg("--state-dir").arg(self.state()).args(arguments).output().unwrap()
    }

    async fn ask(&self, region: Region, query: &str) -> String {
        let session = self.lab.connect(region, Role::Superuser).await.unwrap();
        session.query_one(query, &[]).await.unwrap().get(0)
    }

    async fn order(&self, region: Region, statements: &[&str]) {
        let session = self.lab.connect(region, Role::Superuser).await.unwrap();
        for statement in statements {
            session.batch_execute(statement).await.unwrap();
        }
    }

    /// What a look must leave as it is.
    async fn fingerprint(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for region in Region::ALL {
            for query in [
                "SELECT md5(string_agg(name || setting, ',' ORDER BY name)) FROM pg_settings WHERE name NOT LIKE 'ssl%'",
                "SELECT pg_is_in_recovery()::text || pg_postmaster_start_time()::text",
                "SELECT count(*)::text FROM mrctl.probe",
                "SELECT count(*)::text FROM orders",
                "SELECT md5(coalesce(string_agg(locktype || mode, ','), '')) FROM pg_locks WHERE locktype = 'advisory'",
            ] {
                seen.push(self.ask(region, query).await);
            }
        }
        seen.push(format!("{:?}", self.lab.status().await.unwrap().dns));
        seen
    }
}

fn mrctl(runbook: &Path, inventory: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .args(["rehearse", "--from-live", "--faults", "1"])
        .arg(runbook)
        .arg("--inventory")
        .arg(inventory)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "160")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let documents = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut reports = documents.filter(|document| document["event"] == "rehearsal");
    reports.next().unwrap_or_else(|| panic!("no rehearsal in {}", said(output)))["report"].clone()
}

fn lines(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_starts_from_what_is_true_and_changes_nothing() {
    let place = Place::up().await;
    let before = place.fingerprint().await;
    let output = place.rehearse(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("postgres-planned-failover · eu-west → us-east\nstart: as seen at 20"), "{text}");
    assert!(text.contains("complete for up to 1 fault of"), "{text}");
    assert!(text.contains("skipped us-east → eu-west: the primary of orders is in eu-west"), "{text}");
    // The application of a region whose database is read-only says that it is not well; it may be once that is promoted.
    let report = report(&place.rehearse(&["--output", "json"]));
    let start = &report["start"];
    assert_eq!((&start["from"], &start["environment"]), (&"live".into(), &"lab".into()), "{start}");
    assert_eq!(lines(&start["differs"]), ["shop in us-east is not well: status 503, and not 200"], "{start}");
    assert!(lines(&start["not_represented"]).iter().any(|line| line.contains("taken for well")), "{start}");
    assert_eq!(before, place.fingerprint().await);
    assert!(!place.state().join("runs").exists(), "it is no run");

    // A freeze that somebody left, and a standby that replays nothing: each is told, and what follows from it.
    place
        .order(
            Region::EuWest,
            &["ALTER SYSTEM SET default_transaction_read_only = 'on'", "SELECT pg_reload_conf()"],
        )
        .await;
    let output = place.rehearse(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(10), "{text}");
    assert!(text.contains("  orders in eu-west is FROZEN: read-only by its configuration file"), "{text}");
    assert!(
        text.contains("it would not even complete now: a person at a terminal has to adopt what is so already: freeze/read_only"),
        "{text}"
    );
    assert!(text.contains("complete for up to 1 fault of"), "{text}");
    place
        .order(
            Region::EuWest,
            &["ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"],
        )
        .await;
    crate::lab::pause_replay(&place.lab, Region::UsEast).await;
    let output = place.rehearse(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(10), "{text}");
    assert!(text.contains("  replay on orders in us-east is paused"), "{text}");
    assert!(text.contains("it would not even complete now: it ends as refused: ready: "), "{text}");
    place.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_whatever_a_server_says() {
    let place = Place::up().await;
    let password = place.lab.secrets().read(Secret::Mrctl).unwrap();
    let password = password.expose_secret();
    let names = format!("ALTER SYSTEM SET synchronous_standby_names = '\"{password}\"'");
    place.order(Region::EuWest, &[&names, "SELECT pg_reload_conf()"]).await;
    for arguments in [&["--all"][..], &["--output", "json"]] {
        let text = said(&place.rehearse(arguments));
        assert!(text.contains("orders in eu-west waits for synchronous standbys ("), "{text}");
        assert!(!text.contains(password), "a secret is shown");
    }
    place.lab.down().await.unwrap();
}

/// An inventory whose addresses nobody listens at.
fn nobody(folder: &Path) -> (PathBuf, PathBuf) {
    let inventory = "mrctl: 1\nname: nobody\nregions: { eu-west: {}, us-east: {} }\npostgres:\n  orders:\n    user: mrctl\n    \
                     password: { env: PASSWORD }\n    members: { eu-west: { host: 127.0.0.1, port: 1 }, us-east: { host: 127.0.0.1, port: 2 } }\n";
    let runbook = "mrctl: 1\nname: own\ntitle: Own\nsteps:\n  - { id: freeze, postgres.freeze: orders }\n  \
                   - { id: catch_up, postgres.catch_up: orders }\n  - { id: promote, postgres.promote: orders }\n";
    std::fs::write(folder.join("mrctl.yaml"), inventory).unwrap();
    std::fs::write(folder.join("runbook.yaml"), runbook).unwrap();
    (folder.join("runbook.yaml"), folder.join("mrctl.yaml"))
}

#[test]
fn where_nothing_can_be_reached_nothing_is_rehearsed() {
    const CANARY: &str = "canary-5up3r-s3cr3t";
    let folder = tempfile::tempdir().unwrap();
    let (runbook, inventory) = nobody(folder.path());
    let rehearse = |arguments: &[&str]| {
        let output = mrctl(&runbook, &inventory).env("PASSWORD", CANARY).args(arguments).output().unwrap();
        assert!(!said(&output).contains(CANARY), "{}", said(&output));
        assert_eq!(output.status.code(), Some(10), "{}", said(&output));
        said(&output)
    };
    let text = rehearse(&[]);
    for direction in ["eu-west → us-east", "us-east → eu-west"] {
        assert!(
            text.contains(&format!("skipped {direction}: no primary of orders was seen (eu-west: ")),
            "{text}"
        );
    }
    assert!(
        text.contains("not rehearsed: the source region is not decided; if you know better, give --from"),
        "{text}"
    );
    let text = rehearse(&["--from", "eu-west"]);
    let none = "not rehearsed eu-west → us-east: nothing that the runbook touches could be reached from here";
    assert!(text.contains(none) && text.contains("  orders in us-east: "), "{text}");
}

#[test]
fn a_secret_that_cannot_be_had_is_told_before_anything_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (runbook, inventory) = nobody(folder.path());
    let output = mrctl(&runbook, &inventory).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("error[MR0520]: the secret cannot be read"), "{}", said(&output));
}
