//! Authoritative DNS: PowerDNS by its HTTP API for what stands there, and the server itself by DNS for what users get.

use super::addresses::Addresses;
use super::client;
use super::dns_api::{Api, Failure};
use super::dns_ask;
use crate::journal::Permit;
use crate::world::dns::{Dns, RecordAim, RecordFacts, RecordName, RecordSet, Shares};
use crate::world::record_content::{self, RecordSpec, canonical, in_words, wanted};
use crate::world::{Answer, Known, Reply};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Questions of one look when all traffic goes to one place: enough to see a stray answer.
const PLAIN_SAMPLE: usize = 12;
/// Questions of one look when shares are mixed: at 10 % the standard deviation is 6 answers, which tells ±5 points apart.
const MIXED_SAMPLE: usize = 400;

/// What the port needs of the inventory.
pub struct Settings {
    /// Servers by name.
    pub servers: BTreeMap<String, Server>,
    /// Records by name.
    pub records: BTreeMap<String, RecordSpec>,
    /// Where names are looked up.
    pub addresses: Addresses,
}

/// A PowerDNS server.
pub struct Server {
    /// Address of the API without path.
    pub url: String,
    /// API key.
    pub key: SecretString,
    /// The server's name in its own API, usually `localhost`.
    pub id: String,
    /// Where it answers DNS, `host` or `host:port`; port 53 if none is given.
    pub query: String,
    /// Limit for one call of the API; 10 s is usual.
    pub timeout: Duration,
    /// Limit for one answer by DNS; [`dns_ask::PATIENCE`] is usual.
    pub patience: Duration,
    /// For `https`.
    pub tls: Arc<rustls::ClientConfig>,
}

/// How one server is asked.
struct Asked {
    api: Api,
    query: String,
    patience: Duration,
}

/// Records at PowerDNS servers.
pub struct RealDns {
    servers: BTreeMap<String, Asked>,
    records: BTreeMap<String, RecordSpec>,
    addresses: Addresses,
}

