//! What is true of real servers, and that the real port sees it so.

mod cascade;
mod freeze;
mod hostile;
mod lag;
mod locks;
mod look;
mod loss;
mod managers;
mod positions;
mod preflight;
mod probe;
mod promote;
mod rewind;
mod stop;
mod workers;
