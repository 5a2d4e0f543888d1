//! The contract that every kind meets.

pub use super::effect::{Class, Effect, Found, Pace, Proof};
pub use super::judgement::{Aim, Judgement, Remark, Standing};
use super::scope::Scope;
use super::table::Action;
use crate::error::Problem;
use crate::journal::Permit;
use crate::world::plausible::Sighting;
use crate::world::postgres::Handover;
use crate::world::{Answer, Reply, World, ready};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::hash::Hash;
use std::hash::Hasher;

/// What a kind may use to look.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The ports. Only their reading methods can be called: there is no permit here.
    pub world: &'a World,
    /// The run; empty outside a run (dry run, readiness).
    pub run: &'a str,
    /// What `at_start(…)` refers to.
    pub starts: &'a super::condition::Starts,
}

/// A question to a person that belongs to a step itself (a checklist's item).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Name within the step.
    pub id: String,
    /// Who should answer, a role of the runbook; empty for anyone.
    pub role: String,
    /// The text.
    pub text: String,
}

/// Where a kind acts unless the step says `in:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the source region.
    From,
    /// In the target region.
    To,
    /// In both.
    Both,
    /// In every region but source and target.
    Others,
    /// In every region.
    All,
    /// The kind acts between regions or nowhere in particular; `in:` makes no sense.
    Nowhere,
}

/// What the short form `kind: value` fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Main {
    /// There is no short form.
    None,
    /// A plain field of this name.
    Field(&'static str),
    /// A field of this name that names a resource of this type of the inventory: a list or a group works too.
    Resource(&'static str, &'static str),
}

/// What the table knows of a kind without an instance; feeds `mrctl kinds`, docs and completions.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// `system.verb`.
    pub name: &'static str,
    /// One sentence: what it does.
    pub summary: &'static str,
    /// Whether it changes anything.
    pub changes: bool,
    /// What it may touch.
    pub touches: &'static str,
    /// How it is taken back.
    pub undo: &'static str,
    /// The rights it needs, as statements or words.
    pub grants: &'static [&'static str],
    /// Short form.
    pub main: Main,
    /// Where it acts by default.
    pub place: Place,
    /// Version of its behaviour: part of the plan's digest.
    pub version: u32,
    /// Its role in moving a writer, for the rules of `check`.
    pub part: Part,
    /// What becomes of it in an unplanned run, whose source does not answer.
    pub unplanned: Unplanned,
}

/// What becomes of a step in an unplanned run, whose source does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// It is done as in a planned run, with what can be reached.
    Done,
    /// It is left out: why.
    LeftOut(&'static str),
    /// Only an unplanned run has it: why a planned one leaves it out.
    Only(&'static str),
}

impl std::fmt::Display for Unplanned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => f.write_str("done, with what can be reached"),
            Self::LeftOut(why) => write!(f, "left out: {why}"),
            Self::Only(_) => f.write_str("done; a planned run leaves it out"),
        }
    }
}

/// The part of a kind in moving a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Asks or waits for a person or for time.
    Pause,
    /// Stops writes of a data set.
    Freeze,
    /// Proves that the target has everything.
    CatchUp,
    /// Stops the source: proves it before the promotion, and is a fence behind it.
    Stop,
    /// Keeps users from a source that may still run.
    Fence,
    /// Makes what was left a standby again.
    Rejoin,
    /// Promotes.
    Pivot,
    /// Proves that the target takes writes.
    Probe,
    /// Sends users to a region.
    Traffic,
    /// Anything else.
    Other,
}

