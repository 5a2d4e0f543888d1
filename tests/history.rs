//! Runs on disk, and what becomes of them in the hands of time, accidents and strangers: abandoned, damaged, verified, exported, imported.
//! Needs no servers: the runs are the golden journals, or their beginnings.

mod moved;
mod waiting;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RUN: &str = "01900000-0000-7000-8000-00000000beef";

/// A host with a state folder of its own.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("state/runs")).unwrap();
        // Nothing of it can be reached, quickly.
        let inventory = "mrctl: 1\nname: test\nregions: { eu-west: {}, us-east: {} }\n";
        std::fs::write(folder.path().join("mrctl.yaml"), inventory).unwrap();
        Self { folder }
    }

    /// With a golden run, or its first records: then it is open.
    fn with(story: &str, records: usize) -> Self {
        let host = Self::new();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals/0.1.0").join(story);
        std::fs::create_dir_all(host.run()).unwrap();
        std::fs::copy(golden.join("plan.json"), host.run().join("plan.json")).unwrap();
        let text = std::fs::read_to_string(golden.join("journal.jsonl")).unwrap();
        let lines: String = text.split_inclusive('\n').take(records).collect();
        std::fs::write(host.journal(), lines).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> PathBuf {
        self.path("state/runs").join(RUN)
    }

    fn journal(&self) -> PathBuf {
        self.run().join("journal.jsonl")
    }

    fn text(&self) -> String {
        String::from_utf8(std::fs::read(self.journal()).unwrap()).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::lab::program());
        command
            .args(arguments)
            .arg("--inventory")
            .arg(self.path("mrctl.yaml"))
            .arg("--state-dir")
            .arg(self.path("state"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("USER", "ada")
            .stdin(Stdio::null());
        command
    }

    fn mrctl(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    fn listed(&self) -> Value {
        let ended = self.mrctl(&["runs", "--output", "json"]);
        let line = ended.out.lines().next().unwrap_or_else(|| panic!("{ended:?}"));
        serde_json::from_str(line).unwrap()
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
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

type Damage = fn(&str) -> Vec<u8>;

/// The ways in which a journal is damaged, by name.
fn damages() -> Vec<(&'static str, Damage)> {
    fn lines(text: &str) -> Vec<&str> {
        text.split_inclusive('\n').collect()
    }
    vec![
        ("a byte was flipped", |text| {
            let mut bytes = text.as_bytes().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        }),
        ("a byte is no text", |text| {
            let mut bytes = text.as_bytes().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] = 0xff;
            bytes
        }),
        ("a line was cut", |text| {
            let mut lines = lines(text);
            lines.remove(6);
            lines.concat().into_bytes()
        }),
        ("a line was doubled", |text| {
            let mut lines = lines(text);
            lines.insert(6, lines[6]);
            lines.concat().into_bytes()
        }),
        ("two lines were swapped", |text| {
            let mut lines = lines(text);
            lines.swap(6, 7);
            lines.concat().into_bytes()
        }),
        ("the beginning was cut", |text| lines(text)[1..].concat().into_bytes()),
    ]
}

#[test]
fn a_run_with_a_damaged_journal_is_abandoned_and_its_evidence_stays() {
    for (name, damage) in damages() {
        let host = Host::with("completed", 20);
        let damaged = damage(&host.text());
        std::fs::write(host.journal(), &damaged).unwrap();

        let listed = host.listed();
        assert_eq!((&listed["state"], &listed["open"]), (&"damaged".into(), &true.into()), "{name}");
        let resumed = host.mrctl(&["resume", RUN]);
        assert_eq!(resumed.code, 2, "{name}: {resumed:?}");
        assert!(resumed.err.contains("mrctl abandon beef"), "{name}: {resumed:?}");
        let status = host.mrctl(&["status"]);
        assert_eq!(status.code, 10, "{name}: {status:?}");
        assert!(status.out.contains("mrctl abandon beef"), "{name}: {status:?}");
        let export = host.path("run.json").display().to_string();
        assert!(host.mrctl(&["export", RUN, "--to", &export]).err.contains("close it first"), "{name}");

        let abandoned = host.mrctl(&["abandon", "--reason", "looked at by hand"]);
        assert_eq!(abandoned.code, 1, "{name}: {abandoned:?}");
        assert_eq!(std::fs::read(host.journal()).unwrap(), damaged, "{name}: the evidence was rewritten");
        let listed = host.listed();
        assert_eq!((&listed["state"], &listed["open"]), (&"abandoned".into(), &false.into()), "{name}");
        let status = host.mrctl(&["status"]);
        assert!(!status.out.contains("cannot be read"), "{name}: {status:?}");
        for command in [["audit", "verify", RUN], ["audit", "show", RUN]] {
            let shown = host.mrctl(&command);
            let both = format!("{}{}", shown.out, shown.err);
            assert_eq!(shown.code, 1, "{name}: {shown:?}");
            assert!(
                both.contains("looked at by hand; journal and plan are as they were"),
                "{name}: {shown:?}"
            );
        }
        let again = host.mrctl(&["abandon", RUN, "--reason", "again"]);
        assert!(again.code == 2 && again.err.contains("closed already"), "{name}: {again:?}");

        // It travels as it is.
        assert_eq!(host.mrctl(&["export", RUN, "--to", &export]).code, 0, "{name}");
        let other = Host::new();
        let imported = other.mrctl(&["import", &export]);
        assert_eq!(imported.code, 0, "{name}: {imported:?}");
        assert_eq!(std::fs::read(other.journal()).unwrap(), damaged, "{name}");
        assert_eq!(other.listed()["state"], "abandoned", "{name}");

        // An abandonment closes what it was written for, and nothing else.
        let mut more = damaged.clone();
        more.extend(b"x\n");
        std::fs::write(host.journal(), more).unwrap();
        assert_eq!(host.listed()["open"], true, "{name}");
        let anew = host.mrctl(&["abandon", RUN, "--reason", "looked again"]);
        assert_eq!(anew.code, 1, "{name}: {anew:?}");
        assert!(host.run().join("abandoned.json").exists() && host.run().join("abandoned-2.json").exists());
        assert_eq!(host.listed()["open"], false, "{name}");
    }
}

#[test]
fn an_abandonment_that_was_edited_or_moved_closes_nothing() {
    let host = Host::with("completed", 20);
    let mut bytes = host.text().into_bytes();
    bytes[1000] ^= 1;
    std::fs::write(host.journal(), bytes).unwrap();
    assert_eq!(host.mrctl(&["abandon", RUN, "--reason", "over"]).code, 1);
    let path = host.run().join("abandoned.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"reason\":\"over\"", "\"reason\":\"fine\"")).unwrap();
    assert_eq!(host.listed()["open"], true, "edited");
    std::fs::write(&path, text).unwrap();
    assert_eq!(host.listed()["open"], false);
    let plan = host.run().join("plan.json");
    std::fs::write(&plan, std::fs::read_to_string(&plan).unwrap().replace("us-east", "us-west")).unwrap();
    assert_eq!(host.listed()["open"], true, "the plan was changed");
}

#[test]
fn a_run_whose_plan_or_journal_is_gone_or_strange_is_abandoned_too() {
    for (file, content) in
        [("plan.json", Some("{\"format\": 99}")), ("plan.json", None), ("journal.jsonl", None)]
    {
        let host = Host::with("completed", 20);
        std::fs::write(host.run().join("debug.log"), "begun").unwrap();
        match content {
            Some(content) => std::fs::write(host.run().join(file), content).unwrap(),
            None => std::fs::remove_file(host.run().join(file)).unwrap(),
        }
        assert_eq!(host.listed()["open"], true, "{file} {content:?}");
        let abandoned = host.mrctl(&["abandon", "--reason", "over"]);
        assert_eq!(abandoned.code, 1, "{file} {content:?}: {abandoned:?}");
        assert_eq!(host.listed()["open"], false, "{file} {content:?}");
    }
}

/// Two runs of one plan have the same digest: only the name in the first record tells one from the other.
#[test]
fn the_journal_of_another_run_is_not_taken_for_a_runs_own_and_closes_nothing() {
    let host = Host::with("completed", usize::MAX);
    assert_eq!(host.listed()["open"], false);
    std::fs::rename(host.run(), host.path("state/runs/01900000-0000-7000-8000-00000000cafe")).unwrap();
    let listed = host.listed();
    assert_eq!((&listed["state"], &listed["open"]), (&"damaged".into(), &true.into()));
    let resumed = host.mrctl(&["resume", "cafe"]);
    assert_eq!(resumed.code, 2, "{resumed:?}");
    let said = format!("is not its own: it is that of run {RUN}");
    assert!(resumed.err.contains(&said) && resumed.err.contains("mrctl abandon cafe"), "{resumed:?}");
    let verified = host.mrctl(&["audit", "verify", "cafe"]);
    assert!(verified.code == 1 && verified.err.contains(&said), "{verified:?}");
    let abandoned = host.mrctl(&["abandon", "cafe", "--reason", "somebody copied it"]);
    assert_eq!(abandoned.code, 1, "{abandoned:?}");
    assert_eq!(host.listed()["open"], false);
}

#[test]
fn verify_tells_what_it_proves_and_every_change_in_plain_words() {
    let host = Host::with("completed", 99);
    let verified = host.mrctl(&["audit", "verify", RUN]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let text = host.text();
    let records = text.lines().count();
    for said in [format!("{records} records, unbroken chain"), "proves: ".into(), "does not prove: ".into()] {
        assert!(verified.out.contains(&said), "{said} is missing in {verified:?}");
    }
    let head = verified.out.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_string();
    for (name, damage) in damages() {
        std::fs::write(host.journal(), damage(&text)).unwrap();
        let seen = host.mrctl(&["audit", "verify", RUN]);
        assert_eq!(seen.code, 1, "{name}: {seen:?}");
        let plain = [
            "does not follow the line before it",
            "was changed after it was written",
            "is not a journal line",
        ];
        assert!(plain.iter().any(|words| seen.err.contains(words)), "{name}: {seen:?}");
        assert!(seen.out.contains("records before the damage are as they were written"), "{name}: {seen:?}");
    }
    // The one thing that a chain alone cannot show, unless its head was kept.
    let cut: String = text.split_inclusive('\n').take(records - 3).collect();
    std::fs::write(host.journal(), &cut).unwrap();
    assert_eq!(host.mrctl(&["audit", "verify", RUN]).code, 0);
    let seen = host.mrctl(&["audit", "verify", RUN, "--head", &head]);
    assert!(seen.code == 1 && seen.err.contains("its end was cut off"), "{seen:?}");
    let mirror = host.path("mirror");
    std::fs::create_dir_all(mirror.join(RUN)).unwrap();
    std::fs::write(mirror.join(RUN).join("journal.jsonl"), &text).unwrap();
    let seen = host.mrctl(&["audit", "verify", RUN, "--mirror-dir", &mirror.display().to_string()]);
    assert!(seen.code == 1 && seen.err.contains("has 3 records more"), "{seen:?}");
    std::fs::write(host.journal(), &text).unwrap();
    let seen = host.mrctl(&["audit", "verify", RUN, "--head", &head]);
    assert!(seen.code == 0 && seen.out.contains("the head is the one that was kept"), "{seen:?}");
    let plan = host.run().join("plan.json");
    let changed = std::fs::read_to_string(&plan).unwrap().replacen("planned", "unplanned", 1);
    std::fs::write(&plan, changed).unwrap();
    let seen = host.mrctl(&["audit", "verify", RUN, "--output", "json"]);
    assert!(seen.code == 1 && seen.out.contains("the plan of run"), "{seen:?}");
}

#[test]
fn nonsense_in_the_place_of_a_run_is_told_and_harmless() {
    let host = Host::with("completed", 20);
    let second = host.path("state/runs/01900000-0000-7000-8000-0000000abeef");
    std::fs::create_dir_all(&second).unwrap();
    std::fs::create_dir_all(host.path("state/runs/.import-x")).unwrap();
    std::fs::write(host.path("state/runs/.import-x/journal.jsonl"), "x").unwrap();
    for id in ["../../etc", "/etc/passwd", "..", ".", "", "nope", "\u{1b}[2J", ".import-x", "01900000/../x"] {
        for command in [vec!["audit", "show", id], vec!["resume", id], vec!["abandon", id, "--reason", "x"]] {
            let ended = host.mrctl(&command);
            assert_eq!(ended.code, 2, "{command:?}: {ended:?}");
            assert!(ended.err.contains("there is no run") && !ended.err.contains('\u{1b}'), "{ended:?}");
        }
    }
    let ambiguous = host.mrctl(&["audit", "show", "0190"]);
    assert!(ambiguous.code == 2 && ambiguous.err.contains("several runs match"), "{ambiguous:?}");
    let reason = host.mrctl(&["abandon", RUN, "--reason", "  "]);
    assert!(reason.code == 2 && reason.err.contains("needs a reason"), "{reason:?}");
}

#[test]
fn weak_secrets_are_refused_by_their_reference_before_anything_begins() {
    let host = Host::new();
    let inventory = "mrctl: 1\nname: test\nregions: { eu-west: {}, us-east: {} }\ncaches:\n  sessions:\n    redis: { password: { env: \
                     KEY }, tls: { verify: full } }\n    members: { eu-west: { host: 127.0.0.1, port: 1 }, us-east: { host: 127.0.0.1, \
                     port: 2 } }\n";
    std::fs::write(host.path("mrctl.yaml"), inventory).unwrap();
    let runbook = host.path("runbook.yaml");
    let text = "mrctl: 1\nname: short\ntitle: Short\nsteps:\n  - id: warm_it_all\n    cache.warm: sessions\n";
    std::fs::write(&runbook, text).unwrap();
    let runbook = runbook.display().to_string();
    let arguments = ["drill", "--dry-run", "--runbook", &runbook, "--from", "eu-west", "--to", "us-east"];
    for (secret, code) in [
        ("abc1234", "MR0701"),
        ("postgres", "MR0702"),
        ("completed", "MR0702"),
        ("cache.warm", "MR0702"),
        ("sessions", "MR0702"),
        ("warm_it_all", "MR0702"),
    ] {
        let ended = Ended::of(host.command(&arguments).env("KEY", secret).output().unwrap());
        assert_eq!(ended.code, 2, "{secret}: {ended:?}");
        assert!(ended.err.contains(code), "{secret}: {ended:?}");
        assert!(ended.err.contains("caches.sessions.redis.password"), "{secret}: {ended:?}");
        assert!(ended.err.contains("environment variable KEY"), "{secret}: {ended:?}");
    }
    let fine = Ended::of(host.command(&arguments).env("KEY", "canary-5up3r-s3cr3t").output().unwrap());
    assert!(fine.code == 10 && !fine.err.contains("MR07"), "{fine:?}");
}

/// Everything below a folder, as one text.
fn everything(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let texts = entries.map(|path| match path.is_dir() {
        true => everything(&path),
        false => String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
    });
    texts.collect()
}

#[test]
fn what_a_command_is_handed_appears_nowhere_and_names_of_the_plan_stay() {
    const TOKEN: &str = "canary-5up3r-t0k3n";
    let host = Host::new();
    let runbook = host.path("runbook.yaml");
    let text = "mrctl: 1\nname: drain\ntitle: Drain\nsteps:\n  - id: drain\n    exec: { command: [sh, -c, 'echo \"401 for $TOKEN in $REGION\" >&2; exit 3'], \
                effect: drained, pass: [TOKEN, REGION] }\n";
    std::fs::write(&runbook, text).unwrap();
    let runbook = runbook.display().to_string();
    let mirror = host.path("mirror").display().to_string();
    let of = ["--runbook", &runbook, "--from", "eu-west", "--to", "us-east", "--output", "json"];
    let run = |first: &[&str]| {
        let mut command = host.command(&[first, &of].concat());
        Ended::of(command.env("TOKEN", TOKEN).env("REGION", "us-east").output().unwrap())
    };
    let seen = run(&["drill", "--dry-run"]);
    let last: Value = serde_json::from_str(seen.out.lines().last().unwrap()).unwrap();
    let digest = last["digest"].as_str().unwrap();
    let ended = run(&["failover", "--yes", "--plan-digest", digest, "--mirror-dir", &mirror]);
    let kept = everything(&host.path("state")) + &everything(Path::new(&mirror));
    assert!(kept.contains("401 for [redacted] in us-east"), "{ended:?}");
    for text in [&kept, &seen.out, &seen.err, &ended.out, &ended.err] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}
