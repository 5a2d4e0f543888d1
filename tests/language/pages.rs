//! The pages of the rules are what `mrctl explain` prints, so their examples are run: the wrong one is reported with the page's
//! own code, the right one passes.
//!
//! An example is a whole file, or what stands in it: a list of steps, keys of a step, or keys at the top of a runbook or of an
//! inventory. What is missing around it is added from here.

use super::root;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Codes whose examples are commands, or files that no page can show; each has its own line below.
const WITHOUT_EXAMPLE: &[&str] = &[
    "MR0001", "MR0002", "MR0003", "MR0004", "MR0005", "MR0020", "MR0513", "MR0520", "MR0601", "MR0611",
    "MR0612", "MR0613", "MR0614", "MR0615", "MR0701", "MR0702",
];

/// The inventory around the examples, by key at the top.
const INVENTORY: &[(&str, &str)] = &[
    ("mrctl", "mrctl: 1"),
    ("name", "name: test"),
    ("regions", "regions:\n  eu-west: { facts: { kube: eu } }\n  us-east: { facts: { kube: us } }"),
    (
        "postgres",
        "postgres:\n  orders: { user: mrctl, tls: { verify: full }, members: { eu-west: { host: a.example.com }, us-east: { host: b.example.com } } }\n  billing: { user: mrctl, tls: { verify: full }, members: { eu-west: { host: c.example.com }, us-east: { host: d.example.com } } }",
    ),
    (
        "dns_servers",
        "dns_servers:\n  pdns-eu: { powerdns: { url: \"https://pdns.example.com\", key: { env: PDNS_KEY } } }",
    ),
    (
        "dns_records",
        "dns_records:\n  www: { name: www.example.com., type: A, ttl: 60s, servers: [pdns-eu], targets: { eu-west: 192.0.2.10, us-east: 198.51.100.10 }, normal: { eu-west: 100%, us-east: 0% } }",
    ),
    (
        "caches",
        "caches:\n  sessions: { redis: {}, members: { eu-west: { host: e.example.com }, us-east: { host: f.example.com } } }",
    ),
    (
        "endpoints",
        "endpoints:\n  shop: { url: \"https://www.example.com/healthz\", members: { eu-west: 192.0.2.10, us-east: 198.51.100.10 } }\n  api: { url: \"https://api.example.com/healthz\", members: { eu-west: 192.0.2.11, us-east: 198.51.100.11 } }",
    ),
    (
        "metrics_servers",
        "metrics_servers:\n  metrics: { prometheus: { url: \"https://metrics.example.com\" } }",
    ),
    (
        "signals",
        "signals:\n  error_rate: { unit: ratio, prometheus: { server: metrics, query: errors } }\n  p95: { unit: seconds, prometheus: { server: metrics, query: p95 } }",
    ),
    ("channels", "channels:\n  ops: { default: true, slack: { webhook: { env: SLACK_OPS } } }"),
];

/// Keys at the top of a runbook that no inventory has.
const RUNBOOK_KEYS: &[&str] = &["title", "objectives", "roles", "parameters", "watch", "sections", "steps"];

/// Keys at the top of an inventory, besides those of [`INVENTORY`], that no runbook has.
const OTHER_INVENTORY_KEYS: &[&str] = &["groups", "commands", "include", "defaults", "rehearsal", "policy"];

fn is_of_the_inventory(key: &str) -> bool {
    OTHER_INVENTORY_KEYS.contains(&key)
        || INVENTORY.iter().any(|(name, _)| *name == key && key != "mrctl" && key != "name")
}