impl RealDns {
    /// Makes the port. Nothing is asked yet.
    ///
    /// # Errors
    /// When a client cannot be built.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let mut servers = BTreeMap::new();
        for (name, server) in settings.servers {
            let client = client::builder(&server.tls, &settings.addresses, server.timeout)
                .build()
                .map_err(|error| format!("DNS server {name}: {}", client::reason(&error.without_url())))?;
            let api = Api { client, url: server.url, id: server.id, key: server.key };
            servers.insert(name, Asked { api, query: server.query, patience: server.patience });
        }
        Ok(Self { servers, records: settings.records, addresses: settings.addresses })
    }

    fn find(&self, at: &RecordName) -> Result<(&RecordSpec, &Asked), String> {
        let spec = self
            .records
            .get(&at.record)
            .ok_or_else(|| format!("no record `{}` in the inventory", at.record))?;
        let asked = self
            .servers
            .get(&at.server)
            .ok_or_else(|| format!("no DNS server `{}` in the inventory", at.server))?;
        Ok((spec, asked))
    }

    async fn address(&self, query: &str) -> Result<SocketAddr, String> {
        let found = self.addresses.lookup_text(query, 53).await.map_err(|error| error.to_string())?;
        found.first().copied().ok_or_else(|| format!("no address for {query}"))
    }

    async fn facts(&self, at: &RecordName) -> Result<RecordFacts, String> {
        let (spec, Asked { api, query, patience }) = self.find(at)?;
        let standing = api.read(spec).await.map_err(|failure| failure.why().to_owned())?;
        let shares = record_content::understand(spec, &standing.sets);
        let mixed = standing.sets.iter().any(|set| set.kind == "LUA")
            || shares.is(|shares: &Shares| record_content::normalised(shares).len() > 1);
        let count = if mixed { MIXED_SAMPLE } else { PLAIN_SAMPLE };
        let sample = match self.address(query).await {
            Ok(server) => dns_ask::sample(server, &spec.domain, &spec.kind, count, *patience).await,
            Err(why) => Err(why),
        };
        let (answers, sampled) = match sample {
            Ok(sample) => (
                Known::Known(sample.counts.keys().cloned().collect()),
                Known::Known(by_region(spec, &sample.counts)),
            ),
            Err(why) => (Known::Unknown(why.clone()), Known::Unknown(why)),
        };
        Ok(RecordFacts {
            shares,
            ttl: record_content::ttl(spec, &standing.sets),
            serial: Known::Known(standing.serial),
            transferred: Known::Known(standing.primary),
            sets: standing.sets,
            answers,
            sampled,
        })
    }

    async fn swapped(
        &self,
        at: &RecordName,
        expected: &[RecordSet],
        aim: &RecordAim,
    ) -> Result<String, Reply> {
        let (spec, Asked { api, .. }) = self.find(at).map_err(Reply::refused)?;
        // Everything up to the write only reads: any failure proves that nothing was changed.
        let before = api.read(spec).await.map_err(|failure| Reply::refused(failure.why()))?;
        let goal = wanted(spec, expected, aim).map_err(Reply::refused)?;
        if before.sets == goal {
            // An identical REPLACE would still raise the serial and wake every secondary (seen on 4.7.3).
            return Ok(format!("already {}; nothing was sent", in_words(&goal)));
        }
        if before.sets != expected {
            return Err(Reply::refused(format!(
                "changed by somebody else: {} stands there, expected was {}",
                in_words(&before.sets),
                in_words(expected)
            )));
        }
        if goal.iter().any(|set| set.kind == "LUA") {
            api.lua_possible(spec, &before).await.map_err(|failure| Reply::refused(failure.why()))?;
        }
        match api.write(spec, &before, &goal).await {
            Ok(()) => {}
            Err(Failure::No(why)) => return Err(Reply::refused(why)),
            Err(Failure::Lost(why)) => return Err(Reply::lost(why)),
        }
        // The API has no compare-and-set: what stands there now is the only proof that nobody wrote in between.
        let after = api
            .read(spec)
            .await
            .map_err(|failure| Reply::lost(format!("written, not read back: {}", failure.why())))?;
        if after.sets != goal {
            return Err(Reply::lost(format!("after the write {} stands there", in_words(&after.sets))));
        }
        let told = if after.primary && api.notify(spec).await { ", secondaries notified" } else { "" };
        Ok(format!("{}; serial {} → {}{told}", in_words(&goal), before.serial, after.serial))
    }
}

/// Counts by region; an answer that belongs to no region stands under its own text.
fn by_region(spec: &RecordSpec, counts: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut regions = BTreeMap::new();
    for (answer, count) in counts {
        let region = spec.targets.iter().find(|(_, target)| canonical(&spec.kind, target) == *answer);
        *regions.entry(region.map_or(answer, |(region, _)| region).clone()).or_insert(0) += count;
    }
    regions
}

impl Dns for RealDns {
    fn look<'a>(&'a self, at: &'a RecordName) -> Answer<'a, Known<RecordFacts>> {
        Box::pin(async move {
            match self.facts(at).await {
                Ok(facts) => Known::Known(facts),
                Err(why) => Known::Unknown(why),
            }
        })
    }

    fn swap<'a>(
        &'a self,
        _permit: &'a Permit,
        at: &'a RecordName,
        expected: &'a [RecordSet],
        aim: &'a RecordAim,
    ) -> Answer<'a, Reply> {
        Box::pin(async move {
            match self.swapped(at, expected, aim).await {
                Ok(note) => Reply::acknowledged(note),
                Err(reply) => reply,
            }
        })
    }

    fn preview(
        &self,
        at: &RecordName,
        expected: &[RecordSet],
        aim: &RecordAim,
    ) -> Result<Vec<RecordSet>, String> {
        let (spec, _) = self.find(at)?;
        wanted(spec, expected, aim)
    }
}
