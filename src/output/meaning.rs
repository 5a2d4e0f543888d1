//! What a typed line means as an answer to a question.

use crate::engine::AskedKind;
use crate::engine::record::Choice;
use crate::plan::AskKind;

/// What a line means as an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Yes,
    No,
    Chosen(Choice),
    /// Nothing; with what to say.
    Again(String),
}

/// What a typed line means. There is no default: an empty line is no answer.
pub fn meaning(kind: &AskedKind, line: &str) -> Meaning {
    let word = line.trim().to_lowercase();
    match kind {
        AskedKind::Planned(AskKind::Item) => match word.as_str() {
            "y" | "yes" => Meaning::Yes,
            "n" | "no" => Meaning::No,
            _ => Meaning::Again("please answer y or n".into()),
        },
        AskedKind::Planned(AskKind::Confirm) => match word.as_str() {
            "yes" => Meaning::Yes,
            "n" | "no" => Meaning::No,
            _ => Meaning::Again("please type the whole word: yes or no".into()),
        },
        // To the letter: whoever types the target's name has read it.
        AskedKind::Planned(AskKind::Typed(wanted)) => match line {
            line if line == wanted => Meaning::Yes,
            _ if word == "no" => Meaning::No,
            _ => Meaning::Again(format!("that is not {wanted}; nothing was changed")),
        },
        AskedKind::Adopt => match word.as_str() {
            "adopt" => Meaning::Yes,
            "stop" | "no" => Meaning::No,
            _ => Meaning::Again("please type adopt or stop".into()),
        },
        AskedKind::Paused { can_roll_back } => match word.as_str() {
            "continue" => Meaning::Chosen(Choice::Continue),
            "leave" => Meaning::Chosen(Choice::Leave),
            "roll back" | "rollback" if *can_roll_back => Meaning::Chosen(Choice::RollBack),
            "roll back" | "rollback" => Meaning::Again("a rollback is not possible from here".into()),
            _ => Meaning::Again("please type the whole word".into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> AskedKind {
        AskedKind::Planned(AskKind::Typed("us-east".into()))
    }

    #[test]
    fn a_line_means_what_it_says_and_nothing_by_default() {
        let item = AskedKind::Planned(AskKind::Item);
        let confirm = AskedKind::Planned(AskKind::Confirm);
        let paused = |can_roll_back| AskedKind::Paused { can_roll_back };
        let again = None;
        for (kind, line, wanted) in [
            (&item, "y", Some(Meaning::Yes)),
            (&item, " YES ", Some(Meaning::Yes)),
            (&item, "n", Some(Meaning::No)),
            (&item, "", again.clone()),
            (&confirm, "yes", Some(Meaning::Yes)),
            (&confirm, "y", again.clone()),
            (&confirm, "", again.clone()),
            (&confirm, "no", Some(Meaning::No)),
            (&typed(), "us-east", Some(Meaning::Yes)),
            (&typed(), "US-EAST", again.clone()),
            (&typed(), "us-east ", again.clone()),
            (&typed(), "yes", again.clone()),
            (&typed(), "", again.clone()),
            (&typed(), "no", Some(Meaning::No)),
            (&AskedKind::Adopt, "adopt", Some(Meaning::Yes)),
            (&AskedKind::Adopt, "y", again.clone()),
            (&AskedKind::Adopt, "stop", Some(Meaning::No)),
            (&paused(true), "roll back", Some(Meaning::Chosen(Choice::RollBack))),
            (&paused(false), "roll back", again.clone()),
            (&paused(true), "continue", Some(Meaning::Chosen(Choice::Continue))),
            (&paused(true), "leave", Some(Meaning::Chosen(Choice::Leave))),
            (&paused(true), "c", again),
        ] {
            let ours = meaning(kind, line);
            match wanted {
                Some(wanted) => assert_eq!(ours, wanted, "{kind:?} {line:?}"),
                None => assert!(matches!(ours, Meaning::Again(_)), "{kind:?} {line:?} gave {ours:?}"),
            }
        }
    }
}
