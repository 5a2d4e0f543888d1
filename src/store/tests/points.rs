//! A run that dies at any call of the journal's path, over every shipped runbook: whoever resumes comes to the state of the run that
//! was not interrupted, and nothing is done twice.

use super::disk::{Call, Death, Part};
use super::effects::{made, standing, unannounced};
use super::life::{End, Trial};
use super::scene::{Scene, shipped};
use crate::engine::record::{Record, Verdict};
use crate::engine::state::Flight;
use crate::plan::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Every shipped runbook that can run in a mode, in each.
const RUNBOOKS: [(&str, Mode); 7] = [
    ("postgres-planned-failover", Mode::Planned),
    ("postgres-shutdown-failover", Mode::Planned),
    ("postgres-failover", Mode::Planned),
    ("postgres-failover", Mode::Unplanned),
    ("dns-drain", Mode::Planned),
    ("template", Mode::Planned),
    ("postgres-reprotect", Mode::Planned),
];

/// Those in which two processes die, on an ordinary day: one with a promotion, one with a fence and a promotion, one with neither.
const OF_THE_DAY: [(&str, Mode); 3] = [
    ("postgres-planned-failover", Mode::Planned),
    ("postgres-failover", Mode::Unplanned),
    ("dns-drain", Mode::Planned),
];

/// The run that nothing interrupted.
struct Whole {
    calls: Vec<Call>,
    made: BTreeMap<String, usize>,
    standing: BTreeMap<String, String>,
    world: String,
}

fn world_line(trial: &Trial<'_>) -> String {
    let run = trial.run();
    let last = run.as_ref().and_then(|run| run.lines.iter().rev().find_map(|(_, record)| ended(record)));
    last.unwrap_or_default()
}

fn ended(record: &Record) -> Option<String> {
    match record {
        Record::Ended { world, .. } => Some(world.clone()),
        _ => None,
    }
}

fn whole(scene: &Scene) -> Whole {
    let mut trial = Trial::new(scene);
    let end = trial.process(None);
    assert_eq!(end, End::Verdict(Verdict::Completed), "{}: {}", scene.name, trial.story());
    let seen = trial.seen.borrow().wrong.clone();
    assert!(seen.is_empty() && trial.lost().is_empty(), "{}: {seen:?}", scene.name);
    Whole {
        calls: trial.calls(),
        made: made(&trial.sim),
        standing: standing(&trial.sim),
        world: world_line(&trial),
    }
}

/// What became of the points of one runbook.
#[derive(Default)]
struct Tally {
    points: usize,
    /// Points after which disk and world are not as after another one: only these have to be gone on from.
    distinct: usize,
    /// Went on to the state of the run that nothing interrupted.
    same: usize,
    /// Ended as paused or unknown, with the true state shown; whoever came next went on to the same state.
    paused: usize,
    /// Waits for a person's word that a command has ended which may still run: never a second one beside it.
    waits: usize,
    wrong: Vec<String>,
}

/// What is on disk and in the world, in short.
fn fingerprint(trial: &Trial<'_>) -> String {
    let sim = &trial.sim;
    let mut text = format!("{:?} {:?} {:?}", made(sim), sim.postgres.done(), standing(sim));
    for (path, content) in trial.files() {
        let hash = {
            use sha2::{Digest as _, Sha256};
            hex::encode(Sha256::digest(&content))
        };
        let _ = write!(text, " {path} {hash}");
    }
    text
}

/// Whether a world line says where writes go.
fn tells_writes(trial: &Trial<'_>, line: &str) -> bool {
    let mut clusters = trial.clusters().into_iter();
    clusters.all(|cluster| match trial.sim.postgres.writable(&cluster).as_slice() {
        [] => line.contains("nowhere"),
        [one] => line.contains(&format!("writes: {one}")) || line.contains("not known"),
        _ => false,
    })
}

/// Whether a command of this run may still run, of which there must not be two.
fn once_in_doubt(trial: &Trial<'_>) -> bool {
    let Some(run) = trial.run() else { return false };
    run.plan.effects().any(|(s, e, planned)| {
        let intent = run.state.steps[s].effects[e].intent.as_ref();
        planned.effect.once && intent.is_some_and(|intent| matches!(intent.flight, Flight::InDoubt { .. }))
    })
}

