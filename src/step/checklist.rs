//! `checklist`: lines that people confirm, one at a time.

use super::contract::{
    Aim, Effect, Judgement, Kind, KindInfo, Main, Part, Place, Question, Sight, Unplanned,
};
use super::scope::Scope;
use crate::error::Problem;
use crate::world::postgres::Handover;
use crate::world::{Answer, ready};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lines that people confirm.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Checklist")]
pub struct Params {
    /// Role that answers; anyone if absent.
    #[serde(default)]
    pub role: Option<String>,
    /// The lines.
    pub items: Vec<String>,
}

/// A resolved checklist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checklist {
    role: String,
    items: Vec<String>,
}

/// Nothing is looked at: the answers are records of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {}

impl Kind for Checklist {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "checklist",
        summary: "Asks people to confirm lines that no program can check, one at a time.",
        changes: false,
        touches: "nothing",
        undo: "nothing to put back",
        grants: &[],
        main: Main::Field("items"),
        place: Place::Nowhere,
        version: 1,
        part: Part::Pause,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, _scope: &Scope<'_>) -> Result<Self, Problem> {
        if params.items.is_empty() {
            return Err(Problem::error(crate::error::Code::WrongType, "a checklist needs at least one item"));
        }
        Ok(Self { role: params.role.unwrap_or_default(), items: params.items })
    }

    fn title(&self) -> String {
        match self.items.as_slice() {
            [only] => only.clone(),
            items => format!("Checklist of {} lines", items.len()),
        }
    }

    fn effects(&self) -> Vec<Effect> {
        Vec::new()
    }

    fn questions(&self) -> Vec<Question> {
        let items = self.items.iter().enumerate();
        items
            .map(|(index, text)| Question {
                id: format!("item_{}", index + 1),
                role: self.role.clone(),
                text: text.clone(),
            })
            .collect()
    }

    fn resources(&self) -> Vec<String> {
        Vec::new()
    }

    fn observe<'a>(&'a self, _effect: &'a str, _sight: Sight<'a>) -> Answer<'a, Facts> {
        ready(Facts {})
    }

    fn judge(
        &self,
        _effect: &str,
        _facts: &Facts,
        _aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        Judgement::unknown("a checklist has nothing to look at")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_question_of_its_own_for_the_role() {
        let checklist =
            Checklist { role: "commander".into(), items: vec!["Channel open".into(), "Support told".into()] };
        let questions = checklist.questions();
        assert_eq!(questions.len(), 2);
        assert_eq!((questions[1].id.as_str(), questions[1].role.as_str()), ("item_2", "commander"));
        assert!(checklist.effects().is_empty());
    }
}
