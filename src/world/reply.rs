//! What a changing call said.

use serde::{Deserialize, Serialize};

/// What a changing call said. It proves nothing about the world, except a refusal by a guarded statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "said")]
pub enum Reply {
    /// The other side says that it did it.
    Acknowledged {
        /// What it said, in a few words, for the audit.
        note: String,
    },
    /// One slice is done; call again with this cursor.
    More {
        /// Opaque position from which the next slice goes on.
        cursor: String,
        /// How far it is, for people: "12 000 of 40 000 keys".
        progress: String,
    },
    /// The guard at the target said no: proof that this call changed nothing.
    Refused {
        /// The guard's reason.
        why: String,
    },
    /// No answer, or one that does not tell: the call may or may not have an effect, now or later.
    Lost {
        /// What happened to the answer.
        why: String,
    },
}

impl Reply {
    /// The other side says that it did it.
    pub fn acknowledged(note: impl Into<String>) -> Self {
        Self::Acknowledged { note: note.into() }
    }

    /// The guard at the target said no.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    /// No usable answer.
    pub fn lost(why: impl Into<String>) -> Self {
        Self::Lost { why: why.into() }
    }
}
