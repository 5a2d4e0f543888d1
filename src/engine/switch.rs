//! A planned run whose source has died is taken over as an unplanned one: what is carried over, and what stands against it.

use super::by_hand::ByHand;
use super::effect_state::{EffectState, Flight, Undone};
use super::identity::ours;
use super::state::{RunState, Stage};
use super::survey;
use crate::plan::{Mode, Plan};
use crate::step::Class;
use crate::world::World;

/// What stands against taking a run over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is unplanned already.
    Unplanned,
    /// The promotion is made.
    Promoted,
    /// The promotion may have been made, or may still come about.
    MayPromote,
    /// It is for another move, or of another runbook.
    Another(String),
    /// A change of ours stands, and the new plan does not know it, or knows something else by its name.
    Lost(String),
    /// Something stands against going on with it at all, in either mode.
    Stopped(String),
    /// Another server answers than the one that it was planned for.
    OtherServers(String),
    /// The inventory is another one, and changes stand that were made by the old one.
    OtherInventory,
    /// The target is vouched for as one that takes no writes.
    TargetFenced(String),
    /// Taking back a change was begun, and nobody knows what became of it.
    UndoInDoubt(String),
}

impl Hindrance {
    /// In one line.
    pub fn line(&self) -> String {
        match self {
            Self::Unplanned => "it is unplanned already".into(),
            Self::Promoted => "the promotion is made: nothing that is left of it needs another mode".into(),
            Self::MayPromote => "the promotion may have been made, or may still come about".into(),
            Self::Another(what) => format!("that is not the plan of this run: {what}"),
            Self::Lost(what) => format!("{what} stands, and the new plan has no such change"),
            Self::Stopped(line) => line.clone(),
            Self::OtherServers(what) => format!("it was planned for others: {what}"),
            Self::OtherInventory => {
                "the inventory is not the one with which its changes were made, and may mean other servers"
                    .into()
            }
            Self::TargetFenced(member) => {
                format!("{member} is vouched for as fenced or destroyed, and would be promoted")
            }
            Self::UndoInDoubt(what) => {
                format!("{what} may or may not have been taken back: nobody knows what became of it")
            }
        }
    }

    /// What to do about it. `run`: as commands take it.
    pub fn help(&self, run: &str) -> String {
        match self {
            Self::Unplanned | Self::Promoted => format!("go on with `mrctl resume {run}`"),
            Self::MayPromote => format!("`mrctl resume {run}` looks at it first"),
            Self::Stopped(_) => format!(
                "find out what it is; then decide about that alone: `mrctl resume {run} --reason …`, or `mrctl rollback {run}`"
            ),
            Self::OtherInventory => format!(
                "give the one of that time with --inventory; or close the run with `mrctl abandon {run}` and begin a new one with `mrctl failover --mode unplanned`"
            ),
            Self::OtherServers(_) | Self::TargetFenced(_) => format!(
                "close it with `mrctl abandon {run}`, and begin a new run with `mrctl failover --mode unplanned`, which approves what is there now"
            ),
            Self::Another(_) | Self::Lost(_) => {
                "give the runbook, the inventory and the directions that it was planned with".into()
            }
            Self::UndoInDoubt(_) => format!(
                "`mrctl resume {run}` looks at it first; or close it with `mrctl abandon {run}` and begin a new run with `mrctl failover --mode unplanned`"
            ),
        }
    }
}

