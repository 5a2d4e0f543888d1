//! A freeze that was asked for and not seen, by a process that died: no server shows it, so `status` tells it from the journal.

use super::Host;

/// How many records the golden run has up to the first that is of this type and about the freeze, that one included.
fn up_to(kind: &str, purpose: Option<&str>) -> usize {
    let text = Host::with("completed", usize::MAX).text();
    let is = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["type"] == kind
            && record["step"] == "freeze"
            && purpose.is_none_or(|purpose| record["purpose"] == purpose)
    };
    text.lines().position(is).unwrap_or_else(|| panic!("no {kind}: {text}")) + 1
}

/// What was wrapped, as one line.
fn in_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_freeze_that_may_be_written_and_not_loaded_is_an_alarm_until_it_was_seen() {
    let alarm =
        "asked for a freeze of orders and has not seen it: it may be written in eu-west and not loaded";
    let (asked, answered) = (up_to("intent", None), up_to("replied", None));
    let seen = up_to("looked", Some("after"));
    for (records, waits) in [(asked - 1, false), (asked, true), (answered, true), (seen, false)] {
        let host = Host::with("completed", records);
        let status = host.mrctl(&["status"]);
        assert_eq!(status.code, 10, "{records} records: {status:?}");
        assert!(status.out.contains("open run beef"), "{records} records: {status:?}");
        let said = in_a_line(&status.out);
        assert_eq!(said.contains(alarm), waits, "{records} records: {status:?}");
        assert_eq!(said.contains("`mrctl rollback beef` takes it back"), waits, "{status:?}");
        let json = host.mrctl(&["status", "--output", "json"]);
        let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        let alarms = document["alarms"].as_array().unwrap();
        let told = alarms.iter().filter(|told| told.as_str().is_some_and(|told| told.contains(alarm)));
        assert_eq!(told.count(), usize::from(waits), "{document}");
    }
}

#[test]
fn whoever_closed_the_run_is_not_alarmed_by_it_any_more() {
    let host = Host::with("completed", up_to("intent", None));
    assert!(host.mrctl(&["status"]).out.contains("asked for a freeze"));
    let closed = host.mrctl(&["abandon", "beef", "--reason", "thawed by hand"]);
    assert_eq!(closed.code, 1, "{closed:?}");
    let status = host.mrctl(&["status"]);
    assert!(!status.out.contains("asked for a freeze"), "{status:?}");
}
