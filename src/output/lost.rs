//! What the promotions of a run have lost, and what was counted of it.

use super::model::Model;
use crate::step::Remark;
use crate::world::postgres::{Counted, HandoverBy};

/// What the promotions of a run have lost of what the old primaries had told anyone was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// Nothing: each target had proved that it has everything.
    Nothing,
    /// What a person accepted to lose.
    Accepted,
    /// Not known: an old primary took commits after the handover, or there was none.
    Unknown,
}

impl Lost {
    /// As events name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Accepted => "what was accepted as lost",
            Self::Unknown => "unknown: the old primary may have what the new one lacks",
        }
    }
}

/// What heartbeats counted of what was accepted as lost, by data set.
pub fn counted(model: &Model) -> Vec<(&str, &Counted)> {
    let (plan, state) = (&*model.plan, &model.state);
    // Once both sides went on, what is missing where is another question.
    if lost(model) != Some(Lost::Accepted) {
        return Vec::new();
    }
    let promoted = plan.clusters.keys().filter(|set| state.passed_for(plan, set));
    promoted.filter_map(|set| Some((set.as_str(), state.handovers.get(set)?.counted.as_deref()?))).collect()
}

/// The worst of the data sets that were promoted; none if none was.
pub fn lost(model: &Model) -> Option<Lost> {
    let (plan, state) = (&*model.plan, &model.state);
    let diverged = state.remarks.iter().any(|(_, remark)| *remark == Remark::Divergence);
    let promoted = plan.clusters.keys().filter(|set| state.passed_for(plan, set));
    let each = promoted.map(|set| match state.handovers.get(set).map(|handover| handover.by) {
        _ if diverged => Lost::Unknown,
        // Only frozen by a setting: what it took since is known only if everything was seen at the end.
        Some(HandoverBy::Soft) if state.survey.as_ref().is_none_or(|survey| survey.unknown) => Lost::Unknown,
        Some(HandoverBy::Soft | HandoverBy::Shutdown) => Lost::Nothing,
        Some(HandoverBy::LossAccepted) => Lost::Accepted,
        None => Lost::Unknown,
    });
    each.max()
}
