//! A check tells all at once: what rules find, what kinds find in their own parameters, in every direction that can be served.

use super::check;

const THREE: &str = "mrctl: 1
name: test
regions: { eu-west: {}, us-east: {}, ap-south: {} }
postgres:
  orders: { user: mrctl, tls: { verify: full }, members: { eu-west: { host: a.example.com }, us-east: { host: b.example.com } } }
";

const STEPS: &str = "mrctl: 1
name: test
title: Test
parameters:
  code: { type: text, choices: ['007', '008'] }
  flag: { type: text, choices: ['true', 'no'] }
steps:
  - id: people
    checklist: [One, Two]
    when: code == '007' and flag == 'true'
  - id: freeze
    postgres.freeze: { cluster: orders, keep: [x] }
  - id: catch_up
    postgres.catch_up: orders
  - id: promote
    postgres.promote: orders
";

fn said(runbook: &str, inventory: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mrctl.yaml");
    std::fs::write(&path, inventory).unwrap();
    let output = check(runbook, &path);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_a_rule_finds_hides_nothing_of_what_a_kind_finds() {
    let wrong = STEPS
        .replace("keep: [x]", "kep: [x]")
        .replace("  - id: catch_up\n    postgres.catch_up: orders\n", "");
    let (code, said) = said(&wrong, THREE);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("error[MR0101]: unknown key `kep`"), "{said}");
    assert!(said.contains("error[MR0412]: `orders` is not caught up"), "{said}");
    assert!(said.ends_with("2 errors, no warnings\n"), "each once: {said}");
}

#[test]
fn a_region_without_a_member_is_left_out_and_named() {
    let (code, said) = said(STEPS, THREE);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("not checked: runs from or to ap-south, because orders has no member there"),
        "{said}"
    );
    // With nowhere to go it is an error, and no note.
    let (code, said) = self::said(STEPS, &THREE.replace(", us-east: { host: b.example.com }", ""));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("has no member in") && !said.contains("not checked"), "{said}");
}

#[test]
fn texts_that_look_like_numbers_or_truths_are_texts() {
    let (code, said) = said(STEPS, THREE);
    assert_eq!(code, 0, "{said}");
    let (code, said) = self::said(&STEPS.replace("code == '007'", "code == 7"), THREE);
    assert_eq!(code, 2, "{said}");
}
