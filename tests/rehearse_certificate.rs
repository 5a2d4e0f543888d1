//! Certificates of rehearsals, as a user meets them: kept, demanded before a failover, waived, shown. The runbook makes a file, so no server is needed.

mod binds;

use mrctl::store::certificate::{Certificate, keep, read_all};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DAY: i64 = 86_400_000;

const DEMAND: &str = "rehearsal: { required: true, max_age: 30d, faults: 1 }\n";

/// A folder with an inventory, a runbook beside it, and a state folder that is not there yet.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(demand: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        let inventory =
            format!("mrctl: 1\nname: nowhere\n{demand}regions: {{ eu-west: {{}}, us-east: {{}} }}\n");
        std::fs::write(site.path("mrctl.yaml"), inventory).unwrap();
        let mark = site.path("mark").display().to_string();
        let text = format!(
            "mrctl: 1\nname: marks\ntitle: Make a mark in ${{to}}\nparameters:\n  word: {{ type: text, default: there, pattern: \"[a-z]+\" }}\n\
             steps:\n  - id: mark\n    exec:\n      command: [touch, {mark}]\n      effect: a mark is made ${{word}}\n      \
             look: [test, -e, {mark}]\n      undo: [rm, {mark}]\n"
        );
        std::fs::write(site.path("marks.yaml"), text).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mrctl"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("USER", "ada"), ("COLUMNS", "400")])
            .env("MRCTL_STATE_DIR", self.state())
            .stdin(Stdio::null());
        command
    }

    fn mrctl(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    fn rehearse(&self, more: &[&str]) {
        let arguments = [&["rehearse", "marks.yaml", "--faults", "1"], more].concat();
        let ended = self.mrctl(&arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    fn failover(&self, more: &[&str]) -> Ended {
        let to = ["failover", "--runbook", "marks.yaml", "--from", "eu-west", "--to", "us-east", "--yes"];
        self.mrctl(&[&to, more].concat())
    }

    /// Nothing was touched, and no run was begun.
    fn untouched(&self) -> bool {
        let runs = std::fs::read_dir(self.state().join("runs")).map_or(0, Iterator::count);
        runs == 0 && !self.path("mark").exists()
    }

    fn certificates(&self) -> Vec<Certificate> {
        let all = read_all(&self.state());
        assert_eq!(all.refused, []);
        all.kept.into_iter().map(|kept| kept.says).collect()
    }

    /// Makes every certificate another one, as if it had been so from the start.
    fn as_if(&self, change: fn(&mut Certificate)) {
        let all = read_all(&self.state()).kept;
        assert!(!all.is_empty());
        for mut kept in all {
            std::fs::remove_file(&kept.path).unwrap();
            change(&mut kept.says);
            keep(&self.state(), &kept.says).unwrap();
        }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }

    /// The records of the only run.
    fn records(&self) -> Vec<Value> {
        let runs: Vec<_> = std::fs::read_dir(self.state().join("runs")).unwrap().flatten().collect();
        let [run] = runs.as_slice() else { panic!("{} runs", runs.len()) };
        let run = run.file_name().to_string_lossy().into_owned();
        let shown = self.mrctl(&["audit", "show", &run, "--output", "json"]);
        shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

#[test]
fn a_rehearsal_that_finds_nothing_keeps_a_certificate_for_each_direction() {
    let site = Site::new("");
    let ended =
        site.mrctl(&["rehearse", "marks.yaml", "--faults", "1", "--set", "word=here", "--output", "json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let all = site.certificates();
    let mut directions: Vec<_> = all.iter().map(|one| (one.from.as_str(), one.to.as_str())).collect();
    directions.sort_unstable();
    assert_eq!(directions, [("eu-west", "us-east"), ("us-east", "eu-west")]);
    for one in &all {
        assert_eq!((one.runbook.as_str(), one.environment.as_str(), one.faults), ("marks", "nowhere", 1));
        assert_eq!((one.parameters.names.as_slice(), one.kinds["exec"]), (["word".to_owned()].as_slice(), 1));
        assert_eq!((one.version.as_str(), one.operator.as_str()), (env!("CARGO_PKG_VERSION"), "ada"));
        assert!(one.states > 50 && one.moves >= one.states && one.accepted.is_empty(), "{one:?}");
    }
    let named: Vec<String> = ended
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["report"]["certificate"].as_str().unwrap().into()
        })
        .collect();
    let mut kept: Vec<String> = read_all(&site.state()).kept.into_iter().map(|kept| kept.sha256).collect();
    kept.sort();
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    assert_eq!(sorted(named), kept);
    // The same again is the same start, in another process; and takes the place of the first.
    let starts = |all: Vec<Certificate>| all.into_iter().map(|one| one.start.digest).collect::<Vec<_>>();
    site.rehearse(&["--set", "word=here"]);
    assert_eq!(starts(site.certificates()), starts(all));
}

#[test]
fn a_rehearsal_that_finds_something_or_is_not_to_be_certified_keeps_none() {
    let site = Site::new("");
    site.rehearse(&["--no-certificate"]);
    assert!(!site.state().exists());
    // Without a look nobody can tell: not covered.
    let text = std::fs::read_to_string(site.path("marks.yaml")).unwrap();
    let blind: String = text
        .lines()
        .filter(|line| !line.contains("look:") && !line.contains("undo:"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(site.path("marks.yaml"), blind).unwrap();
    let ended = site.mrctl(&["rehearse", "marks.yaml", "--faults", "1"]);
    assert_eq!(ended.code, 10, "{ended:?}");
    assert!(!site.state().exists());
    site.rehearse(&["--accept-not-covered", "mark", "--from", "eu-west"]);
    let all = site.certificates();
    let accepted: Vec<_> = all.iter().map(|one| one.accepted.as_slice()).collect();
    assert_eq!(accepted, [["mark".to_owned()]]);
}

#[test]
fn a_rehearsal_without_a_state_folder_is_as_good_and_says_that_no_certificate_was_kept() {
    let site = Site::new("");
    let arguments = ["rehearse", "marks.yaml", "--faults", "1", "--from", "eu-west"];
    let nowhere = Ended::of(site.command(&arguments).env_remove("MRCTL_STATE_DIR").output().unwrap());
    assert_eq!(nowhere.code, 0, "{nowhere:?}");
    assert!(nowhere.err.contains("no certificate was kept: there is no state folder"), "{nowhere:?}");
    // A file where the folder would be.
    std::fs::write(site.state(), "").unwrap();
    let unwritable = site.mrctl(&arguments);
    assert_eq!(unwritable.code, 0, "{unwritable:?}");
    assert!(unwritable.err.contains("no certificate was kept: ") && unwritable.out.contains("complete for"));
}

#[test]
fn a_failover_that_was_not_rehearsed_as_demanded_is_refused_before_anything_is_touched() {
    let site = Site::new(DEMAND);
    let refused = |why: &str, more: &[&str]| {
        let ended = site.failover(more);
        assert_eq!(ended.code, 5, "{why}: {ended:?}");
        assert!(ended.err.contains("MR0601") && ended.err.contains(why), "{why}: {}", ended.err);
        assert!(site.untouched(), "{why}");
        ended
    };
    let never = refused("never rehearsed", &["--set", "word=here"]);
    let command = "`mrctl rehearse marks.yaml --from eu-west --to us-east --set word=here`";
    assert!(never.err.contains(command), "{}", never.err);
    assert!(!site.state().exists(), "a question has made the state folder");
    // The way back does not cover the way there.
    site.rehearse(&["--from", "us-east"]);
    refused("never rehearsed", &[]);
    site.rehearse(&[]);
    refused("its parameters have other values now (word)", &["--set", "word=here"]);
    site.edit("marks.yaml", "title: Make", "title: Set");
    refused("the runbook was changed since", &[]);
    site.edit("marks.yaml", "title: Set", "title: Make");
    site.edit("mrctl.yaml", "faults: 1", "faults: 2");
    refused("the inventory was changed since; the inventory demands 2 faults", &[]);
    site.edit("mrctl.yaml", "faults: 2", "faults: 1");
    site.as_if(|one| one.version = "0.0.9".into());
    refused("it was with mrctl 0.0.9, and this is ", &[]);
    site.as_if(|one| {
        one.version = env!("CARGO_PKG_VERSION").into();
        one.tables = "0".repeat(64);
    });
    refused("it tried other faults", &[]);
    site.rehearse(&[]);
    site.as_if(|one| one.at -= 40 * DAY);
    refused("rehearsed 40 days ago, 1 fault; the inventory allows 30d", &[]);
    site.rehearse(&[]);
    let ended = site.failover(&[]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(site.path("mark").exists());
    let records = site.records();
    assert_eq!((&records[0]["type"], &records[2]["type"]), (&"created".into(), &"opened".into()));
    let rehearsed = &records[1];
    assert_eq!((&rehearsed["type"], &rehearsed["required"]), (&"rehearsed".into(), &true.into()));
    let kept = read_all(&site.state()).kept;
    let there =
        kept.iter().filter(|kept| kept.says.from == "eu-west").max_by_key(|kept| kept.says.at).unwrap();
    assert_eq!(rehearsed["covered"]["certificate"], there.sha256.as_str());
    assert_eq!((&rehearsed["covered"]["faults"], &rehearsed["waived"]), (&1.into(), &"".into()));
    assert!(rehearsed["covered"]["age_ms"].as_u64().unwrap() < 600_000);
}

#[test]
fn an_edited_certificate_covers_nothing_and_is_named() {
    let site = Site::new(DEMAND);
    site.rehearse(&["--from", "eu-west"]);
    let path = read_all(&site.state()).kept.remove(0).path;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"accepted\": []", "\"accepted\": [ ]")).unwrap();
    assert_eq!(read_all(&site.state()).refused, [], "spaces mean nothing");
    std::fs::write(&path, text.replace("\"faults\": 1", "\"faults\": 2")).unwrap();
    let ended = site.failover(&[]);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(
        ended.err.contains("never rehearsed, as far as can be read; 1 certificate cannot be used"),
        "{ended:?}"
    );
    let named = format!("{} cannot be used: it was changed after it was written", path.display());
    assert!(ended.err.contains(&named) && site.untouched(), "{ended:?}");
}

#[test]
fn a_person_can_go_on_without_and_the_reason_stays() {
    let site = Site::new(DEMAND);
    let silent = site.failover(&["--rehearsal-waived", " "]);
    assert_eq!(silent.code, 2, "{silent:?}");
    assert!(site.untouched());
    let ended = site.failover(&["--rehearsal-waived", "the region burns"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let summary = ended.err.split("COMPLETED").nth(1).unwrap();
    assert!(
        summary
            .contains("! went on without the rehearsal that is demanded: the region burns (never rehearsed)"),
        "{ended:?}"
    );
    let rehearsed = site.records().remove(1);
    assert_eq!((&rehearsed["waived"], &rehearsed["covered"]), (&"the region burns".into(), &Value::Null));
    assert_eq!((&rehearsed["why"], &rehearsed["required"]), (&"never rehearsed".into(), &true.into()));
    let run = site.records()[0]["run"].as_str().unwrap().to_owned();
    let shown = site.mrctl(&["audit", "show", &run]);
    assert!(shown.out.contains("the region burns"), "{shown:?}");
    assert_eq!(site.mrctl(&["audit", "verify", &run]).code, 0);
}

#[test]
fn a_resume_does_not_ask_again() {
    let site = Site::new(DEMAND);
    let gate = site.path("gate").display().to_string();
    site.edit("marks.yaml", "[touch,", &format!("[cp, {gate},"));
    site.edit(
        "marks.yaml",
        "  - id: mark\n",
        "  - id: mark\n    timeout: 5s\n    on_failure: pause\n    on_unknown: pause\n",
    );
    site.rehearse(&[]);
    let paused = site.failover(&[]);
    assert!(matches!(paused.code, 4 | 6), "{paused:?}");
    std::fs::remove_dir_all(site.state().join("rehearsals")).unwrap();
    std::fs::write(gate, "").unwrap();
    let resumed = site.mrctl(&["resume", "--yes"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    let told = site.records().iter().filter(|record| record["type"] == "rehearsed").count();
    assert_eq!(told, 1);
}

#[test]
fn where_nothing_is_demanded_the_journal_only_tells() {
    let site = Site::new("");
    let ended = site.failover(&["--rehearsal-waived", "not needed"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let rehearsed = site.records().remove(1);
    assert_eq!((&rehearsed["waived"], &rehearsed["why"]), (&"".into(), &"never rehearsed".into()));
    assert!(!ended.err.contains("went on without"), "{ended:?}");
}

#[test]
fn a_dry_run_tells_that_the_button_would_not_work() {
    let site = Site::new(DEMAND);
    let drill = ["drill", "--dry-run", "--runbook", "marks.yaml", "--from", "eu-west", "--to", "us-east"];
    for arguments in [&drill[..], &[&["failover"], &drill[1..]].concat()] {
        let ended = site.mrctl(arguments);
        assert_eq!(ended.code, 10, "{ended:?}");
        assert!(ended.out.contains("never rehearsed\n"), "{ended:?}");
        assert!(
            ended.out.contains("the inventory demands a rehearsal that covers this: `mrctl rehearse"),
            "{ended:?}"
        );
    }
    site.rehearse(&[]);
    let ended = site.mrctl(&[&drill[..], &["--output", "json"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let document: Value = serde_json::from_str(ended.out.trim()).unwrap();
    assert_eq!(document["rehearsal"]["covered"], true, "{document}");
    assert!(site.untouched());
}

#[test]
fn status_tells_the_age_of_each_rehearsal_and_what_was_changed_since() {
    let site = Site::new("");
    let told = |line: &str| {
        let status = site.mrctl(&["status"]);
        assert!(status.out.contains(&format!("marks.yaml: unknown\n  {line}\n")), "{status:?}");
    };
    told("never rehearsed");
    site.rehearse(&[]);
    told("rehearsed just now, 1 fault");
    site.as_if(|one| one.at -= 3 * DAY);
    told("rehearsed 3 days ago, 1 fault");
    site.edit("marks.yaml", "title: Make", "title: Set");
    told("rehearsed 3 days ago, 1 fault; the runbook was changed since");
    let status = site.mrctl(&["status", "--output", "json"]);
    let document: Value = serde_json::from_str(status.out.trim()).unwrap();
    let rehearsal = &document["runbooks"][0]["rehearsal"];
    assert_eq!((&rehearsal["covered"], &rehearsal["faults"]), (&false.into(), &1.into()));
    assert_eq!(rehearsal["differs"], serde_json::json!(["the runbook was changed since"]));
    assert!(rehearsal["age_ms"].as_i64().unwrap() >= 3 * DAY, "{rehearsal}");
}

#[test]
fn nonsense_in_the_demand_is_reported_with_its_place() {
    for (demand, wanted) in [
        ("rehearsal: { required: true, faults: 4 }\n", "no rehearsal tries 4 faults"),
        ("rehearsal: { required: true, max_age: 0s }\n", "every rehearsal is older than `0s`"),
        ("rehearsal: { required: perhaps }\n", "MR0106"),
        ("rehearsal: { faults: 2 }\n", "MR0102"),
        ("rehearsal: { required: true, ages: 3d }\n", "MR0101"),
        ("rehearsal: { required: true, max_age: 30 }\n", "MR0109"),
        ("rehearsal: yes please\n", "MR0103"),
    ] {
        let site = Site::new(demand);
        let ended = site.mrctl(&["check", "marks.yaml"]);
        assert_eq!(ended.code, 2, "{demand}: {ended:?}");
        assert!(ended.err.contains(wanted) && ended.err.contains("mrctl.yaml:3:"), "{demand}: {}", ended.err);
        assert_eq!(site.failover(&[]).code, 2, "{demand}: what cannot be read is not taken for nothing");
        assert!(site.untouched());
    }
    assert_eq!(Site::new(DEMAND).mrctl(&["check", "marks.yaml"]).code, 0);
}

#[test]
fn an_included_file_cannot_demand_or_take_the_demand_away() {
    let site = Site::new("include: [more.yaml]\n");
    std::fs::write(site.path("more.yaml"), format!("mrctl: 1\n{DEMAND}")).unwrap();
    let ended = site.mrctl(&["check", "marks.yaml"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("MR0511") && Path::new(&site.path("more.yaml")).exists(), "{}", ended.err);
}
