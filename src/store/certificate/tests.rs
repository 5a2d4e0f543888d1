use super::*;
use crate::plan::testing::planned;
use crate::plan::{Drill, Plan};
use std::os::unix::fs::PermissionsExt as _;

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_785_232_800_000;

fn plan() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut plan = planned(&folder.join("trial.yaml"), &folder.join("production.yaml")).0.unwrap();
    plan.runbook_sha256 = "a".repeat(64);
    plan.inventory_sha256 = "b".repeat(64);
    plan.parameters.insert("warm_rate".into(), "500".into());
    plan
}

fn certificate(plan: &Plan) -> Certificate {
    Certificate {
        mrctl_certificate: FORMAT,
        environment: plan.environment.clone(),
        runbook: plan.runbook.clone(),
        plan: plan.rehearsal_digest(),
        runbook_sha256: plan.runbook_sha256.clone(),
        inventory_sha256: plan.inventory_sha256.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        mode: plan.mode,
        parameters: Parameters::of(plan),
        kinds: plan.kinds.clone(),
        version: "1".into(),
        program: "p".into(),
        tables: "t".into(),
        faults: 2,
        states: 1000,
        moves: 2000,
        elapsed_ms: 300,
        start: Start { from: StartFrom::Inventory, digest: "0".repeat(32) },
        accepted: Vec::new(),
        at: NOW - 3 * DAY,
        operator: "ada".into(),
        host: "bastion".into(),
    }
}

const MRCTL: Mrctl<'_> = Mrctl { version: "1", tables: "t", program: &|| Some("p".into()) };

const DEMAND: Demand = Demand { required: true, max_age_ms: Some(30 * DAY as u64), faults: 2 };

/// What is so of a plan with these certificates.
fn judged(kept: &[Certificate], plan: &Plan, demand: Demand) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    kept.iter().for_each(|one| drop(keep(folder.path(), one).unwrap()));
    judge(&read_all(folder.path()), Wanted::of(plan), demand, MRCTL, NOW)
}

#[test]
fn a_certificate_is_read_back_as_it_was_kept_and_is_its_owners_alone() {
    let (folder, says) = (tempfile::tempdir().unwrap(), certificate(&plan()));
    let kept = keep(&folder.path().join("state"), &says).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept.path), mode(kept.path.parent().unwrap())), (0o600, 0o700));
    let all = read_all(&folder.path().join("state"));
    assert_eq!((all.kept, all.refused), (vec![kept.clone()], vec![]));
    assert_eq!(kept.says, says);
    let names = fs::read_dir(kept.path.parent().unwrap()).unwrap().count();
    assert_eq!(names, 1, "something was left beside it");
    // The same again takes its place; fewer faults do not.
    let again = Certificate { at: NOW, ..says.clone() };
    let weaker = Certificate { at: NOW, faults: 1, ..says };
    keep(&folder.path().join("state"), &again).unwrap();
    keep(&folder.path().join("state"), &weaker).unwrap();
    let mut faults: Vec<_> =
        read_all(&folder.path().join("state")).kept.iter().map(|one| one.says.faults).collect();
    faults.sort_unstable();
    assert_eq!(faults, [1, 2]);
}

#[test]
fn a_folder_that_is_not_there_has_none_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_all(folder.path()), Certificates::default());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_was_edited_counts_for_nothing() {
    let plan = plan();
    for (from, to) in [
        ("\"faults\": 2", "\"faults\": 3"),
        ("\"operator\": \"ada\"", "\"operator\": \"eve\""),
        ("2026-07-25", "2026-07-28"),
        ("\"mrctl_certificate\": 2", "\"mrctl_certificate\": 2, \"more\": true"),
        ("\"sha256\": \"", "\"sha256\": \"0"),
        ("{", "["),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let kept = keep(folder.path(), &certificate(&plan)).unwrap();
        let text = fs::read_to_string(&kept.path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&kept.path, text.replacen(from, to, 1)).unwrap();
        let all = read_all(folder.path());
        assert_eq!((all.kept.len(), all.refused.len()), (0, 1), "{to}");
        let judged = judge(&all, Wanted::of(&plan), DEMAND, MRCTL, NOW);
        assert!(judged.unmet() && judged.best.is_none() && judged.refused.len() == 1, "{to}: {judged:?}");
    }
}

#[test]
fn another_format_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let says = Certificate { mrctl_certificate: 1, ..certificate(&plan()) };
    keep(folder.path(), &says).unwrap();
    let all = read_all(folder.path());
    assert!(all.kept.is_empty() && all.refused[0].1.contains("another format"), "{all:?}");
}

#[test]
fn neither_what_was_seen_of_servers_nor_a_drill_matters() {
    let rehearsed = plan();
    let mut seen = rehearsed.clone();
    seen.identity.insert("orders in eu-west: system".into(), "7".into());
    assert_ne!(seen.digest(), rehearsed.digest());
    assert!(judged(&[certificate(&rehearsed)], &seen, DEMAND).covers().is_some());
    seen.drill = Drill::DryRun;
    assert!(judged(&[certificate(&rehearsed)], &seen, DEMAND).covers().is_some());
}