impl RunState {
    /// What stands against taking the run over with the new plan.
    pub fn against_switching(&self, old: &Plan, new: &Plan) -> Vec<Hindrance> {
        let mut found = Vec::new();
        if old.mode == Mode::Unplanned {
            return vec![Hindrance::Unplanned];
        }
        if self.passed(old) {
            return vec![Hindrance::Promoted];
        }
        if self.armed(old) {
            found.push(Hindrance::MayPromote);
        }
        // The reason is for the switch, and accepts nothing else.
        found.extend(self.against_going_on(old).iter().map(|against| Hindrance::Stopped(against.line())));
        let ours = ours(old, self);
        let differ = old.identity.iter().filter_map(|(name, before)| {
            let now = new.identity.get(name).filter(|now| *now != before && !ours.contains(name))?;
            Some(format!("{name} was {before}, is {now}"))
        });
        let differ = differ.collect::<Vec<_>>().join("; ");
        if !differ.is_empty() {
            found.push(Hindrance::OtherServers(differ));
        }
        if self.changed() && old.inventory_sha256 != new.inventory_sha256 {
            found.push(Hindrance::OtherInventory);
        }
        let target = self.fenced.iter().filter(|member| member.region == new.to);
        found.extend(target.map(|member| Hindrance::TargetFenced(member.to_string())));
        for (what, before, now) in [
            ("it is of the runbook", &old.runbook, &new.runbook),
            ("it leaves", &old.from, &new.from),
            ("it moves to", &old.to, &new.to),
            ("it is for", &old.environment, &new.environment),
        ] {
            if before != now {
                found.push(Hindrance::Another(format!("{what} {now}, and the run {before}")));
            }
        }
        for (s, e, planned) in old.effects() {
            let effect = &self.steps[s].effects[e];
            if effect.intent.is_none() && effect.undo.is_none() {
                continue;
            }
            let (kind, name) = (&old.steps[s].kind, format!("{}/{}", old.steps[s].id, planned.name));
            let there = super::state::find(new, &old.steps[s].id, &planned.name).filter(|(s, e)| {
                let other = &new.steps[*s].effects[*e];
                new.steps[*s].kind == *kind
                    && other.effect.class == planned.effect.class
                    && other.action.resources() == planned.action.resources()
            });
            match there {
                // A mark in the log serves the proof of that time, and leaves nothing behind.
                None if planned.effect.class == Class::ForwardOnly && planned.effect.makes.is_some() => {}
                None if effect.stands() => found.push(Hindrance::Lost(name)),
                // What is not part of the new plan needs no answer: the source that it is at has died.
                Some((s, _)) if undo_in_doubt(effect) && new.steps[s].skipped.is_none() => {
                    found.push(Hindrance::UndoInDoubt(name));
                }
                None | Some(_) => {}
            }
        }
        found
    }

    /// Takes the run over. What a change of ours has left stands, with what it has to be taken back to; everything that was seen, answered
    /// or proved was so for another plan.
    pub(super) fn switch(&mut self, plan: &Plan) {
        self.stage = Stage::Forward;
        self.doubt_everything(plan);
        self.answers.clear();
        self.handovers.clear();
        // What was decided about single steps was allowed by another plan.
        self.by_hand = ByHand::default();
        self.gap_told = false;
        for (step, planned) in self.steps.iter_mut().zip(&plan.steps) {
            (step.required, step.warned, step.tries) = (None, false, 0);
            for (effect, planned) in step.effects.iter_mut().zip(&planned.effects) {
                let kept = effect.stands() && planned.effect.class != Class::Looks;
                if kept {
                    (effect.undo, effect.undone, effect.seen, effect.found) = (None, None, None, false);
                } else {
                    // Taken back, refused, or only looked at: as if it had never been, but for the numbers that are used up.
                    let (attempts, tried_before) = (effect.attempts, effect.attempts);
                    *effect = EffectState { attempts, tried_before, ..EffectState::default() };
                }
            }
        }
        let steps = &self.steps;
        self.intents.retain(|(s, e)| steps[*s].effects[*e].intent.is_some());
    }
}

/// What was approved of a target that cannot be seen now stands: else nobody could promote it once it is there again. The source is not
/// asked for.
pub fn keep_approved(old: &Plan, new: &mut Plan) {
    // Another inventory may mean another server by the same name.
    if old.inventory_sha256 != new.inventory_sha256 {
        return;
    }
    let of_target = |name: &str| {
        new.clusters.keys().any(|cluster| name.starts_with(&format!("postgres/{cluster}/{}/", new.to)))
    };
    let kept = old.identity.iter().filter(|(name, _)| of_target(name) && !new.identity.contains_key(*name));
    let kept: Vec<_> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    new.identity.extend(kept);
}

/// Which old primaries answer as such, if all of them do: then nobody has to lose anything, and no run is taken over.
pub async fn answering(world: &World, plan: &Plan) -> Option<Vec<String>> {
    let from = std::slice::from_ref(&plan.from);
    let mut alive = Vec::new();
    for (cluster, _) in plan.clusters.iter().filter(|(_, regions)| regions.contains(&plan.from)) {
        let now = survey::cluster(world, cluster, from, "").await;
        if now.primaries().is_empty() {
            return None;
        }
        alive.push(format!("{cluster} in {} answers as primary", plan.from));
    }
    (!alive.is_empty()).then_some(alive)
}

/// Whether nobody knows if it was taken back.
fn undo_in_doubt(effect: &EffectState) -> bool {
    let known = matches!(effect.undone, Some(Undone::Restored | Undone::Foreign));
    let open = effect.undo.as_ref().is_some_and(|undo| {
        matches!(undo.flight, Flight::InFlight { .. } | Flight::InDoubt { .. } | Flight::Acknowledged)
    });
    open && !known
}
