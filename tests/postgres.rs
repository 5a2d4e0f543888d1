//! What is true of real servers, and that the real port sees it so.

mod freeze;
mod look;
mod positions;
mod preflight;
mod probe;
mod promote;
