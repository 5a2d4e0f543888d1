//! The runbook: a checklist as it was written, typed as far as it can be before regions and parameters are known.

use super::parameter::Parameter;
use crate::error::Span;
use crate::language::Spanned;
use crate::language::expression::Expression;
use crate::language::tree::Node;
use crate::language::units::Period;
use indexmap::IndexMap;

/// Text for people in which `${…}` is still to be filled in.
pub type Template = Spanned<String>;

/// A runbook.
#[derive(Clone, Debug)]
pub struct Runbook {
    /// Its name, `[a-z][a-z0-9-]*`.
    pub name: Spanned<String>,
    /// What it does, in one line; the name if not given.
    pub title: Template,
    /// What the run is measured against.
    pub objectives: Objectives,
    /// Roles of people, with what they are for, in the order of the file.
    pub roles: IndexMap<String, Role>,
    /// Parameters in the order of the file.
    pub parameters: IndexMap<String, Parameter>,
    /// Conditions that must hold while steps run.
    pub watch: Vec<Watch>,
    /// The checklist. A runbook with `steps` at the top has one section without a title.
    pub sections: Vec<Section>,
}

impl Runbook {
    /// Every step in order, those that run together one after another.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.sections.iter().flat_map(|section| &section.items).flat_map(|item| item.steps())
    }

    /// A step by its id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps().find(|step| step.id.value == id)
    }
}

/// What a run is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objectives {
    /// Recovery time: from the start of the run to the moment marked `service_restored`.
    pub rto: Option<Period>,
    /// Loss of data, in time.
    pub rpo: Option<Period>,
    /// Longest time without writes: from the freeze's intent to the promotion's proof.
    pub write_gap: Period,
}

/// A role of a person.
#[derive(Clone, Debug)]
pub struct Role {
    /// What it is for.
    pub duty: String,
    /// Where it is declared.
    pub span: Span,
}

/// A condition with the text that it was read from. Its names are decided by the plan, which knows the regions.
#[derive(Clone, Debug)]
pub struct Condition {
    /// As written.
    pub text: Spanned<String>,
    /// As understood.
    pub expression: Expression,
}

/// A condition that must hold while steps run.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Identity.
    pub id: Spanned<String>,
    /// What must hold.
    pub ok: Condition,
    /// How long it may be untrue.
    pub patience: Period,
    /// The steps during which it is watched.
    pub during: During,
    /// What a breach does.
    pub on_breach: OnBreach,
    /// What missing data does.
    pub on_no_data: OnBreach,
}

/// A range of steps, both ends included; one step when they are the same.
#[derive(Clone, Debug)]
pub struct During {
    /// Id of the first step.
    pub first: Spanned<String>,
    /// Id of the last step.
    pub last: Spanned<String>,
}

/// What a breach of a watch does.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// Waits for a person.
    #[default]
    Pause,
    /// Undoes what was changed; only before a pivot, after it this is a pause.
    RollBack,
    /// Says so and goes on.
    Warn,
}

/// A part of the checklist.
#[derive(Clone, Debug)]
pub struct Section {
    /// Title; absent in a runbook with `steps` at the top.
    pub title: Option<Template>,
    /// Asked before its first step.
    pub confirm: Option<Confirm>,
    /// Lines of the checklist.
    pub items: Vec<Item>,
    /// Where it is.
    pub span: Span,
}

/// One line of a section, or several that run together.
#[derive(Clone, Debug)]
pub enum Item {
    /// One step.
    Step(Box<Step>),
    /// Steps that run together.
    Parallel {
        /// The steps.
        steps: Vec<Step>,
        /// Where they are.
        span: Span,
    },
}

impl Item {
    /// The steps of the item.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Step(step) => std::slice::from_ref(step),
            Self::Parallel { steps, .. } => steps,
        }
    }
}

/// One line of the checklist.
#[derive(Clone, Debug)]
pub struct Step {
    /// Identity, `[a-z][a-z0-9_]*`.
    pub id: Spanned<String>,
    /// Title; the kind's own sentence if not given.
    pub title: Option<Template>,
    /// Name of its kind, such as `postgres.promote`; the place is the key's.
    pub kind: Spanned<String>,
    /// The kind's parameters as written; read by the kind after interpolation.
    pub body: Node,
    /// How it is run.
    pub policy: Policy,
    /// Where it is.
    pub span: Span,
}

/// How a step is run. What is absent follows the table of defaults of the current phase.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Runs of which it is part; every run when empty.
    pub only: Vec<Spanned<Only>>,
    /// Whether it is part of the run: decided in the plan, from parameters, `mode`, `from` and `to`.
    pub when: Option<Condition>,
    /// Where it acts (`in`), if not where its kind does.
    pub place: Option<Spanned<Where>>,
    /// Must hold before it begins.
    pub require: Option<Condition>,
    /// Asked before it changes anything.
    pub confirm: Option<Confirm>,
    /// Longest time, looks included.
    pub timeout: Option<Spanned<Period>>,
    /// Tried again, but only on proof that nothing happened.
    pub retry: Option<Retry>,
    /// What a failure does.
    pub on_failure: Option<Spanned<OnFailure>>,
    /// What it does when the outcome cannot be told.
    pub on_unknown: Option<Spanned<OnFailure>>,
    /// A failure only warns. The place is there if it was written.
    pub best_effort: Option<Spanned<bool>>,
    /// Put back when the run ends.
    pub temporary: Option<Spanned<bool>>,
    /// How it is taken back.
    pub rollback: Rollback,
    /// Names a moment of the run's measures, such as `service_restored`.
    pub marks: Option<Spanned<String>>,
}

impl Policy {
    /// Whether a failure only warns.
    pub fn is_best_effort(&self) -> bool {
        self.best_effort.as_ref().is_some_and(|flag| flag.value)
    }

    /// Whether it is put back when the run ends.
    pub fn is_temporary(&self) -> bool {
        self.temporary.as_ref().is_some_and(|flag| flag.value)
    }
}

/// A property of runs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Runs that lose nothing.
    Planned,
    /// Runs whose source is gone.
    Unplanned,
    /// Drills.
    Drill,
    /// Runs that are no drill.
    Real,
}

/// Where a step acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Where {
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
    /// In one region by name: the runbook then serves one direction only.
    Region(String),
}

/// A question to a person.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Who answers; anyone if not given.
    pub role: Option<Spanned<String>>,
    /// Text that has to be typed.
    pub typed: Option<Template>,
    /// The question; made from the step if not given.
    pub ask: Option<Template>,
    /// After this time without an answer it counts as no.
    pub within: Option<Period>,
    /// Where it is.
    pub span: Span,
}

/// How often a step is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first.
    pub times: u32,
    /// Time between tries.
    pub every: Period,
}

/// What a failure does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Ends the run: refused when nothing has changed, otherwise as `roll_back`.
    Stop,
    /// Undoes everything that this run changed.
    RollBack,
    /// Waits for a person.
    Pause,
    /// Tries again until its deadline, then pauses.
    Retry,
    /// Says so and goes on.
    Warn,
}

/// How a step is taken back.
#[derive(Clone, Debug, Default)]
pub enum Rollback {
    /// As its kind does.
    #[default]
    Auto,
    /// Not at all.
    None {
        /// Why that is fine.
        because: Spanned<String>,
    },
    /// By these steps, in order.
    Steps(Vec<Step>),
}
