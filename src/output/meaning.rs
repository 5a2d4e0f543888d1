//! What a typed line means as an answer to a question.

use crate::engine::AskedKind;
use crate::engine::going_on::GoingOn;
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

/// What a line means as the reason for going on: the other words that the question takes still mean what they say.
pub fn reason(kind: &AskedKind, line: &str) -> Result<String, Meaning> {
    match meaning(kind, line) {
        Meaning::Chosen(Choice::Continue) => Err(Meaning::Again("please say why going on is right".into())),
        Meaning::Chosen(choice) => Err(Meaning::Chosen(choice)),
        Meaning::Yes | Meaning::No | Meaning::Again(_) => match line.trim() {
            "" => Err(Meaning::Again("going on takes a reason".into())),
            reason => Ok(reason.to_string()),
        },
    }
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
        AskedKind::Paused { going_on, can_roll_back } => match word.as_str() {
            "continue" if *going_on == GoingOn::NotHere => {
                Meaning::Again("going on is not possible from here".into())
            }
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
        let paused = |can_roll_back| AskedKind::Paused { going_on: GoingOn::Free, can_roll_back };
        let elsewhere = AskedKind::Paused { going_on: GoingOn::NotHere, can_roll_back: true };
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
            (&elsewhere, "continue", again.clone()),
            (&elsewhere, "roll back", Some(Meaning::Chosen(Choice::RollBack))),
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
    #[test]
    fn a_reason_is_a_text_and_the_words_of_the_question_stay_words() {
        let kind = AskedKind::Paused { going_on: GoingOn::WithReason, can_roll_back: true };
        assert_eq!(reason(&kind, " we put the zone back "), Ok("we put the zone back".into()));
        for nothing in ["", "  ", "continue", "Continue "] {
            assert!(matches!(reason(&kind, nothing), Err(Meaning::Again(_))), "{nothing:?}");
        }
        for (word, choice) in [("leave", Choice::Leave), ("Roll back", Choice::RollBack)] {
            assert_eq!(reason(&kind, word), Err(Meaning::Chosen(choice)));
        }
    }
}
