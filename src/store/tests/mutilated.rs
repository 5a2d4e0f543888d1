//! The journal of a whole run, hurt in every way: what is read of it afterwards is a beginning of what was written, with the rest told as
//! torn, or it is refused. Never is a record read that was not written.

use super::effects::{made, standing};
use super::life::{End, Trial};
use super::scene::{Scene, shipped};
use crate::engine::record::Verdict;
use crate::journal::chain::{self, GENESIS, Line};
use crate::journal::file::{Journal, OpenError, Opened};
use crate::journal::mirror::Mirror;
use crate::plan::Mode;
use crate::store::{Store, StoreError};
use std::path::PathBuf;
use std::rc::Rc;

/// A run that completed, with its files.
struct Ended<'a> {
    trial: Trial<'a>,
    store: Store,
    id: String,
    folder: PathBuf,
    journal: Vec<u8>,
    plan: Vec<u8>,
    lines: Vec<Line>,
}

/// The files of a trial's run.
fn ended(trial: Trial<'_>) -> Ended<'_> {
    let run = trial.run().unwrap();
    assert_eq!(run.state.verdict, Some(Verdict::Completed));
    let read = |name: &str| std::fs::read(run.folder.join(name)).unwrap();
    Ended {
        journal: read("journal.jsonl"),
        plan: read("plan.json"),
        lines: run.lines.into_iter().map(|(line, _)| line).collect(),
        folder: run.folder,
        id: run.id,
        store: trial.store(),
        trial,
    }
}

fn completed(scene: &Scene) -> Trial<'_> {
    let mut trial = Trial::new(scene);
    assert_eq!(trial.process(None), End::Verdict(Verdict::Completed));
    trial
}

fn nightly() -> bool {
    std::env::var_os("MRCTL_TEST_NIGHTLY").is_some()
}

/// The shortest of the shipped runs on an ordinary day, the longest at night: each length is read from its beginning.
fn of_the_day() -> Scene {
    shipped(if nightly() { "postgres-planned-failover" } else { "dns-drain" }, Mode::Planned)
}

/// Which bits of a byte are flipped. Of an ordinary day the one that makes another character of the same kind, and in every tenth byte and
/// in all that end a line also the one that leaves ASCII: it makes any line a line of no text.
fn bits(journal: &[u8], position: usize) -> &'static [u8] {
    match nightly() {
        true => &[1, 2, 4, 8, 16, 32, 64, 128],
        false if journal[position] == b'\n' || position.is_multiple_of(10) => &[1, 128],
        false => &[1],
    }
}

impl Ended<'_> {
    fn path(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }

    /// Opens the journal with this content.
    fn open(&self, bytes: &[u8]) -> Result<Opened, OpenError> {
        std::fs::write(self.path(), bytes).unwrap();
        self.trial.disk.begin(None);
        Journal::open_by(Rc::clone(&self.trial.disk) as _, &self.path(), || 6)
    }

    /// Reads the run with this journal.
    fn read(&self, bytes: &[u8]) -> Result<crate::store::Run, StoreError> {
        std::fs::write(self.path(), bytes).unwrap();
        self.store.read(&self.id)
    }

    /// The lines with their newlines.
    fn texts(&self) -> Vec<&[u8]> {
        self.journal.split_inclusive(|byte| *byte == b'\n').collect()
    }

    /// What was opened is a beginning of what was written, and the rest is told as torn.
    fn is_a_beginning(&self, opened: &Opened, given: &[u8], what: &str) {
        let read = opened.lines.len();
        assert_eq!(opened.lines[..], self.lines[..read], "{what}: another record than was written");
        let whole: usize = self.texts()[..read].iter().map(|line| line.len()).sum();
        assert_eq!(opened.torn, given.len() - whole, "{what}: what is not read is not told as torn");
        assert_eq!(std::fs::read(self.path()).unwrap(), given[..whole], "{what}: it is not cut off");
    }
}

#[test]
fn the_journal_of_a_whole_run_cut_at_every_byte_is_recovered_and_the_rest_told() {
    let scene = of_the_day();
    let ended = ended(completed(&scene));
    for length in 0..=ended.journal.len() {
        let given = &ended.journal[..length];
        let opened = ended.open(given).unwrap();
        ended.is_a_beginning(&opened, given, &format!("cut at {length}"));
        let newlines = given.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(opened.lines.len(), newlines, "cut at {length}");
    }
    assert!(ended.journal.len() > 10_000);
}

