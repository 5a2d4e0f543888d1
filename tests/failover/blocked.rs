//! Runs that are open or cannot be read: what they hold, and what may be done about them.

use super::killed::killed_after;
use super::{RUNBOOK, Site};
use mrctl::lab::Region;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_open_holds_its_resources() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let killed = killed_after(&site, &arguments, 20);
    assert!(killed, "the run ended before its twentieth record");
    let second = site.mrctl(&arguments);
    assert_eq!(second.code, 8, "{second}");
    let status = site.mrctl(&["status"]);
    assert_eq!(status.code, 10, "{status}");
    assert!(status.stdout.contains("interrupted; go on with `mrctl resume"), "{status}");
    assert!(site.mrctl(&["runs"]).stdout.contains("open: its process died"));
    let abandoned = site.mrctl(&["abandon", "--reason", "the test is over"]);
    assert_eq!(abandoned.code, 1, "{abandoned}");
    // What it changed stays, and is named with what takes it back.
    for said in ["undo: by hand only", "Still in place", "freeze/read_only", "by hand: ALTER SYSTEM RESET"] {
        assert!(abandoned.stderr.contains(said), "{said}: {abandoned}");
    }
    assert_eq!(site.mrctl(&["runs"]).stdout.matches("abandoned").count(), 1);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_inventory_than_the_planned_one_needs_a_reason() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(killed_after(&site, &arguments, 20), "the run ended before its twentieth record");
    let inventory = std::fs::read_to_string(site.lab.inventory()).unwrap();
    std::fs::write(site.lab.inventory(), format!("{inventory}# changed\n")).unwrap();
    let refused = site.mrctl(&["rollback"]);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stderr.contains("the inventory is not the one"), "{refused}");
    let back = site.mrctl(&["rollback", "--reason", "only a comment was added"]);
    assert!(matches!(back.code, 3 | 5), "{back}");
    assert!(back.code == 5 || site.writable(Region::EuWest).await, "{back}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_counts_as_open_until_its_journal_says_otherwise() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK);
    let arguments = site.approved(&runbook, Region::EuWest, Region::UsEast);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(killed_after(&site, &arguments, 5), "the run ended before its fifth record");
    let journal = site.journals().pop().unwrap();
    let plan = journal.with_file_name("plan.json");
    let text = std::fs::read_to_string(&plan).unwrap().replacen("\"format\": 1", "\"format\": 99", 1);
    std::fs::write(&plan, text).unwrap();
    let refused = site.mrctl(&arguments);
    assert_eq!(refused.code, 8, "{refused}");
    assert!(refused.stderr.contains("it has format 99"), "{refused}");
    assert_eq!(site.mrctl(&["status"]).code, 10);
    assert!(site.writable(Region::EuWest).await);
    site.lab.down().await.unwrap();
}
