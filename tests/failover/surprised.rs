//! What no rehearsal can show, seen on real servers in the midst of a run.

use super::Site;
use mrctl::lab::Region;
use mrctl::world::plausible::Kept;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_goes_back_in_the_midst_of_a_run_stops_it_and_is_kept_as_a_case() {
    let site = Site::up().await;
    // Somebody puts the zone of one name server back from a copy.
    let zone = site.folder.path().join("data/pdns-eu-west/zones.sqlite3");
    assert!(zone.exists(), "{}", zone.display());
    let serial = |serial: u32| {
        let soa = format!("ns1.lab.test hostmaster.lab.test {serial} 3600 600 86400 5");
        format!("UPDATE records SET content = '{soa}' WHERE type = 'SOA'")
    };
    // Only where secondaries follow it does a serial order anything.
    let primary = format!("UPDATE domains SET type = 'MASTER'; {}", serial(9));
    let set = std::process::Command::new("sqlite3").arg(&zone).arg(primary).status().unwrap();
    assert!(set.success());
    let back = serial(7);
    let runbook = site.runbook(&format!(
        "mrctl: 1
name: drain
title: Drain
steps:
  - id: short_ttl
    dns.ttl: {{ record: www, ttl: 3s }}
  - id: meddle
    exec: {{ command: [sqlite3, \"{}\", \"{back}\"], effect: the zone is put back }}
    rollback: {{ none: {{ because: the test wants it }} }}
  - id: shift
    dns.shift: www
",
        zone.display()
    ));
    let runbook = runbook.display().to_string();
    let arguments = [
        "failover",
        "--output",
        "json",
        "--yes",
        "--runbook",
        &runbook,
        "--from",
        "eu-west",
        "--to",
        "us-east",
    ];
    let ended = site.mrctl(&arguments);
    assert_eq!(ended.code, 6, "{ended}");
    let event = ended.last("surprised");
    assert_eq!(
        (&event["rule"], &event["kept"]),
        (&"dns.serial".into(), &"surprises/1.json".into()),
        "{ended}"
    );
    assert!(event["place"].as_str().unwrap().starts_with("www at "), "{event}");
    let why = ended.last("ended")["why"].as_str().unwrap().to_string();
    assert!(
        why.contains("the serial of its zone went back from 9 to 7") && why.contains("surprises/1.json"),
        "{why}"
    );
    assert!(!ended.events().iter().any(|e| e["event"] == "intent" && e["step"] == "shift"), "{ended}");
    let run = site.journals()[0].parent().unwrap().to_path_buf();
    let file = run.join("surprises/1.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(run.join("surprises")).unwrap().permissions().mode() & 0o777, 0o700);
    let kept: Kept = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let (rule, what) = kept.case.broken().unwrap();
    assert_eq!((rule.id, what.as_str()), ("dns.serial", event["what"].as_str().unwrap()));
    // Nobody goes on over it without saying why; whoever was sent the run has the case too.
    let refused = site.mrctl(&["resume", "--yes"]);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(
        refused.stderr.contains("no rehearsal can show this") && refused.stderr.contains("--reason"),
        "{refused}"
    );
    std::fs::remove_dir_all(run.join("surprises")).unwrap();
    let resumed = site.mrctl(&["resume", "--yes", "--reason", "we put the zone back ourselves"]);
    assert_eq!(resumed.code, 0, "{resumed}");
    assert!(resumed.stderr.contains("please send it to the project"), "{resumed}");
    assert!(file.exists(), "the case was not made again from the journal");
    assert_eq!(site.lab.primary().await.unwrap(), Region::EuWest);
    site.lab.down().await.unwrap();
    // Here it was meant to be.
    std::fs::remove_dir_all(site.state()).unwrap();
}