#[test]
fn each_thing_that_stands_against_a_certificate_is_told() {
    let (plan, good) = (plan(), certificate(&plan()));
    let covered = judged(std::slice::from_ref(&good), &plan, DEMAND);
    assert!(covered.covers().is_some() && !covered.unmet(), "{covered:?}");
    assert_eq!(covered.age_ms, 3 * DAY as u64);
    let changed = |change: fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        judged(std::slice::from_ref(&good), &plan, DEMAND).differs
    };
    assert_eq!(changed(|plan| plan.runbook_sha256 = "c".repeat(64)), [Differs::Runbook]);
    assert_eq!(changed(|plan| plan.inventory_sha256 = "c".repeat(64)), [Differs::Inventory]);
    assert_eq!(
        changed(|plan| drop(plan.parameters.insert("warm_rate".into(), "800".into()))),
        [Differs::Parameters(plan.parameters.keys().cloned().collect())]
    );
    assert_eq!(
        changed(|plan| plan.kinds.values_mut().for_each(|version| *version += 1)).len(),
        plan.kinds.len()
    );
    assert_eq!(changed(|plan| plan.steps[0].retries += 1), [Differs::Plan]);
    let other = |change: fn(&mut Certificate)| {
        let mut says = good.clone();
        change(&mut says);
        judged(&[says], &plan, DEMAND).differs
    };
    assert_eq!(other(|says| says.version = "0".into()), [Differs::Version("0".into())]);
    assert_eq!(other(|says| says.program = "q".into()), [Differs::Program]);
    assert_eq!(other(|says| says.tables = "u".into()), [Differs::Tables]);
    assert_eq!(other(|says| says.faults = 1), [Differs::Faults(2)]);
    assert_eq!(other(|says| says.at = NOW - 30 * DAY - 1), [Differs::Old(30 * DAY as u64)]);
    assert_eq!(other(|says| says.at = NOW - 30 * DAY), []);
    assert_eq!(other(|says| says.at = NOW + DAY), [Differs::Future]);
    assert_eq!(other(|says| says.at = NOW + 60_000), []);
    for change in [
        |says: &mut Certificate| says.runbook = "other".into(),
        |says: &mut Certificate| says.environment = "staging".into(),
        |says: &mut Certificate| (says.from, says.to) = ("us-east".into(), "eu-west".into()),
    ] {
        let mut says = good.clone();
        change(&mut says);
        assert_eq!(judged(&[says], &plan, DEMAND).best, None);
    }
}

#[test]
fn an_older_certificate_that_covers_wins_over_a_newer_one_that_does_not() {
    let plan = plan();
    let (old, new) = (certificate(&plan), Certificate { at: NOW, faults: 1, ..certificate(&plan) });
    let judged = judged(&[old.clone(), new], &plan, DEMAND);
    assert_eq!(judged.covers().map(|kept| &kept.says), Some(&old));
}

#[test]
fn what_nobody_demands_stands_against_nothing() {
    let plan = plan();
    let says = Certificate { at: NOW - 400 * DAY, faults: 0, ..certificate(&plan) };
    let judged = judged(&[says], &plan, Demand::of(None));
    assert!(judged.covers().is_some() && !judged.unmet(), "{judged:?}");
    assert!(!judged_none(&plan).unmet());
}

fn judged_none(plan: &Plan) -> Judged {
    judged(&[], plan, Demand::of(None))
}

#[test]
fn a_program_that_nobody_knows_is_not_the_same_and_is_asked_for_only_where_it_matters() {
    let plan = plan();
    let folder = tempfile::tempdir().unwrap();
    let asked = std::cell::Cell::new(0);
    let unknown = || {
        asked.set(asked.get() + 1);
        None
    };
    let mrctl = Mrctl { program: &unknown, ..MRCTL };
    let judged = || judge(&read_all(folder.path()), Wanted::of(&plan), Demand::of(None), mrctl, NOW);
    assert_eq!((judged().best, asked.get()), (None, 0));
    keep(folder.path(), &certificate(&plan)).unwrap();
    let found = judged();
    assert!(found.covers().is_none(), "{found:?}");
    assert_eq!((found.differs, asked.get()), (vec![Differs::ProgramUnknown], 1));
}

#[test]
fn where_a_parameter_has_no_value_yet_the_texts_alone_are_compared() {
    let plan = plan();
    let folder = tempfile::tempdir().unwrap();
    let parameters = Parameters { names: vec!["ticket".into()], sha256: "c".repeat(64) };
    keep(folder.path(), &Certificate { parameters, plan: "d".repeat(64), ..certificate(&plan) }).unwrap();
    let wanted = Wanted { plan: None, ..Wanted::of(&plan) };
    let judged = |wanted| judge(&read_all(folder.path()), wanted, DEMAND, MRCTL, NOW).differs;
    assert_eq!(judged(wanted), []);
    assert_eq!(judged(Wanted { runbook_sha256: "e", ..wanted }), [Differs::Runbook]);
    assert!(!judged(Wanted::of(&plan)).is_empty());
}

