//! The real PostgreSQL port for a pair of test servers, permits, and a world of that port alone.

use super::pg::{CANARY, PATIENCE, Pair};
use mrctl::journal::memory::MemoryJournal;
use mrctl::journal::{IntentKey, Permit, Storage};
use mrctl::world::real::postgres::{ClusterSettings, RealPostgres, Settings};
use mrctl::world::{Member, World};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The run of every test.
pub const RUN: &str = "0193a5b0-0000-7000-8000-00000000feed";

/// The permit that an intent gives.
pub fn permit(effect: &str, attempt: u32) -> Permit {
    let key = IntentKey { run: RUN.into(), step: "step".into(), effect: effect.into(), attempt, undo: false };
    MemoryJournal::default().append_intent(key, serde_json::Map::new()).unwrap().1
}

/// The member that is left.
pub fn source() -> Member {
    Member::new("orders", "eu-west")
}

/// The member that takes over.
pub fn target() -> Member {
    Member::new("orders", "us-east")
}

/// How the tests reach a pair.
pub struct Reach {
    pub user: &'static str,
    pub password: &'static str,
    pub host: &'static str,
    pub tls: Option<Arc<rustls::ClientConfig>>,
    pub tls_name: Option<String>,
    pub timeout: Duration,
    pub connect: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            user: "mrctl",
            password: CANARY,
            host: "127.0.0.1",
            tls: None,
            tls_name: None,
            timeout: PATIENCE,
            connect: PATIENCE,
        }
    }
}

/// The real port for a pair.
pub fn postgres(pair: &Pair) -> RealPostgres {
    reach(pair, Reach::default())
}

/// The real port for a pair, reached as said.
pub fn reach(pair: &Pair, how: Reach) -> RealPostgres {
    members(how, &[("eu-west", pair.primary.port), ("us-east", pair.standby.port)])
}

/// The real port for servers by region.
pub fn members(how: Reach, ports: &[(&str, u16)]) -> RealPostgres {
    let member = |(region, port): &(&str, u16)| ((*region).to_string(), (how.host.to_string(), *port));
    let members = ports.iter().map(member).collect();
    let cluster = ClusterSettings {
        database: "postgres".into(),
        user: how.user.into(),
        password: Some(how.password.to_string().into()),
        tls: how.tls,
        tls_name: how.tls_name,
        timeout: how.timeout,
        connect: how.connect,
        members,
    };
    RealPostgres::new(Settings { clusters: BTreeMap::from([("orders".to_string(), cluster)]) })
}

/// A world of this port alone.
pub fn world(postgres: RealPostgres) -> World {
    mrctl::world::sim::Sim::new().world_with(Rc::new(postgres))
}
