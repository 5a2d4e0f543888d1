//! What `mrctl check` says of runbooks and inventories, through the program itself and with its real kinds.

mod hostile;
mod mistakes;
mod pages;
mod whole;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped runbooks.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(root().join("runbooks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml") && !path.ends_with("mrctl.yaml"));
    files.sort();
    files
}

/// Runs `mrctl check` in a folder of its own.
fn check(runbook: &str, inventory: &Path) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runbook.yaml");
    std::fs::write(&path, runbook).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mrctl"));
    command.arg("check").arg(&path).arg("--inventory").arg(inventory);
    command.env("NO_COLOR", "1").output().unwrap()
}

fn shipped() -> PathBuf {
    root().join("runbooks/mrctl.yaml")
}

/// What it said of a runbook with these steps, against the shipped inventory.
fn said(steps: &str) -> String {
    let text = format!("mrctl: 1\nname: test\nroles: {{ commander: Decides }}\nsteps:\n{steps}\n");
    String::from_utf8(check(&text, &shipped()).stderr).unwrap()
}

#[test]
fn what_init_writes_passes_the_check_and_names_no_schema_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let mrctl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mrctl"));
        command.args(arguments).current_dir(folder.path()).env("NO_COLOR", "1").env_remove("MRCTL_INVENTORY");
        command.output().unwrap()
    };
    assert_eq!(mrctl(&["init"]).status.code(), Some(0));
    let written: Vec<PathBuf> = std::fs::read_dir(folder.path().join("runbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([folder.path().join("mrctl.yaml")])
        .collect();
    assert_eq!(written.len(), 1 + files().len());
    for path in &written {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains("$schema"), "{}: {text:.200}", path.display());
    }
    let names: Vec<&str> = written.iter().map(|path| path.to_str().unwrap()).collect();
    let output = mrctl(&[&["check"], names.as_slice()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // What is there stays.
    assert_eq!(mrctl(&["init"]).status.code(), Some(2));
}

#[test]
fn an_inventory_among_the_runbooks_is_checked_as_what_it_is() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mrctl"));
    let output = command.arg("check").args(files()).arg(shipped()).env("NO_COLOR", "1").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let verdict = format!("{} runbooks and the inventory ", files().len());
    assert!(said.contains(&verdict) && said.contains("no errors, no warnings"), "{said}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn check_and_plan_agree_on_what_drill_and_mode_are() {
    for when in
        ["drill == 'real'", "drill != 'real'", "drill == 'dry-run'", "mode == 'planned'", "to != from"]
    {
        let said = said(&format!("  - {{ id: a, notify: x, when: \"{when}\" }}"));
        assert!(said.contains("no errors, no warnings"), "{when}: {said}");
    }
    for when in ["drill", "not drill", "drill == true", "drill == 'reel'"] {
        let said = said(&format!("  - {{ id: a, notify: x, when: \"{when}\" }}"));
        assert!(
            said.contains("1 error,") && said.contains("`real`") | said.contains("drill == 'real'"),
            "{when}: {said}"
        );
    }
}

#[test]
fn two_changes_of_one_record_do_not_run_together() {
    let said = said(
        "  - parallel:\n      - { id: a, dns.ttl: { record: www, ttl: 5s } }\n      - { id: b, dns.shift: www }",
    );
    assert!(said.contains("MR0411") && said.contains("`b` and `a` change `www` at the same time"), "{said}");
}
