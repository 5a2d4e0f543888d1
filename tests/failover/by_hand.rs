//! A run that stands still on real servers, and what a person may say about its steps.

use super::{Ended, Site};
use mrctl::lab::Region;

/// Behind the promotion: an endpoint that is red, a command of which only its answer could tell, and one that says that it did nothing.
const RUNBOOK: &str = "mrctl: 1
name: by-hand
title: By hand
steps:
  - id: lag
    postgres.check_lag: orders
  - id: freeze
    postgres.freeze: orders
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
  - id: users
    http.check: shop
    timeout: 2s
  - id: banner
    exec: { command: [/bin/sh, -c, \"exit 3\"], effect: a banner is shown }
  - id: ticket
    exec: { command: [/bin/sh, -c, \"exit 75\"], effect: a ticket is opened }
  - id: tell
    notify: Orders serves from ${to}
";

impl Site {
    /// The endpoint answers 200, and something else is expected of it.
    fn users_are_red(&self) {
        let path = self.lab.inventory();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("status: 200"), "{text}");
        std::fs::write(&path, text.replacen("status: 200", "status: 204", 1)).unwrap();
    }

    fn step(&self, step: &str, how: &str, reason: &str) -> Ended {
        let journals = self.journals();
        let run = journals.last().unwrap().parent().unwrap().file_name().unwrap();
        self.mrctl(&["step", &run.to_string_lossy(), step, how, "--reason", reason])
    }
}

/// How each of these ends, by the text of the error alone.
fn told(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{ended}");
    for word in words {
        // A mistake of the command line is data where data is asked for.
        assert!(ended.stderr.contains(word) || ended.stdout.contains(word), "{word}: {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stands_still_is_gone_on_with_by_hand_and_says_so() {
    let site = Site::up().await;
    site.users_are_red();
    let runbook = site.runbook(RUNBOOK);
    let digest = site.digest(&runbook, Region::EuWest, Region::UsEast);
    let with = |more: &[&str]| {
        let mut arguments = site.approved_as(&digest, &runbook, Region::EuWest, Region::UsEast);
        arguments.extend(more.iter().map(ToString::to_string));
        site.mrctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // Mistakes with a waiver: nothing is begun.
    let table: [(&str, &[&str]); 5] = [
        ("nope=known", &["--waive nope: the runbook has no such step", "it has lag, freeze"]),
        ("user=known", &["did you mean `users`?"]),
        ("catch_up=in a hurry", &["proves that the target has everything", "what can be: lag, users"]),
        ("banner=known", &["it is no check: it changes something"]),
        ("users", &["has no reason", "--waive STEP=REASON"]),
    ];
    for (waived, words) in table {
        told(&with(&["--waive", waived]), 2, words);
    }
    assert!(site.journals().is_empty());
    let paused = with(&["--waive", "lag=the standby is slow on purpose"]);
    assert_eq!(paused.code, 4, "{paused}");
    let next = paused.last("ended")["next"].to_string();
    assert!(next.contains(" users …"), "{next}");
    // Mistakes with a step.
    told(&site.step("user", "--skip", "why not"), 2, &["has no step `user`", "did you mean `users`?"]);
    told(&site.step("users", "--skip", " "), 2, &["needs a reason", "--reason"]);
    told(
        &site.mrctl(&["step", "ffffff", "users", "--skip", "--reason", "x"]),
        2,
        &["there is no run `ffffff`"],
    );
    told(&site.step("users", "--force", "x"), 2, &["--force"]);
    let both = ["step", "ffffff", "users", "--skip", "--done", "--reason", "x"];
    told(&site.mrctl(&both), 2, &["cannot be used with"]);
    told(&site.step("promote", "--skip", "x"), 5, &["promote is done by this run already", "mrctl resume"]);
    told(&site.step("ticket", "--retry", "x"), 5, &["has not been tried yet"]);
    told(&site.step("users", "--done", "it works for me"), 5, &["users/look is not so", "--waive"]);
    // The red check is passed.
    let stuck =
        site.mrctl(&["resume", "--output", "json", "--yes", "--waive", "users=the page says so itself"]);
    assert_eq!(stuck.code, 6, "{stuck}");
    let status = site.mrctl(&["status"]).stdout;
    assert!(status.contains("users was red, and ada passed it: the page says so itself"), "{status}");
    // The answer is lost, and there is nothing to look at: never again, and not left out.
    told(&site.step("banner", "--retry", "x"), 5, &["never sent again blindly", "--done"]);
    told(&site.step("banner", "--skip", "x"), 5, &["whether banner/run came about is not known", "--done"]);
    let done = site.step("banner", "--done", "I see it on the page");
    told(
        &done,
        0,
        &["banner was done by hand, on the word of ada alone: I see it on the page", "mrctl resume"],
    );
    let stuck = site.mrctl(&["resume", "--output", "json", "--yes"]);
    assert_eq!(stuck.code, 4, "{stuck}");
    // This one has said that it did nothing.
    told(&site.step("ticket", "--skip", "the tracker is down"), 0, &["ticket was left out by ada"]);
    let ended = site.mrctl(&["resume", "--output", "json", "--yes"]);
    assert_eq!(ended.code, 0, "{ended}");
    let last = ended.last("ended");
    assert_eq!(last["why"], "left out by hand: ticket; done by hand: banner; passed although red: users");
    assert_eq!(last["by_hand"].as_array().unwrap().len(), 4, "{last}");
    assert!(last["by_hand"].to_string().contains("ada waived lag, and that was not needed"), "{last}");
    let journal = std::fs::read_to_string(site.journals().last().unwrap()).unwrap();
    let sent = |line: &&str| line.contains("\"type\":\"intent\"") && line.contains("\"step\":\"banner\"");
    assert_eq!(journal.lines().filter(sent).count(), 1, "{journal}");
    told(&site.step("ticket", "--retry", "too late"), 5, &["is closed: completed"]);
    site.lab.down().await.unwrap();
}
