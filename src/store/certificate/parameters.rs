//! The parameters of what was rehearsed: which there are, and whether they have the same values. The values are not kept: any of them may be a
//! customer, a host or a word that nobody should read here.

use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Parameters without their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Their names, sorted.
    pub names: Vec<String>,
    /// SHA-256 over the runbook's digest, the names and the values. It hides no value that can be guessed, but the same value of another runbook has
    /// another digest. Hexadecimal.
    pub sha256: String,
}

impl Parameters {
    /// Of a plan, as given or defaulted.
    pub fn of(plan: &Plan) -> Self {
        let pairs = plan.parameters.iter().flat_map(|(name, value)| [name, value]);
        let mut hasher = Sha256::new();
        for text in std::iter::once(&plan.runbook_sha256).chain(pairs) {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        Self { names: plan.parameters.keys().cloned().collect(), sha256: hex::encode(hasher.finalize()) }
    }
}
