//! Sending users to a region by DNS, and preparing for it.

pub mod restore;
pub mod shares;
pub mod shift;
pub mod ttl;

use super::scope::{self, Scope};
use crate::error::{Code, Problem, suggest};
use crate::world::dns::{RecordFacts, RecordName, RecordSet};
use crate::world::plausible::{Place, Shown, Sighting};
use crate::world::record_content::{RecordSpec, in_words};
use crate::world::{Known, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record and the servers that hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Name in the inventory.
    pub record: String,
    /// What its content is made from. The zone is the port's business and empty here.
    pub spec: RecordSpec,
    /// Names of the servers; each is written and asked.
    pub servers: Vec<String>,
}

/// What stands at each server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// By server.
    pub servers: BTreeMap<String, Known<RecordFacts>>,
}

/// What to do about a server that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Silent {
    /// Change nothing anywhere: a server that cannot be read could go on sending users to the old place.
    Refuse,
    /// Leave it and go on with the others, as long as one answers. It is named in the evidence.
    Leave,
}

/// A time to live that is not the one from before is none of the shares': it may be that of another step, or of somebody else.
pub(super) fn kept_ttl(before: &[RecordSet], now: &[RecordSet]) -> String {
    match (before.first(), now.first()) {
        (Some(before), Some(now)) if before.ttl != now.ttl => {
            format!(
                " (the time to live was {} s before the shift; {} s were found, and left alone)",
                before.ttl, now.ttl
            )
        }
        _ => String::new(),
    }
}

/// Finds a record, or says what there is.
pub(super) fn target(scope: &Scope<'_>, name: &str) -> Result<(Target, scope::Record), Problem> {
    let Some(record) = scope.directory.record(name) else {
        return Err(missing(scope, "dns_records", "DNS record", name));
    };
    if record.servers.is_empty() {
        return Err(Problem::error(Code::BadValue, format!("the record {name} has no servers")));
    }
    let spec = RecordSpec {
        domain: record.domain.clone(),
        zone: String::new(),
        kind: record.kind.clone(),
        ttl: record.ttl,
        targets: record.targets.clone(),
    };
    Ok((Target { record: record.name.clone(), spec, servers: record.servers.clone() }, record))
}

/// The problem of a resource that is not there.
pub(in crate::step) fn missing(scope: &Scope<'_>, kind: &str, words: &str, name: &str) -> Problem {
    let names = scope.directory.names(kind);
    let problem =
        Problem::error(Code::UnknownChoice, format!("there is no {words} `{name}` in the inventory"));
    match suggest::closest(name, names.iter().map(String::as_str)) {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None if names.is_empty() => problem.help(format!("the inventory has no `{kind}`")),
        None => problem.help(format!("the inventory has {}", names.join(", "))),
    }
}

impl Target {
    /// The lock and digest name.
    pub(super) fn resource(&self) -> String {
        format!("dns/{}", self.record)
    }

    pub(super) fn at(&self, server: &str) -> RecordName {
        RecordName { record: self.record.clone(), server: server.to_owned() }
    }

    /// Reads every server.
    pub(super) async fn look(&self, world: &World) -> Facts {
        let mut servers = BTreeMap::new();
        for server in &self.servers {
            let at = self.at(server);
            servers.insert(server.clone(), world.dns.look(&at).await);
        }
        Facts { servers }
    }

    /// What was seen of it at each server.
    pub(super) fn sightings<'a>(&self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        let seen = |(server, facts): (&String, &'a Known<RecordFacts>)| {
            let shown = Shown::DnsRecord(facts.get()?);
            Some(Sighting { place: Place::DnsRecord(self.at(server)), shown })
        };
        facts.servers.iter().filter_map(seen).collect()
    }

    /// `www.example.com. A 60 192.0.2.10 → 198.51.100.10 at pdns-eu`.
    pub(super) fn line(&self, server: &str, before: &[RecordSet], after: &[RecordSet]) -> String {
        let domain = &self.spec.domain;
        match (before, after) {
            (before, after) if before == after => format!("{domain} {} at {server} stays", in_words(before)),
            ([old], [new]) if (&old.kind, old.ttl) == (&new.kind, new.ttl) => format!(
                "{domain} {} {} {} → {} at {server}",
                old.kind,
                old.ttl,
                old.contents.join(", "),
                new.contents.join(", ")
            ),
            _ => format!("{domain} {} → {} at {server}", in_words(before), in_words(after)),
        }
    }
}

