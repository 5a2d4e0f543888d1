use super::*;
use proptest::prelude::*;

/// Texts that people and attackers write.
const HOSTILE: &[&str] = &[
    "'; DROP TABLE orders; --",
    "$(reboot)",
    "`reboot`",
    "../../etc/passwd",
    "${",
    "${}",
    "${${to}}",
    "${to",
    "\\u001b[2J\\u001b[31m",
    "\\u0000",
    "\\u202etxt.exe",
    "\\n- id: injected",
    "",
    "   ",
    "-rf",
    "null",
    "~",
    "0x10",
    "1e309",
    "99999999999999999999999999",
    "-1",
    "100.001%",
    "..",
    "a..b..c",
    "𝕣𝕖𝕘𝕚𝕠𝕟",
];

/// The text with every scalar in turn replaced by a hostile one: nothing may panic, and nothing may be silently fine that
/// names a host, a region or an id.
fn each_scalar_replaced(text: &str, mut check: impl FnMut(&str)) {
    for (at, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once(": ").filter(|(_, value)| !value.trim().is_empty()) else {
            continue;
        };
        let _ = value;
        for hostile in HOSTILE {
            let changed: Vec<String> = text
                .lines()
                .enumerate()
                .map(|(n, line)| if n == at { format!("{key}: \"{hostile}\"") } else { line.to_owned() })
                .collect();
            check(&changed.join("\n"));
        }
    }
}

#[test]
fn hostile_text_in_any_place_of_a_runbook_never_panics() {
    let loaded = production();
    for name in ["orders-failover.yaml", "two-writers.yaml", "broken.yaml"] {
        let text = std::fs::read_to_string(fixture(name)).unwrap();
        each_scalar_replaced(&text, |text| {
            check_text(text, Some(&loaded));
            check_text(text, None);
        });
    }
}

#[test]
fn hostile_text_in_any_place_of_an_inventory_never_panics() {
    let text = std::fs::read_to_string(fixture("production.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mrctl.yaml");
    each_scalar_replaced(&text, |text| {
        std::fs::write(&path, text).unwrap();
        check_inventory(&path);
    });
}

#[test]
fn hostile_names_and_hosts_are_refused() {
    let text = std::fs::read_to_string(fixture("production.yaml")).unwrap();
    for hostile in HOSTILE {
        for (from, to) in [
            ("host: pg.eu.example.com", format!("host: \"{hostile}\"")),
            ("name: www.example.com.", format!("name: \"{hostile}\"")),
            ("url: https://pdns.eu.example.com", format!("url: \"{hostile}\"")),
            ("    user: mrctl", format!("    probe_table: \"{hostile}\"\n    user: mrctl")),
            ("at: eu-west", format!("at: \"{hostile}\"")),
            ("name: production", format!("name: \"{hostile}\"")),
        ] {
            // A word is a possible host and a possible name; everything else is not.
            let is_word = hostile.chars().all(|c| c.is_ascii_alphanumeric()) && !hostile.is_empty();
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
