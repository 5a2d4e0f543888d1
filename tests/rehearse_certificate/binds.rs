//! What a certificate is bound to besides the texts: the program itself, what is not dropped, and that no value of a parameter stands in it.

use super::{Certificate, DEMAND, Ended, Site, Value, keep, read_all};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A value that must not be found again.
const CANARY: &str = "canaryvaluethatstaysout";

const FAILOVER: [&str; 8] =
    ["failover", "--runbook", "marks.yaml", "--from", "eu-west", "--to", "us-east", "--yes"];

/// Another build of the same version: what is behind the end of an executable is not looked at by the system.
fn other_build(site: &Site) -> PathBuf {
    let path = site.path("mrctl-of-another-build");
    std::fs::copy(env!("CARGO_BIN_EXE_mrctl"), &path).unwrap();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\0").unwrap();
    path
}

/// Runs another program as the site runs mrctl.
fn with(site: &Site, program: &Path, arguments: &[&str]) -> Ended {
    let mrctl = site.command(arguments);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(mrctl.get_current_dir().unwrap()).env_clear();
    command.envs(mrctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ended::of(command.stdin(std::process::Stdio::null()).output().unwrap())
}

/// Everything below a folder, as one text.
fn everything(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let texts = entries.map(|path| match path.is_dir() {
        true => everything(&path),
        false => format!("{}\n{}", path.display(), std::fs::read_to_string(&path).unwrap()),
    });
    texts.collect()
}

#[test]
fn a_certificate_of_another_build_of_the_same_version_covers_nothing() {
    let site = Site::new(DEMAND);
    site.rehearse(&[]);
    let other = other_build(&site);
    let version = |ended: Ended| ended.out;
    assert_eq!(version(with(&site, &other, &["--version"])), version(site.mrctl(&["--version"])));
    let refused = with(&site, &other, &FAILOVER);
    assert_eq!(refused.code, 5, "{refused:?}");
    let why = "demands: rehearsed just now, 1 fault; it was with another build of mrctl";
    assert!(refused.err.contains("MR0601") && refused.err.contains(why), "{}", refused.err);
    assert!(site.untouched());
    // Each has its own: the other's rehearsal does not take the first one's place.
    let again = with(&site, &other, &["rehearse", "marks.yaml", "--faults", "1"]);
    assert_eq!(again.code, 0, "{again:?}");
    let mut both = site.certificates();
    both.retain(|one| one.from == "eu-west");
    assert!(matches!(both.as_slice(), [one, two] if one.program != two.program), "{both:?}");
    assert_eq!(site.failover(&[]).code, 0);
}

#[test]
fn a_program_that_cannot_be_read_is_no_known_build() {
    let site = Site::new(DEMAND);
    site.rehearse(&[]);
    let path = site.path("mrctl-that-was-replaced");
    std::fs::copy(env!("CARGO_BIN_EXE_mrctl"), &path).unwrap();
    let open = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let program = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), open.as_raw_fd()));
    let refused = with(&site, &program, &FAILOVER);
    assert_eq!(refused.code, 5, "{refused:?}");
    let why = "; which build of mrctl this is could not be found out";
    assert!(refused.err.contains(why) && site.untouched(), "{}", refused.err);
    let before = site.certificates().len();
    let rehearsed =
        with(&site, &program, &["rehearse", "marks.yaml", "--faults", "1", "--set", "word=other"]);
    assert_eq!(rehearsed.code, 0, "{rehearsed:?}");
    assert!(rehearsed.err.contains("no certificate was kept: which build of mrctl this is"), "{rehearsed:?}");
    assert_eq!(site.certificates().len(), before);
}

#[test]
fn many_newer_rehearsals_of_other_texts_do_not_drop_the_one_that_is_demanded() {
    let site = Site::new(DEMAND);
    site.rehearse(&["--from", "eu-west"]);
    let [says] = site.certificates().try_into().unwrap();
    for number in 1..=40_i64 {
        let text: String = format!("{number:064x}").chars().rev().collect();
        let at = says.at + number;
        let other = Certificate { plan: text.clone(), runbook_sha256: text, at, ..says.clone() };
        keep(&site.state(), &other).unwrap();
    }
    assert_eq!(site.failover(&[]).code, 0);
}

#[test]
fn no_value_of_a_parameter_stands_in_a_certificate_or_in_what_is_told_of_it() {
    let site = Site::new(DEMAND);
    let set = format!("word={CANARY}");
    site.rehearse(&["--from", "eu-west", "--set", &set]);
    let kept = everything(&site.path("state"));
    assert!(kept.contains("\"word\"") && !kept.contains(CANARY), "{kept}");
    // What stands against it names the parameter, and neither its value then nor now.
    let refused = site.failover(&["--set", "word=elsewhere"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("; its parameters have other values now (word)"), "{}", refused.err);
    let status = site.mrctl(&["status", "--output", "json"]);
    let dry = site.mrctl(&[
        "drill",
        "--dry-run",
        "--runbook",
        "marks.yaml",
        "--to",
        "us-east",
        "--from",
        "eu-west",
        "--output",
        "json",
    ]);
    for ended in [&refused, &status, &dry] {
        assert!(!ended.out.contains(CANARY) && !ended.err.contains(CANARY), "{ended:?}");
    }
    let document: Value = serde_json::from_str(dry.out.trim()).unwrap();
    let differs = serde_json::json!(["its parameters have other values now (word)"]);
    assert_eq!(document["rehearsal"]["differs"], differs, "{document}");
    // The journal of a run that is covered, and of one that is not: the records of the rehearsal name no value.
    let ended = site.failover(&["--set", &set]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let rehearsed = site.records().remove(1);
    assert_eq!(rehearsed["covered"]["certificate"], read_all(&site.state()).kept[0].sha256.as_str());
    assert!(!rehearsed.to_string().contains(CANARY), "{rehearsed}");
    let site = Site::new(DEMAND);
    site.rehearse(&["--from", "eu-west", "--set", &set]);
    let ended = site.failover(&["--set", "word=elsewhere", "--rehearsal-waived", "fire"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let rehearsed = site.records().remove(1);
    assert!(rehearsed["why"].as_str().unwrap().ends_with("(word)"), "{rehearsed}");
    for text in [everything(&site.path("state")), ended.out, ended.err] {
        assert!(!text.contains(CANARY), "{text}");
    }
}
