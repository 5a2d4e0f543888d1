//! `wait`: until a condition holds for a while, or for a fixed time.

use super::condition::{Condition, Observed};
use super::contract::{Aim, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned};
use super::scope::Scope;
use crate::error::Problem;
use crate::language::{Period, Spanned};
use crate::world::Answer;
use crate::world::postgres::Handover;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Waits until a condition holds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wait")]
pub struct Params {
    /// The condition.
    pub until: Spanned<String>,
    /// How long it must hold without a break.
    #[serde(default, rename = "for")]
    pub hold: Option<Period>,
    /// How long to wait at most; default 5m.
    #[serde(default)]
    pub within: Option<Period>,
    /// Time between samples; default 2s.
    #[serde(default)]
    pub every: Option<Period>,
}

/// A resolved wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wait {
    until: Condition,
    hold_ms: u64,
    within_ms: u64,
    every_ms: u64,
}

impl Wait {
    /// The condition.
    pub fn condition(&self) -> &Condition {
        &self.until
    }
}

impl Kind for Wait {
    type Params = Params;
    type Facts = Observed;

    const INFO: KindInfo = KindInfo {
        name: "wait",
        summary: "Waits until a condition over signals holds without a break.",
        changes: false,
        touches: "nothing; reads the signals of the inventory",
        undo: "nothing to put back",
        grants: &[],
        main: Main::Field("until"),
        place: Place::Nowhere,
        version: 1,
        part: Part::Pause,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        Ok(Self {
            until: Condition::resolve(&params.until.value, scope, params.until.span)?,
            hold_ms: params.hold.map_or(0, Period::millis),
            within_ms: params.within.map_or(300_000, Period::millis),
            every_ms: params.every.map_or(2_000, Period::millis),
        })
    }

    fn title(&self) -> String {
        format!("Wait until {}", self.until.expression)
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::look(Pace { within_ms: self.within_ms, every_ms: self.every_ms, hold_ms: self.hold_ms })]
    }

    fn resources(&self) -> Vec<String> {
        Vec::new()
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Observed> {
        Box::pin(self.until.observe(sight))
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Observed,
        _aim: Aim<'_, Observed>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        match facts.truth {
            Some(true) => Judgement::reached(&facts.evidence),
            Some(false) => Judgement::not_reached(&facts.evidence),
            None => Judgement::unknown(&facts.evidence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Standing;

    #[test]
    fn unknown_never_passes() {
        let expression = crate::language::expression::Expression::parse("1 < 2", Default::default()).unwrap();
        let until = Condition { expression, names: Default::default(), units: Default::default() };
        let wait = Wait { until, hold_ms: 0, within_ms: 1, every_ms: 1 };
        for (truth, standing) in
            [(Some(true), Standing::Reached), (Some(false), Standing::NotReached), (None, Standing::Unknown)]
        {
            let facts = Observed { truth, evidence: "seen".into() };
            assert_eq!(wait.judge("look", &facts, Aim::Applied, None).standing, standing);
        }
    }
}
