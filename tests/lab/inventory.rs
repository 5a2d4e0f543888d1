//! What a lab leaves in its folder for mrctl: an inventory, hooks, secrets; and for whom.

use super::*;

/// Runs a hook as the inventory says: from another folder, with next to nothing in the environment.
async fn hook(lab: &Lab, region: Region, name: &str, cwd: &Path) -> (i32, String) {
    let words = lab.hook(region, name).unwrap();
    let mut command = tokio::process::Command::new(&words[0]);
    let output = command.args(&words[1..]).env_clear().current_dir(cwd).output().await.unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hooks_of_the_inventory_work_from_a_private_folder() {
    let (lab, _folder) = lab().await;
    let private = tempfile::tempdir().unwrap();
    let cwd = private.path();
    let eu = Region::EuWest;
    assert_eq!(hook(&lab, eu, "look", cwd).await.0, 3);
    let before = lab.process("postgres eu-west").unwrap().unwrap();
    assert_eq!(hook(&lab, eu, "stop", cwd).await.0, 0);
    // pg_ctl waits for the lock file; the process ends right after it.
    until("the server is gone", async || !before.alive()).await;
    assert_eq!(hook(&lab, eu, "look", cwd).await.0, 0);
    let (code, text) = hook(&lab, eu, "control_data", cwd).await;
    assert_eq!(code, 0);
    assert!(
        text.lines().any(|line| line.starts_with("Database cluster state:") && line.ends_with("shut down"))
    );
    assert_eq!(hook(&lab, eu, "start", cwd).await.0, 0);
    assert_eq!(hook(&lab, eu, "look", cwd).await.0, 3);
    assert!(lab.status().await.unwrap().processes.iter().all(|(_, running)| running.is_up()));
    // The lab finds and stops what the hook started.
    lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_labs_live_side_by_side() {
    let ((one, _a), (two, _b)) = tokio::join!(lab(), lab());
    assert_ne!(one.ports(), two.ports());
    one.down().await.unwrap();
    assert!(two.status().await.unwrap().processes.iter().all(|(_, running)| running.is_up()));
    two.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_holds_no_secret_and_files_of_secrets_are_private() {
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;
    let (lab, _folder) = lab().await;
    let inventory = std::fs::read_to_string(lab.inventory()).unwrap();
    let state = std::fs::read_to_string(lab.layout().state_file()).unwrap();
    for entry in std::fs::read_dir(lab.layout().secrets()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!inventory.contains(&text) && !state.contains(&text), "{}", path.display());
    }
    let password = lab.secrets().read(mrctl::lab::Secret::Superuser).unwrap();
    assert_eq!(password.expose_secret().len(), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_user_can_run_a_lab() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test of this file is this test.
        return;
    }
    let folder = Folder::new();
    let copy = folder.0.join("mrctl");
    std::fs::copy(program(), &copy).unwrap();
    let dir = folder.0.join("home");
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(65534), Some(65534)).unwrap();
    let run = async |verb: &str| {
        let mut command = tokio::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy);
        command.args(["lab", verb, "--dir"]).arg(dir.join("lab")).current_dir("/");
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("up").await;
    run("status").await;
    run("down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_is_one_that_mrctl_reads() {
    let (lab, _folder) = lab().await;
    let (mut sources, mut problems) = (mrctl::error::Sources::default(), mrctl::error::Problems::default());
    let loaded = mrctl::runbook::discovery::load(&lab.inventory(), &mut sources, &mut problems);
    assert_eq!(format!("{problems:?}"), format!("{:?}", mrctl::error::Problems::default()));
    let loaded = loaded.unwrap();
    // Every rule too; warnings may say that a DNS server lives in a region that a run leaves.
    let context = mrctl::runbook::check::InventoryContext { loaded: &loaded, leaving: None };
    mrctl::runbook::check::inventory(&context, &mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    let load = Load::start(&lab, &LoadOptions::default()).unwrap();
    load.wait_for(20, Duration::from_secs(30)).await.unwrap();
    for (region, rate) in [("eu-west", Some(0.0)), ("us-east", None)] {
        let url = format!("http://127.0.0.1:{}/metrics/{region}", lab.ports().receiver);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let numbers: serde_json::Value = client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(numbers["error_rate"].as_f64(), rate, "{region}");
    }
    let inventory = loaded.inventory;
    let orders = &inventory.postgres["orders"];
    assert!(orders.members.values().all(|member| {
        member.stop.is_some()
            && member.start.is_some()
            && member.control_data.is_some()
            && member.look.is_some()
    }));
    let look = &orders.members["eu-west"].look.as_ref().unwrap().command;
    assert_eq!(*look, lab.hook(Region::EuWest, "look").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_kept_in_order() {
    let (lab, _folder) = lab().await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = std::fs::read_to_string(lab.layout().secrets().join("receiver-url")).unwrap();
    for text in ["frozen", "promoted"] {
        let sent =
            client.post(&url).header("Idempotency-Key", text).json(&serde_json::json!({ "text": text }));
        assert!(sent.send().await.unwrap().status().is_success());
    }
    let got = lab.notifications().unwrap();
    let texts: Vec<&str> = got.iter().filter_map(|line| line["body"]["text"].as_str()).collect();
    assert_eq!(texts, ["frozen", "promoted"]);
    assert_eq!(got[1]["idempotency_key"], "promoted");
}
