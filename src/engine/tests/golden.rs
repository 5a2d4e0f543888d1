//! Journals as released versions wrote them: each is still read, and folds to the same end. When the format of records grows, a new
//! file is added (`MRCTL_BLESS=1` writes it) and the old ones stay.

use super::{Kill, Trial};
use crate::engine::driver::read_record;
use crate::engine::record::{Choice, Covered, Record, Verdict};
use crate::engine::state::RunState;
use crate::journal::chain::{self, GENESIS};
use crate::plan::Plan;
use std::path::{Path, PathBuf};

/// The release that writes journals as they are written now.
const NOW: &str = "0.1.0";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals")
}

/// A run in which everything happens that can happen to one: a kill, a rollback, and a run to the end.
fn stories() -> Vec<(&'static str, Trial)> {
    let mut whole = Trial::new("trial.yaml");
    whole.process(Choice::Continue, Kill::Never);
    let mut killed = Trial::new("trial.yaml");
    killed.process(Choice::Continue, Kill::Record(20));
    killed.process(Choice::Continue, Kill::Never);
    let mut back = Trial::new("trial.yaml");
    back.process(Choice::Continue, Kill::Record(20));
    back.process(Choice::RollBack, Kill::Never);
    let mut rehearsed = Trial::new("trial.yaml");
    rehearsed.created();
    rehearsed.append(&Record::Rehearsed {
        covered: Some(Covered {
            certificate: "0f".repeat(32),
            age_ms: 259_200_000,
            faults: 2,
            version: "0.1.0".into(),
            start: "inventory".into(),
            accepted: vec!["tickets".into()],
        }),
        why: String::new(),
        required: true,
        waived: String::new(),
    });
    rehearsed.process(Choice::Continue, Kill::Never);
    vec![("completed", whole), ("resumed", killed), ("rolled_back", back), ("rehearsed", rehearsed)]
}

#[test]
fn journals_of_every_release_fold_to_the_end_that_they_tell() {
    if std::env::var_os("MRCTL_BLESS").is_some() {
        for (name, trial) in stories() {
            let folder = folder().join(NOW).join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("plan.json"), serde_json::to_string_pretty(&trial.plan).unwrap())
                .unwrap();
            std::fs::write(folder.join("journal.jsonl"), trial.text()).unwrap();
        }
    }
    let mut read = 0;
    for release in std::fs::read_dir(folder()).unwrap().flatten() {
        for story in std::fs::read_dir(release.path()).unwrap().flatten() {
            let name = story.path().display().to_string();
            let plan = std::fs::read_to_string(story.path().join("plan.json")).unwrap();
            let plan: Plan = serde_json::from_str(&plan).unwrap_or_else(|error| panic!("{name}: {error}"));
            let text = std::fs::read_to_string(story.path().join("journal.jsonl")).unwrap();
            let mut prev = GENESIS.to_owned();
            let mut records = Vec::new();
            for (seq, line) in text.lines().enumerate() {
                let line = chain::read(seq + 1, line, &prev, seq as u64).unwrap();
                prev.clone_from(&line.hash);
                records.push(read_record(&line).unwrap_or_else(|error| panic!("{name}: {error}")));
            }
            let state = RunState::of(&plan, &records);
            let Some(Record::Ended { verdict, .. }) = records.last() else { panic!("{name} has no end") };
            assert_eq!(state.verdict, Some(*verdict), "{name}");
            let expected =
                if story.file_name() == "rolled_back" { Verdict::RolledBack } else { Verdict::Completed };
            assert_eq!(*verdict, expected, "{name}");
            assert_eq!(state.passed(&plan), expected == Verdict::Completed, "{name}");
            assert_eq!(state.changed(), expected == Verdict::Completed || warmed(&state), "{name}");
            read += 1;
        }
    }
    assert!(read >= 4, "only {read} journals");
}

/// A warmed cache stands after a rollback: there is nothing to take back.
fn warmed(state: &RunState) -> bool {
    state.steps.iter().any(|step| step.effects.iter().any(|effect| effect.landed()))
}

/// Today's version must still write what the newest file holds: a changed format is a new release and a new file.
#[test]
fn records_are_written_as_the_newest_release_wrote_them() {
    for (name, trial) in stories() {
        let path = folder().join(NOW).join(name).join("journal.jsonl");
        let there = std::fs::read_to_string(&path).unwrap();
        let now = trial.text();
        for (line, (now, there)) in now.lines().zip(there.lines()).enumerate() {
            let (path, line) = (path.display(), line + 1);
            assert_eq!(now, there, "{path}:{line}: bless it only if the format has not been released");
        }
        assert_eq!(now.lines().count(), there.lines().count(), "{}", path.display());
    }
}
