//! The engine: a pure core (`record`, `state`, `decide`), `perform` that turns one task into one record, and the driver.

pub(crate) mod advance;
pub mod ask;
pub mod by_hand;
pub mod decide;
mod doubt;
pub mod driver;
mod effect_state;
mod fold;
pub mod going_on;
mod identity;
pub mod immediate;
mod locks;
pub mod perform;
mod policy;
pub mod preview;
mod protection;
pub mod record;
pub mod redaction;
mod rollback;
pub mod shared;
pub mod state;
pub mod surprise;
pub mod survey;
pub mod switch;
pub mod times;
mod verdict;

#[cfg(test)]
mod tests;

pub use ask::{Answered, Asked, AskedKind, Person};
pub use decide::{Question, Task, decide};
pub use driver::{DriveError, Driver};
pub use perform::Progress;
pub use record::{Choice, Record, Verdict};
pub use state::RunState;
