//! What a step can do: the contract of a kind, the table of kinds, a folder a system.
//!
//! A kind never waits and sees no clock. It `observe`s (one read-only look that returns typed facts), `judge`s (pure), and may
//! `apply` and `undo` one bounded, guarded slice. The engine does everything else.

pub mod cache;
pub mod checklist;
pub mod condition;
pub mod contract;
pub mod dns;
mod effect;
pub mod exec;
pub mod http;
mod judgement;
pub mod notify;
pub mod postgres;
pub mod scope;
pub mod table;
#[cfg(test)]
pub mod testing;
pub mod wait;

pub use contract::{
    Aim, Class, Effect, Found, Judgement, Kind, KindInfo, Main, Pace, Place, Proof, Question, Remark, Sight,
    Standing,
};
pub use table::{Action, Facts, KINDS};