/// Dies there, and is gone on with. `fates`: what happens to each process but the last.
fn point(
    scene: &Scene,
    whole: &Whole,
    fates: &[(usize, Death)],
    states: &mut BTreeSet<String>,
    tally: &mut Tally,
) {
    let mut trial = Trial::new(scene);
    tally.points += 1;
    for fate in fates {
        let end = trial.process(Some(*fate));
        if !matches!(end, End::Died | End::JournalFailed) {
            // It never came there: what it did is judged like any other end.
            break;
        }
    }
    if !states.insert(fingerprint(&trial)) {
        return;
    }
    tally.distinct += 1;
    let secret = unannounced(&trial.sim, &trial.records());
    let mut wrong: Vec<String> = Vec::new();
    if !secret.is_empty() {
        wrong.push(format!("changed, and no intent is left of it: {secret:?}"));
    }
    let mut end = trial.process(None);
    let mut paused = false;
    for _ in 0..2 {
        let End::Verdict(Verdict::Paused | Verdict::Unknown) = end else { break };
        paused = true;
        let line = world_line(&trial);
        if !tells_writes(&trial, &line) {
            wrong.push(format!("{end:?} and does not tell what is so: {line}"));
        }
        end = trial.process(None);
    }
    if matches!(end, End::Verdict(Verdict::Paused | Verdict::Unknown))
        && wrong.is_empty()
        && once_in_doubt(&trial)
    {
        tally.waits += 1;
        assert!(trial.seen.borrow().wrong.is_empty() && trial.lost().is_empty(), "{}", trial.story());
        return;
    }
    if !matches!(end, End::Verdict(Verdict::Completed) | End::Closed(Some(Verdict::Completed))) {
        wrong.push(format!("ended as {end:?}"));
    }
    let (now_made, now_standing) = (made(&trial.sim), standing(&trial.sim));
    if now_made != whole.made {
        wrong.push(format!("made {now_made:?} instead of {:?}", whole.made));
    }
    if now_standing != whole.standing {
        wrong.push(format!("stands as {now_standing:?} instead of {:?}", whole.standing));
    }
    if world_line(&trial) != whole.world {
        wrong.push(format!("says {} instead of {}", world_line(&trial), whole.world));
    }
    let lost = trial.lost();
    if !lost.is_empty() {
        wrong.push(format!("lost {lost:?}"));
    }
    let seen = trial.seen.borrow().wrong.clone();
    if !seen.is_empty() {
        wrong.push(format!("{seen:?}"));
    }
    if !wrong.is_empty() {
        let story = if tally.wrong.is_empty() { trial.story() } else { String::new() };
        tally.wrong.push(format!("{} {fates:?}: {}\n{story}", scene.name, wrong.join("\n")));
    }
    match paused {
        true => tally.paused += 1,
        false => tally.same += 1,
    }
}

/// Every call of the run that nothing interrupts, in every way in which it can go wrong.
fn points(scene: &Scene) -> (Tally, usize) {
    let whole = whole(scene);
    let (mut tally, mut states) = (Tally::default(), BTreeSet::new());
    for (at, call) in whole.calls.iter().enumerate() {
        for death in call.deaths() {
            point(scene, &whole, &[(at, death)], &mut states, &mut tally);
        }
    }
    (tally, whole.calls.len())
}

/// A process that dies in the middle of a record, and the one that comes next at every call of its own. `all`: of each record; else of the
/// one in the middle of the run.
fn twice(scene: &Scene, all: bool) -> Tally {
    let whole = whole(scene);
    let (mut tally, mut states) = (Tally::default(), BTreeSet::new());
    let calls = whole.calls.iter().enumerate();
    // The first is the plan's.
    let records: Vec<usize> =
        calls.filter(|(_, call)| **call == Call::Write).map(|(at, _)| at).skip(1).collect();
    let middle = records.len() / 2;
    for first in if all { &records[..] } else { &records[middle..=middle] } {
        let first = (*first, Death::Within(Part::Half));
        let mut second = Trial::new(scene);
        second.process(Some(first));
        second.process(None);
        for (at, call) in second.calls().iter().enumerate() {
            for death in call.deaths() {
                point(scene, &whole, &[first, (at, death)], &mut states, &mut tally);
            }
        }
    }
    tally
}

