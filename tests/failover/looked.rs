//! What looks and changes nothing, on real servers: dry runs and `status`.

use super::{RUNBOOK, Site};
use mrctl::lab::Region;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_says_what_it_would_change() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let before = site.mrctl(&["status", "--output", "json"]).stdout;
    let ended = site.mrctl(&["drill", "--dry-run", "--runbook", &runbook, "--to", "us-east"]);
    assert_eq!(ended.code, 0, "{ended}");
    for expected in [
        "ALTER SYSTEM SET default_transaction_read_only = 'on'",
        "role of orders in us-east: standby → primary",
        "www.lab.test.",
        "pg_promote(false)",
    ] {
        assert!(ended.stdout.contains(expected), "{expected} is missing in {ended}");
    }
    // Nobody measures the users of a region that has none: that speaks against nothing, and is told.
    let drain = "mrctl: 1\nname: drain\ntitle: Drain\nsteps:\n  - id: near\n    wait: lag(from) < 1GiB\n  - id: shift\n    dns.shift: www\n  - id: calm\n    wait: error_rate(to) < 1%\n";
    let drain = site.runbook(drain).display().to_string();
    let dry = site.mrctl(&["drill", "--dry-run", "--runbook", &drain, "--to", "us-east"]);
    assert!(
        dry.code == 0
            && dry
                .stdout
                .contains("cannot be told before its turn comes:\n  calm: error_rate(us-east) (unknown: "),
        "{dry}"
    );
    assert!(dry.stdout.contains("now so: lag(eu-west) = "), "{dry}");
    let first = "mrctl: 1\nname: drain\ntitle: Drain\nsteps:\n  - id: calm\n    wait: error_rate(to) < 1%\n  - id: shift\n    dns.shift: www\n";
    let first = site.runbook(first).display().to_string();
    let dry = site.mrctl(&["drill", "--dry-run", "--runbook", &first, "--to", "us-east"]);
    assert!(dry.code == 10 && dry.stdout.contains("not ready:\n  calm: "), "{dry}");
    let after = site.mrctl(&["status", "--output", "json"]).stdout;
    let roles = |text: &str| {
        let status: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let resources = status["resources"].as_array().unwrap().clone();
        resources.iter().map(|r| r["is"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(roles(&before), roles(&after));
    assert!(site.journals().is_empty(), "a dry run leaves no run behind");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_whether_each_runbook_beside_the_inventory_would_work() {
    let site = Site::up().await;
    let folder = site.folder.path();
    std::fs::create_dir_all(folder.join("runbooks")).unwrap();
    std::fs::write(folder.join("runbooks/failover.yaml"), RUNBOOK).unwrap();
    let ready = site.mrctl(&["status"]);
    assert_eq!(ready.code, 0, "{ready}");
    assert!(ready.stdout.contains("runbooks/failover.yaml: ready eu-west → us-east"), "{ready}");
    // Each of these is another reason why it would not.
    std::fs::write(folder.join("runbooks/typo.yaml"), RUNBOOK.replace("postgres.freeze", "postgres.freze"))
        .unwrap();
    let invalid = site.mrctl(&["status"]);
    assert_eq!(invalid.code, 10, "{invalid}");
    assert!(invalid.stdout.contains("runbooks/typo.yaml: invalid"), "{invalid}");
    std::fs::remove_file(folder.join("runbooks/typo.yaml")).unwrap();
    crate::lab::pause_replay(&site.lab, Region::UsEast).await;
    let cut = site.mrctl(&["status", "--output", "json"]);
    assert_eq!(cut.code, 10, "{cut}");
    let runbooks = cut.last("status")["runbooks"].clone();
    assert_eq!(runbooks[0]["readiness"], "not_ready", "{cut}");
    assert!(runbooks[0]["reasons"].to_string().contains("paused"), "{cut}");
    site.lab.down().await.unwrap();
}
