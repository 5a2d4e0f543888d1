//! The real ports of traffic against real servers: PowerDNS, Redis, TLS and HTTP on loopback.

mod cache;
mod dns;
pub mod fake;
mod http;
mod messages;
pub mod servers;
mod signals;

use mrctl::journal::memory::MemoryJournal;
use mrctl::journal::{IntentKey, Permit, Storage as _};
use mrctl::world::real::addresses::Addresses;
use mrctl::world::real::tls::{self, Verify};
use std::sync::Arc;
use std::time::Duration;

/// How long a server that is expected to answer may take: a busy machine is slow, not broken.
pub const GENEROUS: Duration = Duration::from_secs(30);

/// How long a test waits for a server that is expected not to answer. A slow machine gives the same silence.
pub const SHORT: Duration = Duration::from_millis(700);

/// A permit; only the journal can make one.
pub fn permit() -> Permit {
    let key = IntentKey {
        run: "0192f0c1-0000-7000-8000-0123456789ab".into(),
        step: "shift".into(),
        effect: "www".into(),
        attempt: 1,
        undo: false,
    };
    MemoryJournal::default().append_intent(key, serde_json::Map::new()).unwrap().1
}

/// TLS that trusts the system; for plain HTTP it does not matter.
pub fn system_tls() -> Arc<rustls::ClientConfig> {
    tls::client(Verify::Full, None).unwrap().unwrap()
}

pub fn addresses() -> Addresses {
    Addresses::default()
}
