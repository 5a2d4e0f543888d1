//! The plan: everything that a run will do, decided and frozen before it starts.

use crate::step::condition::Condition;
use crate::step::{Action, Class, Effect, Question};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of `plan.json`. A reader refuses a newer one.
pub const FORMAT: u32 = 1;

/// Whether the source region is expected to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Lose nothing.
    Planned,
    /// The source is gone: lose as little as possible, knowingly.
    Unplanned,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Planned => "planned",
            Self::Unplanned => "unplanned",
        })
    }
}

/// Whether the run is for real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drill {
    /// For real.
    Real,
    /// Looks at everything, changes nothing.
    DryRun,
}

/// As runbooks say it, in conditions and `${drill}`.
impl std::fmt::Display for Drill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::DryRun => "dry-run",
        })
    }
}

/// Everything that a run will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// See [`FORMAT`].
    pub format: u32,
    /// The runbook's name.
    pub runbook: String,
    /// The runbook's title with names filled in.
    pub title: String,
    /// The environment's name, from the inventory.
    pub environment: String,
    /// SHA-256 of the runbook's text.
    pub runbook_sha256: String,
    /// SHA-256 of the inventory's texts.
    pub inventory_sha256: String,
    /// Source region.
    pub from: String,
    /// Target region.
    pub to: String,
    /// Mode.
    pub mode: Mode,
    /// Drill.
    pub drill: Drill,
    /// Parameters as given or defaulted.
    pub parameters: BTreeMap<String, String>,
    /// Objectives in milliseconds.
    pub objectives: Objectives,
    /// Roles and what they are for.
    pub roles: BTreeMap<String, String>,
    /// Sections in order.
    pub sections: Vec<String>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Watches.
    pub watches: Vec<Watch>,
    /// Everything that is locked, as `type/name`, sorted.
    pub resources: Vec<String>,
    /// Clusters whose members are looked at for the ending, with their regions.
    pub clusters: BTreeMap<String, Vec<String>>,
    /// Records whose shares are looked at for the ending, with their servers.
    pub records: BTreeMap<String, Vec<String>>,
    /// Identity facts: name and value as seen when the plan was made. Part of the digest, compared again at run time.
    pub identity: BTreeMap<String, String>,
    /// Versions of the kinds that the plan uses.
    pub kinds: BTreeMap<String, u32>,
}

/// Objectives. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Objectives {
    /// Recovery time, if one is set.
    pub rto_ms: Option<u64>,
    /// Loss in time, if one is set.
    pub rpo_ms: Option<u64>,
    /// From the freeze's intent to the promotion's proof.
    pub write_gap_ms: u64,
}

/// What to do when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The table of defaults by phase.
    Default,
    /// End as refused (nothing changed) or roll back.
    Stop,
    /// Undo everything that this run changed.
    RollBack,
    /// Wait for a person.
    Pause,
    /// Warn and go on.
    Warn,
}

/// One line of the checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Identity in the runbook.
    pub id: String,
    /// Index of its section.
    pub section: usize,
    /// One line.
    pub title: String,
    /// Its kind's name.
    pub kind: String,
    /// Steps with the same number run together; `None` runs alone.
    pub parallel: Option<u32>,
    /// Why it is not part of this run (`only`, `when`), if it is not.
    pub skipped: Option<String>,
    /// The step that it takes back, if it stands under that one's `rollback`. Then it is skipped on the way forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<String>,
    /// Must hold before the step looks.
    pub require: Option<Condition>,
    /// Questions to people, in order: confirmations first, then the step's own.
    pub questions: Vec<Ask>,
    /// Real changes, or one look.
    pub effects: Vec<PlannedEffect>,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// What an unknown does; `Warn` goes on.
    pub on_unknown: OnFailure,
    /// A failure only warns.
    pub best_effort: bool,
    /// Put back when the run ends.
    pub temporary: bool,
    /// How often a known failure is tried again.
    pub retries: u32,
    /// Milliseconds between tries.
    pub retry_every_ms: u64,
    /// Why this step is not taken back in a rollback, if it is not.
    pub keep_because: Option<String>,
    /// A named moment of the measures, such as `service_restored`.
    pub marks: Option<String>,
}

impl Step {
    /// Whether any of its effects changes something.
    pub fn changes(&self) -> bool {
        self.effects.iter().any(|effect| effect.effect.class != Class::Looks)
    }
}

/// An effect in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedEffect {
    /// Name within the step: prefix of the resource and the effect's own name.
    pub name: String,
    /// The action that it belongs to.
    pub action: Action,
    /// What the kind says of it.
    pub effect: Effect,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ask {
    /// Identity: `step/question`.
    pub id: String,
    /// What kind of answer it takes.
    pub kind: AskKind,
    /// The role that answers; empty for anyone.
    pub role: String,
    /// The text.
    pub text: String,
    /// Milliseconds after which nobody answering counts as no; 0 waits for ever.
    pub within_ms: u64,
    /// It stands for the whole section of its step: nothing in there is changed before it is answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub section: bool,
}

impl Ask {
    /// From a step's own question.
    pub fn item(step: &str, question: Question) -> Self {
        Self {
            id: format!("{step}/{}", question.id),
            kind: AskKind::Item,
            role: question.role,
            text: question.text,
            within_ms: 0,
            section: false,
        }
    }
}

/// What kind of answer a question takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskKind {
    /// A line of a checklist: done or stop.
    Item,
    /// Go or stop.
    Confirm,
    /// Consent to a pivot: this text must be typed.
    Typed(String),
}

/// A condition that is watched while steps run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Identity in the runbook.
    pub id: String,
    /// What must hold.
    pub ok: Condition,
    /// Milliseconds for which it may be untrue.
    pub for_ms: u64,
    /// Index of the first step during which it is watched.
    pub first: usize,
    /// Index of the last one.
    pub last: usize,
    /// What a breach does.
    pub on_breach: OnFailure,
    /// What silence does.
    pub on_no_data: OnFailure,
}

impl Plan {
    /// SHA-256 over the plan's canonical text: what an approval refers to. Hexadecimal.
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        // serde_json sorts object keys, so equal plans give equal text.
        let text = serde_json::to_value(self).map(|value| value.to_string()).unwrap_or_default();
        hex::encode(Sha256::digest(text.as_bytes()))
    }

    /// SHA-256 over what the plan would do: as it was before any server was looked at, whether or not it is for real. What a rehearsal is of,
    /// and what the run that it covers is made from. Hexadecimal.
    pub fn rehearsal_digest(&self) -> String {
        Self { identity: BTreeMap::new(), drill: Drill::Real, ..self.clone() }.digest()
    }

    /// Whether any step has steps of its own that take it back.
    pub fn ways_back(&self) -> bool {
        self.steps.iter().any(|step| step.takes_back.is_some())
    }

    /// Index of a step by identity.
    pub fn step_index(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id)
    }

    /// Every effect with its indices.
    pub fn effects(&self) -> impl Iterator<Item = (usize, usize, &PlannedEffect)> {
        self.steps
            .iter()
            .enumerate()
            .flat_map(|(s, step)| step.effects.iter().enumerate().map(move |(e, effect)| (s, e, effect)))
    }
}
