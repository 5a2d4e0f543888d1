//! What names an id, a host or a region is never silently something else. Every text of every field: `tests/language/hostile.rs`.

use super::*;
use crate::language::naughty::{TEXTS, quoted};
use proptest::prelude::*;

#[test]
fn hostile_names_and_hosts_are_refused() {
    let text = std::fs::read_to_string(fixture("production.yaml")).unwrap();
    for hostile in TEXTS {
        let written = quoted(hostile);
        for (from, to) in [
            ("host: pg.eu.example.com", format!("host: {written}")),
            ("name: www.example.com.", format!("name: {written}")),
            ("url: https://pdns.eu.example.com", format!("url: {written}")),
            ("    user: mrctl", format!("    probe_table: {written}\n    user: mrctl")),
            ("    user: mrctl", format!("    heartbeat: {{ table: {written} }}\n    user: mrctl")),
            ("at: eu-west", format!("at: {written}")),
            ("name: production", format!("name: {written}")),
        ] {
            // A word is a possible host and a possible name, if it is no number; everything else is not.
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let is_word =
                hostile.starts_with(|c: char| c.is_ascii_alphanumeric()) && hostile.chars().all(part);
            let is_word = is_word && !hostile.bytes().all(|b| b.is_ascii_digit());
            let problems = check_inventory_text(&text.replacen(from, &to, 1)).1;
            assert!(is_word || problems.has_errors(), "{to} was accepted");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        check_text(&text, None);
        check_text(&format!("mrctl: 1\nname: t\nsteps:\n  - {text}\n"), None);
        check_text(&format!("mrctl: 1\nname: t\nparameters: {{ p: {{ default: {text:?}, pattern: {text:?} }} }}\nsteps: [{{ id: a, exec: {text:?} }}]\n"), None);
    }

    #[test]
    fn no_pattern_or_value_panics(pattern in "\\PC{0,40}", value in "\\PC{0,40}") {
        let _ = parameter::matches(&pattern, &value);
    }

    #[test]
    fn no_address_panics(text in "[\\PC]{0,60}") {
        use crate::runbook::address;
        let _ = (address::host(&text), address::host_and_port(&text), address::domain(&text), address::url(&text));
        let _ = (address::ip_and_port(&text), address::is_open(&text));
    }

    #[test]
    fn shuffled_lines_never_panic(seed in any::<u64>()) {
        let text = std::fs::read_to_string(fixture("two-writers.yaml")).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let mut state = seed | 1;
        for at in (1..lines.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            lines.swap(at, (state >> 33) as usize % (at + 1));
        }
        check_text(&lines.join("\n"), None);
    }
}
