//! Who says that nobody reaches the old primary: a person where no command can, or the proof of the promotion itself where the runbook
//! has no fence.

use super::unplanned::RUNBOOK;
use super::{Ended, Site, load};
use mrctl::lab::{Load, Region};
use std::time::Duration;

impl Site {
    /// The inventory's `fence` of eu-west is gone, and its `fenced` is this line, or gone, too.
    pub(super) fn fences(&self, fenced: Option<&str>) {
        let path = self.lab.inventory();
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut lines, mut here, mut ladder, mut found) = (Vec::new(), false, false, false);
        for line in text.lines() {
            if line.starts_with("      ") && !line.starts_with("       ") {
                here = line.trim() == "eu-west:";
            }
            found |= here;
            ladder = here && (line.trim() == "fence:" || ladder && line.starts_with("          - "));
            match here && line.trim().starts_with("fenced:") {
                true => lines.extend(fenced.map(|fenced| format!("        fenced: {fenced}"))),
                false if ladder => {}
                false => lines.push(line.to_string()),
            }
        }
        assert!(found, "no member in eu-west: {text}");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }

    /// Pressed, with more to say.
    fn pressed_with(&self, runbook: &str, more: &[&str]) -> Ended {
        let digest = self.looked(runbook);
        self.mrctl(&[self.button(runbook, &digest).as_slice(), more].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_fence_it_a_person_vouches_for_it_and_the_run_ends_well() {
    let site = Site::up().await;
    site.fences(None);
    let runbook = site.runbook(RUNBOOK).display().to_string();
    let load = Load::start(&site.lab, &load()).unwrap();
    load.wait_for(60, Duration::from_secs(30)).await.unwrap();
    // While it lives, no word counts.
    let lives = site.pressed_with(&runbook, &["--fenced", "orders/eu-west"]);
    assert_eq!(lives.code, 5, "{lives}");
    assert!(lives.stdout.contains("lives"), "{lives}");
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    // Without a word nothing is done.
    let refused = site.press(&runbook);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stdout.contains("vouch for it with --fenced"), "{refused}");
    assert!(!site.writable(Region::UsEast).await, "promoted");
    let ended = site.pressed_with(&runbook, &["--fenced", "orders/eu-west"]);
    assert_eq!(ended.code, 0, "{ended}");
    let last = ended.last("ended");
    assert_eq!(last["verdict"], "completed", "{last}");
    assert!(
        last["world"].as_str().unwrap().starts_with("writes: us-east · old primary: fenced, says a person"),
        "{last}"
    );
    load.wait_for(30, Duration::from_secs(30)).await.unwrap();
    assert_eq!(load.stop().await.unwrap().primary, Region::UsEast);
    let journal = std::fs::read_to_string(site.journals().last().unwrap()).unwrap();
    let attested = journal.lines().find(|line| line.contains("\"type\":\"attested\"")).unwrap();
    for word in ["eu-west", "\"how\":\"fenced\"", "\"by\":\"ada\"", "the power went out"] {
        assert!(attested.contains(word), "{word}: {attested}");
    }
    // The word was wrong: it is back, and takes writes.
    site.lab.start_postgres(Region::EuWest).await.unwrap();
    assert!(site.writable(Region::EuWest).await && site.writable(Region::UsEast).await);
    let status = site.mrctl(&["status"]);
    assert_eq!(status.code, 10, "{status}");
    assert!(status.stdout.contains("SPLIT BRAIN: orders can be written in eu-west and us-east"), "{status}");
    site.lab.down().await.unwrap();
}

/// Nothing in it fences.
const SHORT: &str = "mrctl: 1
name: short
title: Short
steps:
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
    timeout: 90s
  - id: promote
    postgres.promote: orders
    timeout: 10s
";

#[tokio::test(flavor = "multi_thread")]
async fn a_runbook_without_a_fence_promotes_only_what_is_proved_and_proves_it_again_at_the_end() {
    let site = Site::up().await;
    let runbook = site.runbook(SHORT).display().to_string();
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    // Nobody can tell, and nobody vouches.
    for cannot_tell in [None, Some("{ command: [/bin/sh, -c, \"exit 4\"], timeout: 5s }")] {
        site.fences(cannot_tell.or(Some("{ command: [/bin/false], timeout: 5s }")));
        let refused = site.press(&runbook);
        assert!(![0, 3].contains(&refused.code), "{refused}");
        assert!(refused.stdout.contains("whether users can reach orders in eu-west is unknown"), "{refused}");
        assert!(!site.writable(Region::UsEast).await, "promoted");
        let run = site.journals().last().unwrap().parent().unwrap().file_name().unwrap().to_owned();
        site.mrctl(&["abandon", &run.to_string_lossy(), "--reason", "a test"]);
    }
    // It proves it at the promotion, and cannot tell at the end: that is no good end.
    let asked = site.folder.path().join("asked").display().to_string();
    let once =
        format!("{{ command: [/bin/sh, -c, \"test -e {asked} && exit 4; touch {asked}\"], timeout: 5s }}");
    site.fences(Some(&once));
    let unknown = site.press(&runbook);
    assert_eq!(unknown.code, 6, "{unknown}");
    assert!(
        unknown.stdout.contains("the old primary of orders in eu-west may be reached by users"),
        "{unknown}"
    );
    assert!(site.writable(Region::UsEast).await);
    // A person looks, and says so.
    let resumed = site.mrctl(&[
        "resume",
        "--output",
        "json",
        "--yes",
        "--fenced",
        "orders/eu-west",
        "--reason",
        "I looked",
    ]);
    assert_eq!(resumed.code, 0, "{resumed}");
    assert!(resumed.last("ended")["world"].as_str().unwrap().contains("old primary: fenced"), "{resumed}");
    site.lab.down().await.unwrap();
}
