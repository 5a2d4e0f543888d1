//! A planned run whose source dies under it is taken over as an unplanned one, from where it stands.

use super::killed::killed_when;
use super::unplanned::RUNBOOK;
use super::{Ended, Site};
use mrctl::lab::Region;
use std::path::Path;

impl Site {
    /// Takes the open run over, with every approval given for this plan.
    fn take_over(&self, runbook: &str, digest: &str) -> Ended {
        let arguments = self.taking_over(runbook, digest);
        self.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn taking_over(&self, runbook: &str, digest: &str) -> Vec<String> {
        let text = [
            "resume",
            "--output",
            "json",
            "--yes",
            "--approve",
            "step:promote",
            "--approve",
            "loss:promote",
            "--plan-digest",
            digest,
            "--mode",
            "unplanned",
            "--runbook",
            runbook,
            "--reason",
            "the region is gone",
        ];
        text.iter().map(ToString::to_string).collect()
    }

    /// A planned run that is killed when its freeze is proved.
    fn frozen_and_killed(&self, runbook: &str) {
        let digest = self.digest(Path::new(runbook), Region::EuWest, Region::UsEast);
        let arguments = self.approved_as(&digest, Path::new(runbook), Region::EuWest, Region::UsEast);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let frozen = |journal: &str| journal.contains("\"step\":\"catch_up\"");
        assert!(killed_when(self, &arguments, frozen), "the run ended before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_run_whose_source_dies_goes_on_as_unplanned_from_where_it_stands() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    site.frozen_and_killed(&runbook);
    // Nobody has to lose anything while the source answers.
    let before = site.written();
    let alive = site.take_over(&runbook, &site.looked(&runbook));
    assert_eq!(alive.code, 5, "{alive}");
    assert!(alive.stderr.contains("orders in eu-west answers as primary"), "{alive}");
    assert_eq!(site.written(), before);
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let another = site.take_over(&runbook, "0");
    assert_eq!(another.code, 5, "{another}");
    assert!(another.stderr.contains("not the one that was approved"), "{another}");
    let ended = site.take_over(&runbook, &site.looked(&runbook));
    assert_eq!(ended.code, 0, "{ended}");
    let world = ended.last("ended")["world"].as_str().unwrap().to_string();
    assert!(world.starts_with("writes: us-east · old primary: fenced"), "{world}");
    // The planned run had written heartbeats until its freeze: nothing that was acknowledged until then is lost.
    let counted = &ended.last("ended")["counted"]["orders"];
    assert!(counted["heartbeats"]["most"] == 0 && counted["transactions"]["most"] == 0, "{ended}");
    let journal = site.written();
    assert!(journal.contains("\"type\":\"switched\"") && journal.contains("\"by\":\"loss_accepted\""));
    assert_eq!(site.journals().len(), 1, "it is the same run");
    let told = site.mrctl(&["audit", "show", ended.last("ended")["run"].as_str().unwrap()]);
    // Before it, what happened is told as it was planned then.
    let (before, after) =
        told.stdout.split_once("takes the run over as unplanned: the region is gone").unwrap();
    assert!(before.contains("[ok] freeze") && !before.contains("fence"), "{told}");
    assert!(after.contains("[ok] fence") && after.contains("[ok] promote"), "{told}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_it_was_taken_over_a_resume_goes_on_as_unplanned() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    site.frozen_and_killed(&runbook);
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    let digest = site.looked(&runbook);
    // It may have gone on elsewhere: the reason for taking it over says nothing about that.
    let run = site.journals()[0].parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let file = site.state().join("run.json").display().to_string();
    assert_eq!(site.mrctl(&["export", &run, "--to", &file]).code, 0);
    let exported = site.take_over(&runbook, &digest);
    assert_eq!(exported.code, 5, "{exported}");
    assert!(exported.stderr.contains("was exported"), "{exported}");
    std::fs::remove_file(site.journals()[0].with_file_name("exported.json")).unwrap();
    // Nobody decides about steps of a run whose end is torn: whoever goes on with it notes that.
    let whole = std::fs::read(&site.journals()[0]).unwrap();
    std::fs::write(&site.journals()[0], &whole[..whole.len() - 9]).unwrap();
    let torn = site.mrctl(&["step", &run, "freeze", "--retry", "--reason", "a test"]);
    assert_eq!(torn.code, 5, "{torn}");
    assert!(torn.stderr.contains("is torn"), "{torn}");
    std::fs::write(&site.journals()[0], &whole).unwrap();
    let arguments = site.taking_over(&runbook, &digest);
    let journal = site.journals().remove(0);
    let mut child = site
        .command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::lab::until("it is taken over", async || {
        std::fs::read_to_string(&journal).unwrap().contains("\"type\":\"switched\"")
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    // Whoever tries to go on as planned goes on with the plan that counts now.
    let again = site.take_over(&runbook, &digest);
    assert_eq!(again.code, 5, "{again}");
    assert!(again.stderr.contains("unplanned already"), "{again}");
    let given = ["--yes", "--approve", "step:promote", "--approve", "loss:promote", "--plan-digest", &digest];
    let resumed = site.mrctl(&[&["resume", "--output", "json"], given.as_slice()].concat());
    assert_eq!(resumed.code, 0, "{resumed}");
    assert!(site.writable(Region::UsEast).await && !site.writable(Region::EuWest).await);
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_over_takes_a_runbook_and_a_reason() {
    let site = Site::up().await;
    let runbook = site.runbook(RUNBOOK).display().to_string();
    for (arguments, word) in [
        (&["--mode", "unplanned", "--reason", "gone"][..], "--runbook FILE"),
        (&["--mode", "unplanned", "--runbook", &runbook][..], "--reason"),
        (&["--mode", "planned", "--reason", "gone"][..], "no run becomes a planned one"),
        (&["--runbook", &runbook][..], "--mode unplanned"),
    ] {
        let ended = site.mrctl(&[&["resume"], arguments].concat());
        assert_eq!(ended.code, 2, "{ended}");
        assert!(ended.stderr.contains(word), "{ended}");
    }
    site.lab.down().await.unwrap();
}
