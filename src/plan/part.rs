//! Whether a step is part of this run, and in which regions.

use super::build::Builder;
use super::model::Mode;
use crate::error::{Code, Problem, Problems};
use crate::runbook::model;
use crate::step::contract::{KindInfo, Place, Unplanned};
use crate::step::scope::Directory;
use crate::step::table;

impl Builder<'_> {
    /// Why a step is not part of this run, if it is not.
    pub(super) fn skipped(&self, step: &model::Step, problems: &mut Problems) -> Option<String> {
        use model::Only;
        let only = &step.policy.only;
        let has = |what: Only| only.iter().any(|one| one.value == what);
        let mode = match self.request.mode {
            Mode::Planned => Only::Planned,
            Mode::Unplanned => Only::Unplanned,
        };
        if (has(Only::Planned) || has(Only::Unplanned)) && !has(mode) {
            return Some(format!("not part of {} runs", self.request.mode));
        }
        match (self.request.mode, table::info(&step.kind.value).map(|info| info.unplanned)) {
            (Mode::Unplanned, Some(Unplanned::LeftOut(why)))
            | (Mode::Planned, Some(Unplanned::Only(why))) => {
                return Some(why.to_string());
            }
            _ => {}
        }
        // A dry run shows the real run.
        if has(Only::Drill) && !has(Only::Real) {
            return Some("part of drills only".into());
        }
        let when = step.policy.when.as_ref()?;
        let condition = self.condition(when, self.request.to, problems)?;
        match condition.decide() {
            Some(true) => None,
            Some(false) => Some(format!("`when` is not so: {}", condition.expression)),
            None => {
                let why = "`when` needs a value that is known only while running";
                problems.push(
                    Problem::error(Code::BadValue, why)
                        .at(when.text.span)
                        .help("use parameters, `mode`, `from` and `to` here, and `require` for signals"),
                );
                None
            }
        }
    }

    /// The regions that a step is for, in the order in which it is done.
    pub(super) fn regions(&self, step: &model::Step, info: &KindInfo) -> Vec<String> {
        use model::Where;
        let (from, to) = (self.request.from.to_string(), self.request.to.to_string());
        let all = || self.directory.regions();
        let others = || all().into_iter().filter(|region| *region != from && *region != to).collect();
        match step.policy.place.as_ref().map(|place| &place.value) {
            Some(Where::From) => vec![from],
            Some(Where::To) => vec![to],
            Some(Where::Both) => vec![from, to],
            Some(Where::Others) => others(),
            Some(Where::All) => all(),
            // One that is not there is reported by a rule.
            Some(Where::Region(named)) => all().into_iter().filter(|region| region == named).collect(),
            None => match info.place {
                Place::From => vec![from],
                Place::To | Place::Nowhere => vec![to],
                Place::Both => vec![from, to],
                Place::Others => others(),
                Place::All => all(),
            },
        }
    }
}
