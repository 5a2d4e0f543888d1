//! What a run's journal says of its rehearsal, in words.

use crate::engine::record::Covered;
use crate::output::words::{age, count};

/// Whether a run was rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// In words.
    pub text: String,
    /// Whether one was demanded, and a person went on without.
    pub waived: bool,
}

pub(super) fn rehearsed(covered: Option<&Covered>, why: &str, waived: &str) -> Rehearsed {
    let text = match covered {
        Some(covered) => {
            let faults = count(usize::try_from(covered.faults).unwrap_or(usize::MAX), "fault");
            let certificate: String = covered.certificate.chars().take(12).collect();
            let accepted = match covered.accepted.as_slice() {
                [] => String::new(),
                steps => format!(", not covered: {}", steps.join(", ")),
            };
            let (age, version) = (age(covered.age_ms), &covered.version);
            format!("rehearsed {age}, {faults}, with mrctl {version} (certificate {certificate}){accepted}")
        }
        None if waived.is_empty() => why.to_owned(),
        None => format!("went on without the rehearsal that is demanded: {waived} ({why})"),
    };
    Rehearsed { text, waived: covered.is_none() && !waived.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_is_told_with_what_it_did_not_cover_and_a_waiver_with_its_reason() {
        let covered = Covered {
            certificate: "ab".repeat(32),
            age_ms: 3 * 86_400_000,
            faults: 1,
            version: "0.1.0".into(),
            start: "inventory".into(),
            accepted: vec!["cdn".into()],
        };
        let told = rehearsed(Some(&covered), "", "");
        assert_eq!(
            (told.text.as_str(), told.waived),
            (
                "rehearsed 3 days ago, 1 fault, with mrctl 0.1.0 (certificate abababababab), not covered: cdn",
                false
            )
        );
        assert_eq!(
            rehearsed(None, "never rehearsed", ""),
            Rehearsed { text: "never rehearsed".into(), waived: false }
        );
        let waived = rehearsed(None, "never rehearsed", "fire");
        assert!(waived.waived && waived.text.contains("fire (never rehearsed)"), "{waived:?}");
    }
}
