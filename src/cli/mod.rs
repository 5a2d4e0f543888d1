//! Commands, one file each; the only place that wires real ports.

pub mod abandon;
mod beside;
mod certificate;
pub mod describe;
mod directions;
pub mod drive;
mod dry_run;
mod failback;
mod failover;
pub mod history;
mod hold;
pub mod kinds;
mod lab;
mod lock;
mod mend;
mod prepare;
mod readiness;
mod rehearsal_reports;
mod rehearse;
mod rehearse_live;
mod replay;
pub mod resume;
mod root;
mod secrets;
pub mod setup;
mod since;
mod staged;
mod staged_outcome;
pub mod status;
mod step;
mod takeover;
mod verify;
mod vouch;
mod waive;
pub mod wire;

pub use root::{Cli, completions, main, man};