/// Refused; or the last record counts as torn, and is told so.
#[test]
fn the_journal_of_a_whole_run_flipped_at_every_byte_is_refused_or_told_as_torn() {
    let scene = of_the_day();
    let ended = ended(completed(&scene));
    let (mut flips, mut refused, mut torn) = (0, 0, 0);
    for position in 0..ended.journal.len() {
        for bit in bits(&ended.journal, position) {
            flips += 1;
            let mut given = ended.journal.clone();
            given[position] ^= bit;
            match ended.open(&given) {
                Err(OpenError::Damaged { .. }) => refused += 1,
                Err(error) => panic!("byte {position}, bit {bit}: {error}"),
                Ok(opened) => {
                    let what = format!("byte {position}, bit {bit}");
                    assert!(opened.torn > 0, "{what}: taken as if nothing were wrong");
                    ended.is_a_beginning(&opened, &given, &what);
                    torn += 1;
                }
            }
            if !matches!(std::fs::read(ended.path()), Ok(there) if there.len() <= given.len()) {
                panic!("byte {position}, bit {bit}: it was written to");
            }
        }
    }
    // Only the last newline can be lost so that a beginning is left.
    assert_eq!(torn, bits(&ended.journal, ended.journal.len() - 1).len());
    assert_eq!(refused + torn, flips);
    assert!(flips > ended.journal.len());
}

/// Each bit of each byte of the longest shipped run, by the line: what a whole file would be asked, without what is before it.
#[test]
fn no_bit_of_any_record_can_be_flipped_unseen() {
    let scene = shipped("postgres-planned-failover", Mode::Planned);
    let ended = ended(completed(&scene));
    let (mut prev, mut flips) = (GENESIS.to_string(), 0);
    for (index, text) in ended.texts().into_iter().enumerate() {
        let text = text.strip_suffix(b"\n").unwrap();
        for position in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.to_vec();
                bytes[position] ^= 1 << bit;
                flips += 1;
                // What is not UTF-8 is refused before.
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let read = chain::read(index + 1, &text, &prev, index as u64);
                assert!(read.is_err(), "line {}, byte {position}, bit {bit}", index + 1);
            }
        }
        prev.clone_from(&ended.lines[index].hash);
    }
    assert!(flips > 200_000, "{flips}");
}

#[test]
fn the_plan_of_a_run_flipped_at_every_byte_is_refused_or_means_the_same() {
    let scene = shipped("dns-drain", Mode::Planned);
    let ended = ended(completed(&scene));
    let plan = ended.read(&ended.journal).unwrap().plan;
    let (mut refused, mut same) = (0, 0);
    for position in 0..ended.plan.len() {
        let mut given = ended.plan.clone();
        given[position] ^= 1;
        std::fs::write(ended.folder.join("plan.json"), &given).unwrap();
        match ended.store.read(&ended.id) {
            Err(_) => refused += 1,
            Ok(run) => {
                assert_eq!(run.plan, plan, "byte {position}");
                same += 1;
            }
        }
    }
    // White space alone.
    assert!(same * 10 < refused, "{same} of {} mean the same", refused + same);
}

#[test]
fn a_record_that_is_deleted_doubled_or_swapped_is_seen() {
    let scene = shipped("postgres-planned-failover", Mode::Planned);
    let ended = ended(completed(&scene));
    let texts = ended.texts();
    let damaged = |lines: &[&[u8]], what: &str| match ended.read(&lines.concat()) {
        Err(StoreError::Journal(OpenError::Damaged { .. })) => {}
        other => panic!("{what}: {other:?}"),
    };
    for at in 0..texts.len() {
        let mut doubled = texts.clone();
        doubled.insert(at, texts[at]);
        damaged(&doubled, &format!("record {} doubled", at + 1));
        if at + 1 == texts.len() {
            continue;
        }
        let mut deleted = texts.clone();
        deleted.remove(at);
        damaged(&deleted, &format!("record {} deleted", at + 1));
        for other in at + 1..texts.len() {
            let mut swapped = texts.clone();
            swapped.swap(at, other);
            damaged(&swapped, &format!("records {} and {} swapped", at + 1, other + 1));
        }
    }
    let zeros = [ended.journal.as_slice(), &[0; 512]].concat();
    let opened = ended.open(&zeros).unwrap();
    ended.is_a_beginning(&opened, &zeros, "zeros behind the last record");
    assert_eq!(opened.lines.len(), texts.len());
    // A record whose pages came to disk in another order: its end is there, and its beginning is zeros.
    let mut begins = 0;
    for (at, text) in texts.iter().enumerate() {
        let ends = begins + text.len();
        let mut hole = ended.journal[..ends].to_vec();
        hole[begins..begins + text.len() / 2].fill(0);
        damaged(&[&hole], &format!("record {} begins with zeros", at + 1));
        begins = ends;
    }
}

