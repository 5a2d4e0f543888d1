use super::*;
use crate::plan::Drill;
use crate::plan::testing::planned;
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
        parameters: plan.parameters.clone(),
        kinds: plan.kinds.clone(),
        version: "1".into(),
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

const DEMAND: Demand = Demand { required: true, max_age_ms: Some(30 * DAY as u64), faults: 2 };

/// What is so of a plan with these certificates.
fn judged(kept: &[Certificate], plan: &Plan, demand: Demand) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    kept.iter().for_each(|one| drop(keep(folder.path(), one).unwrap()));
    judge(&read_all(folder.path()), plan, demand, "1", "t", NOW)
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
        ("\"mrctl_certificate\": 1", "\"mrctl_certificate\": 1, \"more\": true"),
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
        let judged = judge(&all, &plan, DEMAND, "1", "t", NOW);
        assert!(judged.unmet() && judged.best.is_none() && judged.refused.len() == 1, "{to}: {judged:?}");
    }
}

#[test]
fn another_format_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let says = Certificate { mrctl_certificate: 2, ..certificate(&plan()) };
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
        [Differs::Parameter("warm_rate".into(), "500".into(), "800".into())]
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
fn the_oldest_of_too_many_are_forgotten_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let says = certificate(&plan());
    let back =
        Certificate { from: says.to.clone(), to: says.from.clone(), plan: "back".repeat(8), ..says.clone() };
    keep(folder.path(), &Certificate { at: 0, ..back.clone() }).unwrap();
    for number in 0..40_i64 {
        let plan = format!("{number:064}").chars().rev().collect();
        keep(folder.path(), &Certificate { plan, at: NOW + number, ..says.clone() }).unwrap();
    }
    let all = read_all(folder.path()).kept;
    let oldest = all.iter().filter(|kept| kept.says.from == says.from).map(|kept| kept.says.at).min();
    assert_eq!((all.len(), oldest), (MOST + 1, Some(NOW + 8)));
}