/// Each runbook on a thread of its own.
fn each<T: Send>(runbooks: &[(&'static str, Mode)], of: impl Fn(&Scene) -> T + Sync) -> Vec<(String, T)> {
    std::thread::scope(|scope| {
        let of = &of;
        let begin = |(runbook, mode): &(&'static str, Mode)| {
            let (runbook, mode) = (*runbook, *mode);
            scope.spawn(move || {
                let scene = shipped(runbook, mode);
                let result = of(&scene);
                (scene.name, result)
            })
        };
        let threads: Vec<_> = runbooks.iter().map(begin).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[expect(clippy::disallowed_macros, reason = "for whoever reads the figures: cargo nextest run --no-capture")]
fn print(lines: &[String]) {
    println!("{}", lines.join("\n"));
}

fn sound(tally: &Tally, name: &str) {
    assert!(
        tally.wrong.is_empty(),
        "{name}: {} points are wrong; the first:\n{}",
        tally.wrong.len(),
        tally.wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n\n")
    );
}

#[test]
fn at_every_crash_point_of_every_shipped_runbook_a_resume_comes_to_the_same_state_and_nothing_is_done_twice()
{
    let tallies = each(&RUNBOOKS, points);
    let mut lines = vec![
        "runbook | calls | points | distinct states | same state | paused, then the same | waits for a word"
            .to_string(),
    ];
    let line = |name: &str, calls: usize, t: &Tally| {
        let Tally { points, distinct, same, paused, waits, .. } = t;
        format!("{name} | {calls} | {points} | {distinct} | {same} | {paused} | {waits}")
    };
    lines.extend(tallies.iter().map(|(name, (tally, calls))| line(name, *calls, tally)));
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(|(_, (tally, _))| of(tally)).sum::<usize>();
    let (points, distinct) = (sum(|t| t.points), sum(|t| t.distinct));
    let (same, paused, waits) = (sum(|t| t.same), sum(|t| t.paused), sum(|t| t.waits));
    lines.push(format!("all | | {points} | {distinct} | {same} | {paused} | {waits}"));
    print(&lines);
    for (name, (tally, calls)) in &tallies {
        sound(tally, name);
        assert!(*calls > 40 && tally.distinct > 100, "{name}: {calls} calls, {} states", tally.distinct);
        assert_eq!(tally.same + tally.paused + tally.waits, tally.distinct, "{name}");
    }
    assert!(points >= 1_000 && distinct >= 1_000, "{points} points, {distinct} states");
}

#[test]
fn whoever_resumes_may_die_at_every_call_too() {
    let all = std::env::var_os("MRCTL_TEST_NIGHTLY").is_some();
    let tallies = each(if all { &RUNBOOKS } else { &OF_THE_DAY }, |scene| twice(scene, all));
    let line = |(name, t): &(String, Tally)| format!("{name} | {} points | {} states", t.points, t.distinct);
    print(&tallies.iter().map(line).collect::<Vec<_>>());
    for (name, tally) in &tallies {
        sound(tally, name);
        assert!(tally.distinct > 50, "{name}: {}", tally.distinct);
    }
}

/// What the tests above are worth: on a disk that forgets what was synced, which is the same as a journal that does not sync, changes are
/// found of which no intent is left.
#[test]
fn a_journal_that_would_not_sync_its_intents_is_caught() {
    let scene = shipped("postgres-planned-failover", Mode::Planned);
    let whole = whole(&scene);
    let mut caught = 0;
    for at in (0..whole.calls.len()).step_by(5) {
        for lies in [false, true] {
            let mut trial = Trial::new(&scene);
            trial.disk.lies.set(lies);
            trial.process(Some((at, Death::Power)));
            let secret = unannounced(&trial.sim, &trial.records());
            assert!(lies || secret.is_empty(), "call {at}: {secret:?}");
            caught += usize::from(!secret.is_empty());
        }
    }
    assert!(caught > 3, "only {caught} were seen");
}