#[test]
fn the_journal_of_another_run_is_not_taken_for_this_one() {
    let (drain, template) = (shipped("dns-drain", Mode::Planned), shipped("template", Mode::Planned));
    let ended_here = ended(completed(&drain));
    // Of another plan.
    let other = ended(completed(&template));
    assert!(matches!(ended_here.read(&other.journal), Err(StoreError::Changed { .. })));
    // Of the same plan: only its name tells.
    let mut second = Trial::new(&drain);
    second.begin_as(7);
    assert_eq!(second.process(None), End::Verdict(Verdict::Completed));
    let other = ended(second);
    assert!(other.id != ended_here.id && other.plan == ended_here.plan, "the same plan, another run");
    let error = ended_here.read(&other.journal).unwrap_err().to_string();
    assert!(error.contains(&other.id) && error.contains(&ended_here.id), "{error}");
    assert!(!ended_here.store.surely_closed(&ended_here.folder), "it is not known to be closed");
    let (runs, broken) = ended_here.store.runs().unwrap();
    assert!(runs.is_empty() && broken.len() == 1);
    // Nor one that does not begin.
    let headless: Vec<u8> = {
        let body = |line: &Line| line.body.clone();
        let (text, _) = chain::write(0, 5, GENESIS, body(&ended_here.lines[1]));
        format!("{text}\n").into_bytes()
    };
    let error = ended_here.read(&headless).unwrap_err().to_string();
    assert!(error.contains("does not begin"), "{error}");
}

#[test]
fn a_mirror_that_differs_anywhere_is_left_alone_and_told() {
    let scene = shipped("dns-drain", Mode::Planned);
    let ended = ended(completed(&scene));
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join(&ended.id).join("journal.jsonl");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let mirrored = |there: &[u8]| {
        std::fs::write(&copy, there).unwrap();
        let told = Mirror::begin(elsewhere.path(), &ended.folder).finish();
        (told, std::fs::read(&copy).unwrap())
    };
    let mut begins = 0;
    for (at, text) in ended.texts().into_iter().enumerate() {
        let mut there = ended.journal.clone();
        there[begins + text.len() / 2] ^= 1;
        let (told, left) = mirrored(&there);
        assert!(told.unwrap_err().contains("is not a beginning of this journal"), "record {}", at + 1);
        assert!(left == there, "record {}: the other one was written over", at + 1);
        // One that ends there is gone on with.
        let (told, left) = mirrored(&ended.journal[..begins + text.len() / 2]);
        assert!(told.is_ok() && left == ended.journal, "record {}: {told:?}", at + 1);
        begins += text.len();
    }
    // Here the end is missing: there it is the evidence.
    let last = ended.texts().pop().unwrap().len();
    std::fs::write(ended.path(), &ended.journal[..ended.journal.len() - last]).unwrap();
    let (told, left) = mirrored(&ended.journal);
    assert!(told.is_err() && left == ended.journal, "{told:?}");
}

/// A cut between two records leaves no trace in the file (a copy elsewhere shows it): whoever goes on from it looks at the world first, and
/// makes nothing twice.
#[test]
fn a_journal_that_lost_its_end_without_a_trace_makes_nothing_twice() {
    for (runbook, mode) in [("postgres-planned-failover", Mode::Planned), ("dns-drain", Mode::Planned)] {
        let scene = shipped(runbook, mode);
        let whole = ended(completed(&scene));
        let (effects, stands) = (made(&whole.trial.sim), standing(&whole.trial.sim));
        for records in 0..whole.lines.len() {
            let own = ended(completed(&scene));
            std::fs::write(own.path(), own.texts()[..records].concat()).unwrap();
            let mut trial = own.trial;
            let end = trial.process(None);
            let what = format!("{runbook}: {records} records left, {end:?}\n{}", trial.story());
            assert_eq!(made(&trial.sim), effects, "{what}");
            assert_eq!(standing(&trial.sim), stands, "{what}");
            assert!(trial.seen.borrow().wrong.is_empty() && trial.lost().is_empty(), "{what}");
            assert!(matches!(end, End::Verdict(_)), "{what}");
        }
    }
}

#[test]
fn an_empty_journal_is_that_of_a_run_that_did_nothing_yet() {
    let scene = shipped("postgres-planned-failover", Mode::Planned);
    let ended_run = ended(completed(&scene));
    let run = ended_run.read(&[]).unwrap();
    assert!(run.open() && run.lines.is_empty() && run.word() == "interrupted");
    assert!(!ended_run.store.surely_closed(&ended_run.folder), "what it did is not known");
}
