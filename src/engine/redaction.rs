//! What of a record is text, and what is structure: secrets are scrubbed from the one and never touch the other.
//!
//! Identities, words, numbers and digests are what a resume reads; a secret that happens to be spelt like one of them must not rewrite
//! it. Such secrets are refused before a run begins; this is what holds when one slips through. The patterns name every field, so
//! a new one does not compile until somebody has decided.

use super::record::Record;
use crate::redact::Redactor;
use crate::world::Reply;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Longest text from outside in a record. Bytes.
const LONGEST: usize = 4 << 10;

/// The record as it may be written, as the body of a line.
///
/// # Errors
/// In words, when it cannot be written without a secret and still mean the same: what an undo would have to restore, or facts, hold one.
pub fn body(redactor: &Redactor, record: &Record) -> Result<Map<String, Value>, String> {
    let mut clean = record.clone();
    scrub(redactor, &mut clean)?;
    match serde_json::to_value(&clean) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("the record is not an object".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn scrub(redactor: &Redactor, record: &mut Record) -> Result<(), String> {
    let texts = |texts: &mut [&mut String]| {
        for text in texts {
            redactor.scrub_in_place(text);
            bound(text);
        }
    };
    match record {
        Record::Created { run: _, plan: _, format: _, since: _, starts } => {
            // A number is a measurement; anything else is a reason.
            for word in starts.values_mut().filter(|word| word.parse::<f64>().is_err()) {
                redactor.scrub_in_place(word);
            }
        }
        Record::Opened { version: _, operator, host, pid: _, terminal: _, choice: _, reason, torn: _ } => {
            texts(&mut [operator, host, reason]);
        }
        // Whose digest and version are structure; what was accepted are identities of steps.
        Record::Rehearsed { covered: _, why, required: _, waived } => texts(&mut [why, waived]),
        Record::Required { step: _, holds: _, evidence } => texts(&mut [evidence]),
        Record::Looked {
            step: _,
            effect: _,
            purpose: _,
            standing: _,
            evidence,
            facts,
            handover: _,
            remark: _,
        } => {
            texts(&mut [evidence]);
            facts_without(redactor, facts)?;
        }
        Record::Surprised { step: _, effect: _, purpose: _, case } => {
            texts(&mut [&mut case.what]);
            facts_without(redactor, &mut case.before)?;
            facts_without(redactor, &mut case.now)?;
        }
        // The substance is taken from facts that were scrubbed when they were recorded, and is compared with them.
        Record::Answered { question: _, yes: _, by, how: _, substance: _, reason } => {
            texts(&mut [by, reason])
        }
        // A copy of what the effect's own intent recorded: it stands in the journal already, and it is what the undo restores.
        Record::Intent { step: _, effect: _, attempt: _, undo: true, prior: _ } => {}
        Record::Intent { step, effect, attempt: _, undo: false, prior } => {
            // What is taken back later is what stands here: a placeholder must never be restored.
            if facts_without(redactor, prior)? {
                return Err(format!("what {step}/{effect} would have to restore holds a secret"));
            }
        }
        Record::Replied { step: _, effect: _, attempt: _, undo: _, reply } => match reply {
            Reply::Acknowledged { note } => texts(&mut [note]),
            Reply::More { cursor: _, progress } => texts(&mut [progress]),
            Reply::Refused { why } | Reply::Lost { why } => texts(&mut [why]),
        },
        Record::Retrying { step: _, try_number: _ } | Record::Expired { allowed_ms: _ } => {}
        Record::Breached { watch: _, silent: _, evidence } => texts(&mut [evidence]),
        Record::Signalled { signal: _ } | Record::LockLost { what: _, step: _, effect: _, undo: _ } => {}
        Record::Attested { member: _, how: _, by, reason } => texts(&mut [by, reason]),
        // No plan holds a secret: that was refused when it was made.
        Record::Switched { from: _, plan: _, to: _, by, reason } => texts(&mut [by, reason]),
        Record::Handled { step: _, how: _, by, reason, looked: _, evidence } => {
            texts(&mut [by, reason, evidence])
        }
        Record::Waived { step: _, by, reason } => texts(&mut [by, reason]),
        Record::Turned { to: _, step: _, unknown: _, why } => texts(&mut [why]),
        Record::Surveyed { world, notes, frozen: _, diverged: _, unknown: _, promoted: _, waiting: _ } => {
            texts(&mut [world]);
            notes.iter_mut().for_each(|note| texts(&mut [note]));
        }
        Record::Ended { verdict: _, why, world } => texts(&mut [why, world]),
        Record::Abandoned { operator, reason, world } => texts(&mut [operator, reason, world]),
    }
    Ok(())
}

/// Cuts a text that is too long; after it was scrubbed, so that no secret is cut in two and missed.
fn bound(text: &mut String) {
    if text.len() > LONGEST {
        let mut end = LONGEST - '…'.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

/// Scrubs facts. Whether more than reasons for not knowing was changed.
fn facts_without<F: Serialize + DeserializeOwned>(
    redactor: &Redactor,
    facts: &mut F,
) -> Result<bool, String> {
    let mut value = serde_json::to_value(&*facts).map_err(|error| error.to_string())?;
    let mut seen = Seen::default();
    leaves(redactor, &mut value, false, &mut seen);
    if seen.any {
        *facts = serde_json::from_value(value).map_err(|_| {
            "facts that were read hold a secret where a word of their own must stand".to_string()
        })?;
    }
    Ok(seen.substance)
}

#[derive(Default)]
struct Seen {
    any: bool,
    substance: bool,
}

fn leaves(redactor: &Redactor, value: &mut Value, reason: bool, seen: &mut Seen) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if redactor.scrub_in_place(text) {
                seen.any = true;
                seen.substance |= !reason;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| leaves(redactor, item, reason, seen)),
        // `{"unknown": "why"}` is how a fact that could not be read is written.
        Value::Object(map) => {
            map.iter_mut().for_each(|(key, item)| leaves(redactor, item, reason || key == "unknown", seen));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::driver::read_record;
    use crate::journal::chain::{GENESIS, read};
    use crate::step::Facts;
    use crate::world::Known;
    use crate::world::dns::{RecordFacts, RecordName};
    use crate::world::plausible::{Case, Observed, Place};
    use secrecy::SecretString;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn golden() -> Vec<Record> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals/0.1.0");
        let mut records = Vec::new();
        for story in std::fs::read_dir(path).unwrap().flatten() {
            let mut prev = GENESIS.to_owned();
            let text = std::fs::read_to_string(story.path().join("journal.jsonl")).unwrap();
            for (seq, line) in text.lines().enumerate() {
                let line = read(seq + 1, line, &prev, seq as u64).unwrap();
                prev.clone_from(&line.hash);
                records.push(read_record(&line).unwrap());
            }
        }
        records
    }

    /// Every string in a value, whatever it is for.
    fn strings(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                into.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
            Value::Object(map) => {
                for (key, item) in map {
                    into.insert(key.clone());
                    strings(item, into);
                }
            }
            _ => {}
        }
    }

    fn knowing(secret: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.add(&SecretString::from(secret));
        redactor
    }

    #[test]
    fn a_secret_spelt_like_any_word_of_a_journal_leaves_its_structure_as_it_is_or_stops() {
        let records = golden();
        let mut words = BTreeSet::new();
        for record in &records {
            strings(&serde_json::to_value(record).unwrap(), &mut words);
        }
        assert!(words.len() > 100 && words.contains("postgres_preflight") && words.contains("freeze"));
        for word in &words {
            let redactor = knowing(word);
            for record in &records {
                // What cannot be written truly is not written at all.
                let Ok(body) = body(&redactor, record) else { continue };
                let read: Record = serde_json::from_value(Value::Object(body)).unwrap();
                assert_eq!(skeleton(&read), skeleton(record), "{word:?} rewrites {record:?}");
            }
        }
    }

    /// What folds: everything of a record but its texts and facts.
    fn skeleton(record: &Record) -> String {
        let mut value = serde_json::to_value(record).unwrap();
        let map = value.as_object_mut().unwrap();
        let texts =
            ["evidence", "facts", "operator", "host", "reason", "by", "why", "world", "notes", "waived"];
        texts.iter().for_each(|text| drop(map.remove(*text)));
        if let Some(reply) = map.get_mut("reply").and_then(Value::as_object_mut) {
            ["note", "why", "progress"].iter().for_each(|text| drop(reply.remove(*text)));
        }
        value.to_string()
    }

    #[test]
    fn secrets_in_texts_and_facts_are_scrubbed() {
        let redactor = knowing("hunter2-hunter2");
        let facts: Facts = serde_json::from_value(serde_json::json!({
            "exec": { "look": { "unknown": "said hunter2-hunter2" } }
        }))
        .unwrap();
        let record = Record::Looked {
            step: "a".into(),
            effect: "b".into(),
            purpose: crate::engine::record::Purpose::Before,
            standing: crate::step::Standing::Unknown,
            evidence: "password hunter2-hunter2 refused".into(),
            facts: facts.clone(),
            handover: None,
            remark: None,
        };
        let text = Value::Object(body(&redactor, &record).unwrap()).to_string();
        assert!(!text.contains("hunter2") && text.matches("[redacted]").count() == 2, "{text}");
        // A reason may be scrubbed in a prior too; it is not what is restored.
        let intent =
            Record::Intent { step: "a".into(), effect: "b".into(), attempt: 1, undo: false, prior: facts };
        assert!(!Value::Object(body(&redactor, &intent).unwrap()).to_string().contains("hunter2"));
    }

    #[test]
    fn a_kept_case_holds_no_secret() {
        let seen = |why: &str| {
            Observed::DnsRecord(RecordFacts {
                sets: vec![],
                shares: Known::unknown(why),
                ttl: Known::Known(60),
                serial: Known::Known(1),
                transferred: Known::Known(true),
                answers: Known::Known(vec![why.to_string()]),
                sampled: Known::unknown(why),
            })
        };
        let at = RecordName { record: "www".into(), server: "pdns-eu".into() };
        let case = Case {
            rule: "dns.serial".into(),
            place: Place::DnsRecord(at),
            what: "it said hunter2-hunter2".into(),
            before: Some(seen("hunter2-hunter2")),
            now: seen("hunter2-hunter2"),
        };
        let (step, effect) = ("a".to_string(), "b".to_string());
        let purpose = crate::engine::record::Purpose::Before;
        let record = Record::Surprised { step, effect, purpose, case: Box::new(case) };
        let text = Value::Object(body(&knowing("hunter2-hunter2"), &record).unwrap()).to_string();
        assert!(!text.contains("hunter2") && text.matches("[redacted]").count() == 7, "{text}");
    }

    #[test]
    fn a_long_text_is_cut_after_it_was_scrubbed() {
        let long = "é".repeat(2040);
        let why = format!("{long} hunter2-hunter2 {long}");
        let record = Record::Ended { verdict: crate::engine::Verdict::Failed, why, world: String::new() };
        let body = body(&knowing("hunter2-hunter2"), &record).unwrap();
        let why = body["why"].as_str().unwrap();
        assert!(why.len() <= LONGEST && why.ends_with('…') && !why.contains("hunter"), "{}", why.len());
    }

    #[test]
    fn an_intent_that_would_restore_a_placeholder_is_not_written() {
        let intents: Vec<Record> = golden()
            .into_iter()
            .filter(|record| matches!(record, Record::Intent { undo: false, .. }))
            .collect();
        let contents = intents.iter().find(|intent| format!("{intent:?}").contains("contents")).unwrap();
        let content = first_content(contents);
        let error = body(&knowing(&content), contents).unwrap_err();
        assert!(
            error.contains("would have to restore holds a secret") && !error.contains(&content),
            "{error}"
        );
    }

    /// The first content of a record set in a record.
    fn first_content(record: &Record) -> String {
        fn first(value: &Value) -> Option<String> {
            match value {
                Value::Object(map) => match map.get("contents").and_then(|contents| contents.get(0)) {
                    Some(content) => content.as_str().map(String::from),
                    None => map.values().find_map(first),
                },
                Value::Array(items) => items.iter().find_map(first),
                _ => None,
            }
        }
        first(&serde_json::to_value(record).unwrap()).unwrap()
    }
}
