//! The contract that every kind meets.

use super::scope::Scope;
use super::table::Action;
use crate::error::Problem;
use crate::journal::Permit;
use crate::world::postgres::Handover;
use crate::world::{Answer, Reply, World, ready};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::hash::Hash;

/// What the facts mean, for one effect and one aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// So, as seen now.
    Reached,
    /// Not so, and nothing stands in the way of applying it. For a kind that only looks: not so yet, it may become so.
    NotReached,
    /// Something is under way that may still change it: look again, neither apply nor undo.
    Moving,
    /// Cannot be reached from here; the evidence says why.
    Blocked,
    /// Cannot be told.
    Unknown,
}

/// What an effect is judged against.
#[derive(Debug)]
pub enum Aim<'a, F> {
    /// The effect is there.
    Applied,
    /// What the intent recorded as prior is there again.
    Restored(&'a F),
}

impl<F> Clone for Aim<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Aim<'_, F> {}

/// Something that an ending must mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// The value is neither ours nor the prior one: somebody else changed it since, and it was left alone.
    ForeignChange,
    /// The promoted server and the old primary both took commits.
    Divergence,
}

/// A judged look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The standing.
    pub standing: Standing,
    /// One line for the operator: concrete, with the numbers that were seen.
    pub evidence: String,
    /// Proof for a promotion, if this look is one.
    pub handover: Option<Handover>,
    /// What an ending must mention.
    pub remark: Option<Remark>,
}

impl Judgement {
    /// A judgement with its line of evidence.
    pub fn new(standing: Standing, evidence: impl Into<String>) -> Self {
        Self { standing, evidence: evidence.into(), handover: None, remark: None }
    }

    /// So, as seen now.
    pub fn reached(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Reached, evidence)
    }

    /// Not so (yet).
    pub fn not_reached(evidence: impl Into<String>) -> Self {
        Self::new(Standing::NotReached, evidence)
    }

    /// Under way.
    pub fn moving(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Moving, evidence)
    }

    /// Cannot be reached from here.
    pub fn blocked(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Blocked, evidence)
    }

    /// Cannot be told.
    pub fn unknown(evidence: impl Into<String>) -> Self {
        Self::new(Standing::Unknown, evidence)
    }

    /// Adds the proof for a promotion.
    pub fn with_handover(mut self, handover: Handover) -> Self {
        self.handover = Some(handover);
        self
    }

    /// Adds a remark.
    pub fn with_remark(mut self, remark: Remark) -> Self {
        self.remark = Some(remark);
        self
    }
}

/// How an effect can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Changes nothing.
    Looks,
    /// Can be put back.
    Undoable,
    /// No way back.
    Pivot,
    /// Nothing to put back: a message that was sent, a cache that was warmed.
    ForwardOnly,
}

/// What to do when an effect is already there before this run intended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Never adopted silently: a person adopts it or stops.
    Ask,
    /// Harmless: whoever made it so, it is as good as ours, and there is nothing to undo.
    Accept,
}

/// What proves an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A look. The rule.
    Look,
    /// Nothing can be looked at (a command without a look): the reply has to do, and a lost one stays unknown.
    Reply,
    /// Nothing can be looked at, and doing it again is harmless (a message with a key by which copies are dropped, a copy that skips
    /// what is there): the reply has to do, and after a lost one it is done again.
    Again,
}

/// How long and how often the engine looks. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pace {
    /// How long a check or a changed effect may take to be reached, unless the step says `timeout`.
    pub within_ms: u64,
    /// Time between looks.
    pub every_ms: u64,
    /// How long it must stay reached without a break.
    pub hold_ms: u64,
}

impl Pace {
    /// Looks for `within_ms`, every `every_ms`.
    pub const fn new(within_ms: u64, every_ms: u64) -> Self {
        Self { within_ms, every_ms, hold_ms: 0 }
    }
}

/// One real change of a step, or its one look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Effect {
    /// Its name within the action: `read_only`, `10`. Short, `[a-z0-9_]`.
    pub id: String,
    /// How it can be taken back.
    pub class: Class,
    /// What to do when it is already there.
    pub found: Found,
    /// What proves it.
    pub proof: Proof,
    /// The data set whose writes it stops: the gap clock starts with its intent.
    pub freezes: Option<String>,
    /// The data set for which a look at it makes a handover.
    pub makes: Option<String>,
    /// The data set whose handover it consumes.
    pub needs: Option<String>,
    /// How long and how often to look.
    pub pace: Pace,
    /// A look at the effect before it in the same action sees all that a look at this one would: what it saw counts for both. Part
    /// of a plan only where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen_with_previous: bool,
}

impl Effect {
    /// An effect that only looks.
    pub fn look(pace: Pace) -> Self {
        Self::of("look", Class::Looks, pace)
    }

    /// An effect of a class; adoption asks, a look proves it.
    pub fn of(id: impl Into<String>, class: Class, pace: Pace) -> Self {
        Self {
            id: id.into(),
            class,
            found: Found::Ask,
            proof: Proof::Look,
            freezes: None,
            makes: None,
            needs: None,
            pace,
            seen_with_previous: false,
        }
    }

    /// The look at the effect before it is as good as one of its own.
    pub fn seen_with_previous(mut self) -> Self {
        self.seen_with_previous = true;
        self
    }

    /// Already being there is fine.
    pub fn accept_found(mut self) -> Self {
        self.found = Found::Accept;
        self
    }

    /// Only the reply can tell, and doing it again is harmless.
    pub fn harmless_again(mut self) -> Self {
        self.proof = Proof::Again;
        self
    }

    /// Only the reply can tell.
    pub fn proven_by_reply(mut self) -> Self {
        self.proof = Proof::Reply;
        self
    }
}

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
    /// Promotes.
    Pivot,
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

    /// What the facts mean. Pure: the same facts always give the same judgement.
    fn judge(
        &self,
        effect: &str,
        facts: &Self::Facts,
        aim: Aim<'_, Self::Facts>,
        handover: Option<&Handover>,
    ) -> Judgement;

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
