//! A rehearsal that the inventory demands, on real servers: what was seen of them does not matter to it.

use super::{RUNBOOK, Site};
use mrctl::lab::Region;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_covers_the_failover_of_real_servers_that_it_never_saw() {
    let site = Site::up().await;
    let inventory = site.lab.inventory();
    let text = std::fs::read_to_string(&inventory).unwrap();
    std::fs::write(inventory, format!("{text}rehearsal: {{ required: true, max_age: 1d, faults: 1 }}\n"))
        .unwrap();
    let folder = site.folder.path().join("runbooks");
    std::fs::create_dir_all(&folder).unwrap();
    let runbook = folder.join("failover.yaml");
    std::fs::write(&runbook, RUNBOOK).unwrap();
    let path = runbook.display().to_string();
    let before = site.mrctl(&["status"]);
    assert_eq!(before.code, 10, "{before}");
    let wanted = "runbooks/failover.yaml: not ready eu-west → us-east\n  never rehearsed\n  the inventory demands a rehearsal";
    assert!(before.stdout.contains(wanted), "{before}");
    let refused =
        site.mrctl(&["failover", "--runbook", &path, "--from", "eu-west", "--to", "us-east", "--yes"]);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stderr.contains("MR0601") && site.journals().is_empty(), "{refused}");
    let rehearsed = site.mrctl(&["rehearse", &path, "--faults", "1", "--from", "eu-west"]);
    assert_eq!(rehearsed.code, 0, "{rehearsed}");
    let after = site.mrctl(&["status"]);
    assert_eq!(after.code, 0, "{after}");
    assert!(after.stdout.contains("ready eu-west → us-east\n  rehearsed just now, 1 fault\n"), "{after}");
    let ended = site.failover(&runbook, Region::EuWest, Region::UsEast);
    assert_eq!(ended.code, 0, "{ended}");
    let told = ended.last("rehearsed");
    assert!(told["certificate"].is_string() && told["required"] == true && told["why"] == "", "{told}");
    assert_eq!((&told["waived"], &told["seq"]), (&Value::from(""), &Value::from(1)));
    site.lab.down().await.unwrap();
}