#[test]
fn values_of_parameters_are_told_apart_and_stand_nowhere() {
    let plan = plan();
    let folder = tempfile::tempdir().unwrap();
    let kept = keep(folder.path(), &certificate(&plan)).unwrap();
    let text = fs::read_to_string(&kept.path).unwrap();
    assert!(text.contains("\"warm_rate\"") && !text.contains("\"500\""), "{text}");
    let digest = |change: fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        Parameters::of(&plan).sha256
    };
    let ways: [fn(&mut Plan); 4] = [
        |_| {},
        |plan| drop(plan.parameters.insert("warm_rate".into(), "501".into())),
        |plan| {
            let value = plan.parameters.remove("warm_rate").unwrap();
            plan.parameters.insert("warm_rate5".into(), value[1..].into());
        },
        |plan| plan.runbook_sha256 = "c".repeat(64),
    ];
    let all: std::collections::BTreeSet<String> = ways.into_iter().map(digest).collect();
    assert_eq!(all.len(), 4);
}

#[test]
fn what_is_of_another_start_parameter_program_or_number_of_faults_stands_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let says = certificate(&plan());
    let ways: [fn(&mut Certificate); 8] = [
        |_| {},
        |says| says.runbook_sha256 = "c".repeat(64),
        |says| says.inventory_sha256 = "c".repeat(64),
        |says| says.parameters.sha256 = "c".repeat(64),
        |says| says.program = "q".into(),
        |says| says.faults = 1,
        |says| says.start.digest = "1".repeat(32),
        |says| (says.from, says.to) = (says.to.clone(), says.from.clone()),
    ];
    for at in [NOW - DAY, NOW] {
        for way in ways {
            let mut other = Certificate { at, ..says.clone() };
            way(&mut other);
            keep(folder.path(), &other).unwrap();
        }
    }
    let all = read_all(folder.path()).kept;
    assert_eq!((all.len(), all.iter().all(|kept| kept.says.at == NOW)), (ways.len(), true), "{all:?}");
}

/// As if these were kept: the first is the oldest.
fn those_that_go(all: Vec<Certificate>) -> Vec<Certificate> {
    let kept = all.into_iter().enumerate().map(|(number, says)| {
        let at = NOW + number as i64;
        Kept { says: Certificate { at, ..says }, sha256: format!("{number:064x}"), path: PathBuf::new() }
    });
    forget::too_many(kept.collect()).into_iter().map(|kept| kept.says).collect()
}

#[test]
fn of_too_many_those_of_texts_that_were_left_behind_go_first_and_the_oldest_of_them() {
    let says = certificate(&plan());
    let of = |text: usize| Certificate { runbook_sha256: format!("{text:064x}"), ..says.clone() };
    let back = Certificate { from: says.to.clone(), to: says.from.clone(), ..says.clone() };
    let other_word = Certificate {
        parameters: Parameters { sha256: "c".repeat(64), ..says.parameters.clone() },
        ..says.clone()
    };
    // The oldest of all are the only one of its direction, and one of the text that was rehearsed last.
    let mut all = vec![back, other_word];
    all.extend((0..forget::MOST).map(of));
    all.push(says.clone());
    let gone = those_that_go(all);
    let texts: Vec<&str> = gone.iter().map(|says| says.runbook_sha256.as_str()).collect();
    let wanted: Vec<String> = (0..3).map(|text| of(text).runbook_sha256).collect();
    assert_eq!(texts, wanted);
    assert!(those_that_go((0..forget::MOST).map(of).collect()).is_empty());
}

#[test]
fn another_build_leaves_the_certificates_of_the_one_before_behind() {
    let says = certificate(&plan());
    let of = |word: usize| {
        let sha256 = format!("{word:064x}");
        Certificate { parameters: Parameters { sha256, ..says.parameters.clone() }, ..says.clone() }
    };
    let mut all: Vec<Certificate> = (0..forget::MOST).map(of).collect();
    all.push(Certificate { program: "q".into(), ..says.clone() });
    let gone = those_that_go(all);
    assert_eq!((gone.len(), &gone[0].parameters), (1, &of(0).parameters));
}

#[test]
fn the_newest_of_each_number_of_faults_outlasts_any_number_of_other_parameters() {
    let says = certificate(&plan());
    let of = |word: usize| {
        let sha256 = format!("{word:064x}");
        Certificate { parameters: Parameters { sha256, ..says.parameters.clone() }, ..says.clone() }
    };
    let deep = Certificate { faults: 3, ..says.clone() };
    let mut all = vec![deep];
    all.extend((0..forget::MOST + 5).map(of));
    let gone = those_that_go(all);
    let words: Vec<&str> = gone.iter().map(|says| says.parameters.sha256.as_str()).collect();
    let wanted: Vec<String> = (0..6).map(|word| of(word).parameters.sha256).collect();
    assert_eq!(words, wanted, "what a policy with three faults asks for is gone, or another");
    // What can be asked for next stays, even if there are too many of it.
    let each = |runbook: usize| Certificate { runbook: runbook.to_string(), ..says.clone() };
    assert!(those_that_go((0..forget::MOST + 5).map(each).collect()).is_empty());
}
