//! Which of both is the newer one, and whether anybody else is: in the wrong direction a rewind would erase what was written since.

use super::{Facts, Reprotect};
use crate::step::contract::{Judgement, Standing};
use crate::step::postgres::evidence::answers;
use crate::world::Known;
use crate::world::postgres::{PrimaryFacts, Role, ServerFacts, StandbyFacts};

/// States of a control file in which a server writes nothing of its own. One that is promoted leaves them before it takes writes.
const AS_STANDBY: [&str; 2] = ["shut down in recovery", "in archive recovery"];

impl Reprotect {
    /// The old one is in recovery: it has to be behind, or on the same timeline.
    pub(super) fn judge_standby(&self, old: &StandbyFacts, new: &PrimaryFacts) -> Judgement {
        let (at, target) = (&self.pair.source, &self.pair.target.region);
        let known = match &old.timeline {
            Known::Known(timeline) => *timeline,
            Known::Unknown(why) => {
                return Judgement::unknown(format!("the timeline of {at} is unknown: {why}"));
            }
        };
        let timeline = known.max(old.receiver.get().map_or(0, |receiver| receiver.timeline));
        if timeline > new.timeline {
            return Judgement::blocked(format!(
                "{at} is a standby of timeline {timeline}, and {target} writes timeline {}: it is not behind",
                new.timeline
            ));
        }
        // One that connects again tries every few seconds. Nothing of it has to be rewound.
        if timeline == new.timeline {
            return Judgement::moving(format!(
                "{at} is a standby of timeline {timeline} already and does not stream from {target} at this moment: it is waited for; if it stays so, its log says why, and once it is stopped it can be rejoined"
            ));
        }
        Judgement::not_reached(format!("a standby of timeline {timeline}"))
    }

    /// What forbids to rewind a server that does not answer: its control file has to show that the other one is the newer.
    pub(super) fn not_older(&self, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
        let (at, target) = (&self.pair.source, &self.pair.target.region);
        let control = match &facts.control {
            Known::Known(control) => control,
            Known::Unknown(why) => {
                return Some(Judgement::unknown(format!(
                    "{at} does not answer, so which of the two is the newer one cannot be told ({why}): give the member a \
                     `control_data` that can read its control file"
                )));
            }
        };
        let system = facts.new.get().map(|new| new.system.as_str()).unwrap_or_default();
        if control.system != system {
            return Some(Judgement::blocked(format!(
                "two different clusters: {} and {system}",
                control.system
            )));
        }
        let standby = AS_STANDBY.contains(&control.state.as_str());
        let newest = if standby { new.timeline } else { new.timeline.saturating_sub(1) };
        (control.timeline > newest).then(|| {
            Judgement::blocked(format!(
                "{at} was left `{}` on timeline {}, and {target} writes timeline {}: it is not behind; if the direction is right, a person has to decide which history stays",
                control.state, control.timeline, new.timeline
            ))
        })
    }

    /// Whether another member may have what neither of both has: what is certain before what cannot be told.
    pub(super) fn newer_elsewhere(&self, facts: &Facts, new: &PrimaryFacts) -> Option<Judgement> {
        let judged = |(region, seen): &(String, Known<ServerFacts>)| self.other(region, seen, facts, new);
        let mut found: Vec<Judgement> = facts.others.iter().filter_map(judged).collect();
        let blocked = found.iter().position(|judged| judged.standing == Standing::Blocked);
        if found.is_empty() { None } else { Some(found.swap_remove(blocked.unwrap_or(0))) }
    }

    fn other(
        &self,
        region: &str,
        seen: &Known<ServerFacts>,
        facts: &Facts,
        new: &PrimaryFacts,
    ) -> Option<Judgement> {
        let target = &self.pair.target.region;
        let other = match seen {
            Known::Known(other) => other,
            Known::Unknown(_) if facts.vouches(region) && answers(seen).is_none() => return None,
            Known::Unknown(why) => {
                return Some(Judgement::unknown(format!(
                    "the member in {region} cannot be seen ({why}), so whether it is a newer primary is unknown"
                )));
            }
        };
        if facts.new.is(|new| new.system != other.system) {
            return Some(Judgement::unknown(format!(
                "the address of the member in {region} leads to another cluster, {}",
                other.system
            )));
        }
        match &other.role {
            Role::Primary(primary) if primary.timeline >= new.timeline => Some(Judgement::blocked(format!(
                "the member in {region} is a primary of timeline {}, and {target} writes timeline {}: a person has to decide which history stays",
                primary.timeline, new.timeline
            ))),
            Role::Standby(StandbyFacts { timeline: Known::Known(timeline), .. })
                if *timeline > new.timeline =>
            {
                Some(Judgement::blocked(format!(
                    "the member in {region} is a standby of timeline {timeline}, and {target} writes timeline {}: somebody newer was promoted",
                    new.timeline
                )))
            }
            Role::Primary(_) | Role::Standby(_) => None,
        }
    }
}
