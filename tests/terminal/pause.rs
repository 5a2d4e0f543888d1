//! A pause at a terminal asks for what `mrctl resume` asks for.

use super::{Desk, PAUSED, Terminal, in_order, nothing_wraps};

const WHY: &str = "why is going on right? type a reason:";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_in_spite_of_what_no_rehearsal_can_show_types_a_reason_that_stays() {
    let desk = Desk::up().await;
    // Somebody puts the zone of one name server, which others copy, back from a file.
    let zone = desk.folder.path().join("data/pdns-eu-west/zones.sqlite3");
    let serial = |serial: u32| {
        let soa = format!("ns1.lab.test hostmaster.lab.test {serial} 3600 600 86400 5");
        format!("UPDATE records SET content = '{soa}' WHERE type = 'SOA'")
    };
    let primary = format!("UPDATE domains SET type = 'MASTER'; {}", serial(9));
    let set = std::process::Command::new("sqlite3").arg(&zone).arg(primary).status().unwrap();
    assert!(set.success());
    let runbook = desk.runbook(&format!(
        "mrctl: 1\nname: drain\ntitle: Drain\nsteps:\n  - id: short_ttl\n    dns.ttl: {{ record: www, ttl: 3s }}\n  \
         - id: meddle\n    exec: {{ command: [sqlite3, \"{}\", \"{}\"], effect: the zone is put back }}\n    \
         rollback: {{ none: {{ because: the test wants it }} }}\n  - id: shift\n    dns.shift: www\n",
        zone.display(),
        serial(7)
    ));
    let arguments = ["failover", "--runbook", &runbook, "--from", "eu-west", "--to", "us-east"];
    let mut terminal = Terminal::start(desk.command(&arguments), 24, 80);
    terminal.wait_for(PAUSED, 1);
    terminal.type_line("continue");
    terminal.wait_for(WHY, 1);
    // Nothing, and the word again, are no reason.
    terminal.type_line("");
    terminal.wait_for(WHY, 2);
    terminal.type_line("continue");
    terminal.wait_for(WHY, 3);
    terminal.type_line("we put the zone back ourselves");
    assert_eq!(terminal.ended(), 0, "{}", terminal.lines().text());
    let lines = terminal.lines();
    let asked = "Going on takes a reason, which stays in the journal.";
    in_order(&lines, &["went back from 9 to 7", asked, PAUSED, WHY, "COMPLETED  exit code 0"]);
    nothing_wraps(&lines);
    let runs = std::fs::read_dir(desk.folder.path().join("state-of-tests/runs")).unwrap();
    let run = runs.flatten().next().unwrap().path();
    let journal = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    assert!(journal.contains("\"reason\":\"we put the zone back ourselves\""), "{journal}");
    let id = run.file_name().unwrap().to_string_lossy().into_owned();
    let shown = String::from_utf8(desk.command(&["audit", "show", &id]).output().unwrap().stdout).unwrap();
    assert!(shown.contains("we put the zone back ourselves"), "{shown}");
    desk.lab.down().await.unwrap();
}