/// A kind of step. `Self` is one resolved action: what the runbook said, with regions and resources decided.
pub trait Kind: Clone + Debug + PartialEq + Eq + Hash + Serialize + DeserializeOwned + 'static {
    /// What the runbook writes.
    type Params: DeserializeOwned + schemars::JsonSchema;
    /// What one look sees. Typed; unknown where it could not be read.
    type Facts: Clone + Debug + PartialEq + Eq + Hash + Serialize + DeserializeOwned + 'static;

    /// What the table says of it.
    const INFO: KindInfo;

    /// Decides regions and resources. Called once for each resource and each region that the step names.
    fn resolve(params: Self::Params, scope: &Scope<'_>) -> Result<Self, Problem>;

    /// The kind's own sentence, when the step has no title: "Freeze writes on orders in eu-west".
    fn title(&self) -> String;

    /// The real changes in order; a kind that looks has one effect of class `Looks`; a kind that only asks has none.
    fn effects(&self) -> Vec<Effect>;

    /// Questions to a person that belong to the step.
    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }

    /// The action with names filled in that are known only while running (`${run.write_gap}` in a message).
    fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
        let _ = fill;
        self.clone()
    }

    /// Resources that it touches, as `type/name`, for locks and for the digest.
    fn resources(&self) -> Vec<String>;

    /// What the note of its reply gives to messages: a name, and its value.
    fn saved(&self, note: &str) -> Option<(String, String)> {
        let _ = note;
        None
    }

    /// Regions that users are sent to by it.
    fn sends(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether a step of this kind is `best_effort` unless the runbook says otherwise: its failure stops nothing by nature.
    fn best_effort(&self) -> bool {
        false
    }

    /// One read-only look.
    fn observe<'a>(&'a self, effect: &'a str, sight: Sight<'a>) -> Answer<'a, Self::Facts>;

    /// What a look of the action that was done just before saw, as facts of this one: only if it was at the same things, and this
    /// one's own look would see no more. Within a write gap it saves a round trip to both databases.
    fn seen_with(&self, last: &Action, seen: &super::Facts) -> Option<Self::Facts> {
        let _ = (last, seen);
        None
    }

    /// What of the facts is of servers and records that other effects look at too, for the rules of [`crate::world::plausible`].
    fn sightings<'a>(&'a self, facts: &'a Self::Facts) -> Vec<Sighting<'a>> {
        let _ = facts;
        Vec::new()
    }

    /// What the facts mean. Pure: the same facts always give the same judgement.
    fn judge(
        &self,
        effect: &str,
        facts: &Self::Facts,
        aim: Aim<'_, Self::Facts>,
        handover: Option<&Handover>,
    ) -> Judgement;

    /// Why facts that show the effect are not enough while it is not known that we made it: what shows it may be old. The engine then
    /// makes the effect all the same, and what is seen behind it counts.
    fn stale(&self, effect: &str, facts: &Self::Facts) -> Option<String> {
        let _ = (effect, facts);
        None
    }

    /// Why a change that was asked for cannot come about any more, by what was seen behind its intent, if that proves it. Asked of a pivot
    /// that is armed: it is disarmed by that.
    fn disarmed(&self, effect: &str, facts: &Self::Facts, handover: Option<&Handover>) -> Option<String> {
        let _ = (effect, facts, handover);
        None
    }

    /// What later steps rely on that only this step proves: then nobody leaves it out, or passes it, by a word.
    fn proves(&self) -> Option<&'static str> {
        None
    }

    /// Of a check that is red: why no waiver covers that, by what was seen. Who a server is, and that there are not two primaries, is
    /// passed by nobody's word.
    fn beyond_waiver(&self, facts: &Self::Facts) -> Option<String> {
        let _ = facts;
        None
    }

    /// One bounded, guarded slice of the change. `prior` are the facts of the last look before the intent; `cursor` is empty, or
    /// what the last `Reply::More` gave.
    fn apply<'a>(
        &'a self,
        effect: &'a str,
        permit: &'a Permit,
        prior: &'a Self::Facts,
        handover: Option<&'a Handover>,
        cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        let _ = (effect, permit, prior, handover, cursor, world);
        ready(Reply::refused("this kind changes nothing"))
    }

    /// Puts back what `prior` recorded, guarded like `apply`.
    fn undo<'a>(
        &'a self,
        effect: &'a str,
        permit: &'a Permit,
        prior: &'a Self::Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        let _ = (effect, permit, prior, world);
        ready(Reply::refused("this kind has nothing to put back"))
    }

    /// What `judge`, `apply`, `undo` and `identity` ask of the facts before an intent: a rehearsal tells two priors apart by nothing else.
    fn hash_prior<H: Hasher>(&self, effect: &str, prior: &Self::Facts, hasher: &mut H) {
        let _ = effect;
        prior.hash(hasher);
    }

    /// What a dry run prints for a change: what would change from what to what, and the exact SQL, call or record.
    fn would(&self, effect: &str, facts: &Self::Facts, world: &World) -> Vec<String> {
        let _ = (effect, facts, world);
        Vec::new()
    }

    /// What a person consents to when confirming; if it differs at the second look, they are asked again. Not lag, times, counts.
    fn substance(&self, effect: &str, facts: &Self::Facts) -> String {
        let _ = (effect, facts);
        String::new()
    }

    /// Identity facts for the plan's digest, as name and value: system identifiers, owner of a role, values undo would restore.
    fn identity(&self, effect: &str, facts: &Self::Facts) -> Vec<(String, String)> {
        let _ = (effect, facts);
        Vec::new()
    }

    /// Commands that take the change back by hand, printed before a freeze and in every pause.
    fn by_hand(&self, effect: &str, facts: &Self::Facts, world: &World) -> Vec<String> {
        let _ = (effect, facts, world);
        Vec::new()
    }
}
