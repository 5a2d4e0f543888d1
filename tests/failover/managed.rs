//! Another manager is in charge of the servers: mrctl leaves them to it, in both modes, with the program itself.

use super::{RUNBOOK, Site, unplanned};
use mrctl::lab::{Region, Role};
use std::path::Path;

const SHORT: &str = "mrctl: 1
name: short
title: Short
steps:
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
";

#[tokio::test(flavor = "multi_thread")]
async fn where_another_manager_is_in_charge_neither_a_planned_nor_an_unplanned_run_changes_anything() {
    let site = Site::up().await;
    let approved = |text: &str| {
        let runbook = site.runbook(text);
        site.approved_as(
            &site.digest(&runbook, Region::EuWest, Region::UsEast),
            &runbook,
            Region::EuWest,
            Region::UsEast,
        )
    };
    // Approved while nobody else was there; the second without the checks before.
    let planned = [RUNBOOK, SHORT].map(|text| (text, approved(text)));
    let root = site.lab.connect(Region::EuWest, Role::Superuser).await.unwrap();
    root.batch_execute("CREATE ROLE pgautofailover_monitor LOGIN; SET application_name = 'Patroni'")
        .await
        .unwrap();
    let standby = site.lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
    crate::lab::until("the standby has the role", async || {
        let role = "SELECT FROM pg_roles WHERE rolname = 'pgautofailover_monitor'";
        !standby.query(role, &[]).await.unwrap().is_empty()
    })
    .await;
    standby.batch_execute("SET application_name = 'Patroni'").await.unwrap();
    for (text, approved) in planned {
        site.runbook(text);
        let refused = site.mrctl(&approved.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(refused.code, 5, "{refused}");
        assert!(refused.stdout.contains("Patroni"), "{refused}");
    }
    assert!(site.writable(Region::EuWest).await, "frozen");
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let runbook = site.runbook(unplanned::RUNBOOK);
    let refused = site.press(&runbook.display().to_string());
    assert_eq!(refused.code, 5, "{refused}");
    let words = "another manager is in charge of orders in us-east (Patroni)";
    assert!(refused.stdout.contains(words), "{refused}");
    assert!(
        standby.query_one("SELECT pg_is_in_recovery()", &[]).await.unwrap().get::<_, bool>(0),
        "promoted"
    );
    let changed = |path: &Path| std::fs::read_to_string(path).unwrap().contains("\"type\":\"intent\"");
    assert!(site.journals().len() == 3 && !site.journals().iter().any(|path| changed(path)));
    // It has gone, and left a role that nobody can drop on a standby whose primary is dead: that holds nobody up.
    drop(standby);
    crate::lab::until("it has gone", async || {
        let monitor = site.lab.connect(Region::UsEast, Role::Superuser).await.unwrap();
        let named = "SELECT FROM pg_stat_activity WHERE application_name = 'Patroni'";
        monitor.query(named, &[]).await.unwrap().is_empty()
    })
    .await;
    let ended = site.press(&runbook.display().to_string());
    assert_eq!(ended.code, 0, "{ended}");
    site.lab.down().await.unwrap();
}