/// What stands at each server now, as what a person would have to put back.
pub(super) fn by_hand(target: &Target, facts: &Facts) -> Vec<String> {
    let known = facts.servers.iter().filter_map(|(server, seen)| seen.get().map(|seen| (server, seen)));
    known
        .map(|(server, seen)| format!("at {server}: set {} to {}", target.spec.domain, in_words(&seen.sets)))
        .collect()
}

/// The first server that could not be read, unless such servers are left and another one answers.
pub(super) fn unread(facts: &Facts, silent: Silent) -> Option<String> {
    let any = facts.servers.values().any(|seen| seen.get().is_some());
    if silent == Silent::Leave && any {
        return None;
    }
    facts
        .servers
        .iter()
        .find_map(|(server, seen)| seen.why().map(|why| format!("{server} cannot be read: {why}")))
}

/// The servers that were left, as the end of a sentence.
pub(super) fn left(facts: &Facts) -> String {
    let names: Vec<_> = facts
        .servers
        .iter()
        .filter(|(_, seen)| seen.get().is_none())
        .map(|(server, _)| server.as_str())
        .collect();
    if names.is_empty() { String::new() } else { format!("; silent and left: {}", names.join(", ")) }
}

#[cfg(test)]
pub(super) mod examples {
    use super::*;
    use crate::world::dns::Shares;
    use crate::world::record_content::{canonical, normalised, render, understand};

    pub fn target() -> Target {
        Target {
            record: "www".into(),
            spec: RecordSpec {
                domain: "www.example.com.".into(),
                zone: String::new(),
                kind: "A".into(),
                ttl: 60,
                targets: [
                    ("ap-south", "203.0.113.10"),
                    ("eu-west", "192.0.2.10"),
                    ("us-east", "198.51.100.10"),
                ]
                .map(|(region, target)| (region.to_owned(), target.to_owned()))
                .into(),
            },
            servers: vec!["pdns-eu".into(), "pdns-us".into()],
        }
    }

    pub fn shares(list: &[(&str, u32)]) -> Shares {
        list.iter().map(|(region, share)| ((*region).to_owned(), *share)).collect()
    }

    /// A server that holds and answers these shares.
    pub fn server(list: &[(&str, u32)]) -> RecordFacts {
        let target = target();
        let sets = render(&target.spec, &shares(list), 60).unwrap();
        of_sets(sets)
    }

    pub fn of_sets(sets: Vec<RecordSet>) -> RecordFacts {
        let target = target();
        let shares = understand(&target.spec, &sets);
        let sampled: BTreeMap<String, u32> = match &shares {
            Known::Known(shares) => {
                let shares = normalised(shares);
                let count = if shares.len() > 1 { 400 } else { 12 };
                shares.into_iter().map(|(region, share)| (region, count * share / 10_000)).collect()
            }
            Known::Unknown(_) => [("203.0.113.99".to_owned(), 12)].into(),
        };
        let answers = sampled
            .keys()
            .map(|region| target.spec.targets.get(region).map_or(region.clone(), |t| canonical("A", t)))
            .collect();
        RecordFacts {
            ttl: crate::world::record_content::ttl(&target.spec, &sets),
            shares,
            serial: Known::Known(1),
            transferred: Known::Known(true),
            answers: Known::Known(answers),
            sampled: Known::Known(sampled),
            sets,
        }
    }

    pub fn both(eu: Known<RecordFacts>, us: Known<RecordFacts>) -> Facts {
        Facts { servers: [("pdns-eu".to_owned(), eu), ("pdns-us".to_owned(), us)].into() }
    }

    pub fn alike(list: &[(&str, u32)]) -> Facts {
        both(Known::Known(server(list)), Known::Known(server(list)))
    }
}