/// The keys at the left margin.
fn keys(example: &str) -> Vec<&str> {
    let lines =
        example.lines().filter(|line| !line.starts_with([' ', '#', '-', '\t', '{', '%', '~', ']', '}']));
    lines.filter_map(|line| line.split_once(':')).map(|(key, _)| key).collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// The inventory with an example in the place of its own parts.
fn inventory(example: &str) -> String {
    let keys = keys(example);
    let parts = INVENTORY.iter().filter(|(key, _)| !keys.contains(key)).map(|(_, text)| format!("{text}\n"));
    let head: String = parts.collect();
    format!("{head}{example}\n")
}

/// The files of an example: `# NAME.yaml` on a line of its own begins one.
fn files(example: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in example.lines() {
        let name = line.strip_prefix("# ").filter(|name| name.ends_with(".yaml") && !name.contains(' '));
        match (name, files.last_mut()) {
            (Some(name), _) => files.push((name.to_owned(), String::new())),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => files.push((String::new(), format!("{line}\n"))),
        }
    }
    files
}

fn is_whole(example: &str) -> bool {
    keys(example).contains(&"mrctl")
        || example.starts_with('%')
        || example.lines().all(|line| line.is_empty() || line.starts_with('#'))
}

fn runbook(example: &str) -> String {
    const HEAD: &str = "mrctl: 1\nname: test\n";
    const STEPS: &str = "steps:\n  - { id: other, http.check: shop }\n";
    let keys = keys(example);
    if example.is_empty() {
        format!("{HEAD}{STEPS}")
    } else if is_whole(example) {
        example.to_owned()
    } else if example.starts_with("- ") {
        format!("{HEAD}roles: {{ commander: Decides }}\nsteps:\n{}", indented(example, 2))
    } else if keys.iter().any(|key| RUNBOOK_KEYS.contains(key)) {
        let steps = if keys.contains(&"steps") || keys.contains(&"sections") { "" } else { STEPS };
        format!("{HEAD}{example}\n{steps}")
    } else {
        format!("{HEAD}steps:\n  - id: example\n    http.check: shop\n{}", indented(example, 4))
    }
}

/// What `mrctl check` found, as codes; `true` for errors.
fn found(example: &str) -> BTreeSet<(String, bool)> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("shared")).unwrap();
    write("shared/dns.yaml", "mrctl: 1\ncommands: { more: { command: [more] } }\n");
    write("runbook.yaml", &runbook(""));
    write("mrctl.yaml", &inventory(""));
    // The steps that stand in for a runbook do not suit an inventory of its own.
    let mut checked = vec!["runbook.yaml"];
    for (name, text) in files(example) {
        match name.as_str() {
            "" if keys(&text).iter().any(|key| is_of_the_inventory(key)) => {
                write("mrctl.yaml", &inventory(&text))
            }
            "" | "runbook.yaml" => write("runbook.yaml", &runbook(&text)),
            "mrctl.yaml" if is_whole(&text) => {
                write("mrctl.yaml", &text);
                checked.clear();
            }
            "mrctl.yaml" => write("mrctl.yaml", &inventory(&text)),
            name => write(name, &text),
        }
    }
    codes(folder.path(), &checked)
}

fn codes(folder: &Path, files: &[&str]) -> BTreeSet<(String, bool)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mrctl"));
    let output =
        command.args(["check", "--output", "json"]).args(files).current_dir(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let list: serde_json::Value =
        serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text} {said}"));
    let word = |problem: &serde_json::Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .map(|problem| (word(problem, "code"), word(problem, "severity") == "error"))
        .collect()
}

/// The examples of a page: the label before each block of YAML, and the block.
fn examples(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut label, mut block) = (String::new(), None::<String>);
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```yaml") => block = Some(String::new()),
            (Some(text), "```") => {
                found.push((label.clone(), std::mem::take(text)));
                block = None;
            }
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, line) if !line.trim().is_empty() => label = line.to_owned(),
            (None, _) => {}
        }
    }
    found
}

#[test]
fn the_examples_of_every_page_are_true() {
    let mut wrong = Vec::new();
    for code in mrctl::error::Code::ALL {
        let code = code.as_str();
        if WITHOUT_EXAMPLE.contains(&code) {
            continue;
        }
        let page = std::fs::read_to_string(root().join(format!("docs/errors/{code}.md"))).unwrap();
        let (mut bad, mut good) = (0, 0);
        for (label, example) in examples(&page) {
            let codes = found(&example);
            let has = codes.iter().any(|(found, _)| found == code);
            match label.as_str() {
                "Wrong:" | "Warned of:" => {
                    bad += 1;
                    let is_error = codes.contains(&(code.to_owned(), true));
                    // Nothing else is wrong with it, so that the page shows this rule and no other.
                    if !has || is_error != (label == "Wrong:") || codes.len() != 1 {
                        wrong.push(format!("{code} wrong example: {codes:?}\n{example}"));
                    }
                }
                "Right:" => {
                    good += 1;
                    if !codes.is_empty() {
                        wrong.push(format!("{code} right example: {codes:?}\n{example}"));
                    }
                }
                label => wrong.push(format!("{code}: `{label}` before an example is not understood")),
            }
        }
        if bad == 0 || good == 0 {
            wrong.push(format!("{code}: {bad} wrong and {good} right examples"));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_no_page_can_show_is_reported_too() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("mrctl.yaml", inventory("").as_bytes());
    write("large.yaml", &vec![b'#'; (1 << 20) + 1]);
    write("latin1.yaml", b"mrctl: 1\nname: gr\xf6sse\n");
    write("many.yaml", "- a\n".repeat(200_001).as_bytes());
    for (file, code) in [
        ("missing.yaml", "MR0001"),
        (".", "MR0002"),
        ("/dev/null", "MR0002"),
        ("large.yaml", "MR0004"),
        ("latin1.yaml", "MR0005"),
        ("many.yaml", "MR0020"),
    ] {
        assert_eq!(codes(folder.path(), &[file]), BTreeSet::from([(code.to_owned(), true)]), "{file}");
    }
    // The superuser may read every file, so MR0003 is tested where files are read.
    std::fs::remove_file(folder.path().join("mrctl.yaml")).unwrap();
    write("runbook.yaml", runbook("").as_bytes());
    assert!(codes(folder.path(), &["runbook.yaml"]).contains(&("MR0513".to_owned(), true)));
}
