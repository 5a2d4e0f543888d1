//! The right to change one thing once.

/// Which change an intent announces.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntentKey {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// The effect within the step.
    pub effect: String,
    /// Counts from 1 over the whole life of the run.
    pub attempt: u32,
    /// Whether it takes the effect back.
    pub undo: bool,
}

/// Proof that the intent for a change is on disk. Only this room can make one, after the append.
#[derive(Debug)]
pub struct Permit {
    key: IntentKey,
}

impl Permit {
    pub(super) fn new(key: IntentKey) -> Self {
        Self { key }
    }

    /// What it permits.
    pub fn key(&self) -> &IntentKey {
        &self.key
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.key.run
    }

    /// `mrctl/<run>/<effect>/<attempt>`: the name under which a server sees the sessions of this change. The run is shortened to
    /// its last twelve characters, because PostgreSQL cuts application names at 63 bytes.
    pub fn session(&self) -> String {
        let undo = if self.key.undo { "-" } else { "" };
        format!("mrctl/{}/{}{}/{}", short_run(&self.key.run), undo, self.key.effect, self.key.attempt)
    }

    /// A key for receivers that drop duplicates: the same for every try of the same effect.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.key.run, self.key.step, self.key.effect)
    }
}

/// The last twelve characters of a run's identity, which are its random part.
pub fn short_run(run: &str) -> &str {
    let start = run.len().saturating_sub(12);
    run.get(start..).unwrap_or(run)
}
