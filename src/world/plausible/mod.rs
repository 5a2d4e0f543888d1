//! What the simulated world can never show, and a healthy real one neither: the table of rules that every look of a run is held
//! against. A rehearsal proves something about a world in which they hold; a server that breaks one is in another world.
//!
//! A rule that fires on a healthy system stops a run on the night on which it is needed. So each speaks only of what the server's own
//! construction excludes, and nothing that a person may do between two looks without a restart breaks it.

mod dns;
mod postgres;
#[cfg(test)]
mod tests;

use super::Member;
use super::dns::{RecordFacts, RecordName};
use super::postgres::ServerFacts;
use serde::{Deserialize, Serialize};

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A PostgreSQL server.
    Postgres(Member),
    /// A record at one name server.
    DnsRecord(RecordName),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Postgres(member) => member.fmt(f),
            Self::DnsRecord(at) => write!(f, "{} at {}", at.record, at.server),
        }
    }
}

/// What was seen there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "a run holds two of them at most")]
pub enum Observed {
    /// Of a PostgreSQL server.
    Postgres(ServerFacts),
    /// Of a record at one name server.
    DnsRecord(RecordFacts),
}

/// The same, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// Of a PostgreSQL server.
    Postgres(&'a ServerFacts),
    /// Of a record at one name server.
    DnsRecord(&'a RecordFacts),
}

impl Shown<'_> {
    /// A copy.
    pub fn owned(self) -> Observed {
        match self {
            Self::Postgres(facts) => Observed::Postgres(facts.clone()),
            Self::DnsRecord(facts) => Observed::DnsRecord(facts.clone()),
        }
    }
}

impl Observed {
    /// The same, borrowed.
    pub fn shown(&self) -> Shown<'_> {
        match self {
            Self::Postgres(facts) => Shown::Postgres(facts),
            Self::DnsRecord(facts) => Shown::DnsRecord(facts),
        }
    }
}

/// One thing that a look has seen.
#[derive(Clone, Debug)]
pub struct Sighting<'a> {
    /// Where.
    pub place: Place,
    /// What.
    pub shown: Shown<'a>,
}

/// What a rule asks: of what was seen before in this run, if anything was, and of what is seen now. What is wrong, if it is broken.
#[derive(Clone, Copy)]
pub enum Check {
    /// Of a PostgreSQL server.
    Postgres(fn(Option<&ServerFacts>, &ServerFacts) -> Option<String>),
    /// Of a record at one name server.
    DnsRecord(fn(Option<&RecordFacts>, &RecordFacts) -> Option<String>),
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Short name, stable: it stands in journals and in the files of kept cases.
    pub id: &'static str,
    /// What always holds.
    pub sentence: &'static str,
    /// Why no healthy system breaks it.
    pub because: &'static str,
    /// The question.
    pub check: Check,
}

impl Rule {
    /// What is wrong; nothing if the rule holds or speaks of other things.
    fn broken(&self, before: Option<Shown<'_>>, now: Shown<'_>) -> Option<String> {
        match (self.check, now) {
            (Check::Postgres(check), Shown::Postgres(now)) => {
                let before = before.and_then(|before| match before {
                    Shown::Postgres(before) => Some(before),
                    Shown::DnsRecord(_) => None,
                });
                check(before, now)
            }
            (Check::DnsRecord(check), Shown::DnsRecord(now)) => {
                let before = before.and_then(|before| match before {
                    Shown::DnsRecord(before) => Some(before),
                    Shown::Postgres(_) => None,
                });
                check(before, now)
            }
            (Check::Postgres(_), Shown::DnsRecord(_)) | (Check::DnsRecord(_), Shown::Postgres(_)) => None,
        }
    }
}

/// All rules, in the order of the docs: what tells most comes first.
pub const RULES: &[Rule] = &[
    Rule {
        id: "postgres.system",
        sentence: "the system identifier of a server never changes",
        because: "it is made by initdb and copied with the data",
        check: Check::Postgres(postgres::system),
    },
    Rule {
        id: "postgres.started",
        sentence: "the start of a server never goes back",
        because: "a server that started earlier is another one",
        check: Check::Postgres(postgres::started),
    },
    Rule {
        id: "postgres.version",
        sentence: "the version of a server changes only with a restart",
        because: "it is compiled in",
        check: Check::Postgres(postgres::version),
    },
    Rule {
        id: "postgres.role",
        sentence: "a primary becomes a standby only with a restart",
        because: "recovery is entered only at start",
        check: Check::Postgres(postgres::role),
    },
    Rule {
        id: "postgres.timeline",
        sentence: "without a restart, the timeline of a primary stays, that of a receiver never goes down, and a promotion begins a higher one",
        because: "a promotion takes the first number that no history file has, and recovery refuses to go back to a lower one",
        check: Check::Postgres(postgres::timeline),
    },
    Rule {
        id: "postgres.position",
        sentence: "without a restart, what a primary has flushed never goes back, and a promoted standby has what it had replayed",
        because: "a rewind needs one; a killed backend loses only what was not flushed, and makes a standby replay again, without one",
        check: Check::Postgres(postgres::position),
    },
    Rule {
        id: "postgres.unwritten",
        sentence: "no more is flushed than was inserted",
        because: "the flushed position is read first",
        check: Check::Postgres(postgres::unwritten),
    },
    Rule {
        id: "postgres.transaction",
        sentence: "the oldest transaction that runs on a primary is not beyond the next one",
        because: "the next number is read last; that it never goes back would be too much: a killed backend makes the server forget some",
        check: Check::Postgres(postgres::transaction),
    },
    Rule {
        id: "dns.serial",
        sentence: "the serial of a zone that is primary at a server never goes down there",
        because: "secondaries would not take the zone any more; a native zone has none, and is left out; compared as RFC 1982 does, so that a serial may wrap",
        check: Check::DnsRecord(dns::serial),
    },
];

/// The first rule that this breaks, with what is wrong. `told`: rules that are left out.
pub fn broken(
    before: Option<Shown<'_>>,
    now: Shown<'_>,
    told: impl Fn(&str) -> bool,
) -> Option<(&'static Rule, String)> {
    RULES
        .iter()
        .filter(|rule| !told(rule.id))
        .find_map(|rule| rule.broken(before, now).map(|what| (rule, what)))
}

/// A broken rule with what broke it: a case of the conformance kit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The rule.
    pub rule: String,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What was seen before in the same run.
    pub before: Option<Observed>,
    /// What was seen then.
    pub now: Observed,
}

impl Case {
    /// The first rule that its observations break today, with what is wrong.
    pub fn broken(&self) -> Option<(&'static Rule, String)> {
        broken(self.before.as_ref().map(Observed::shown), self.now.shown(), |_| false)
    }
}

/// A case as it is kept in a run's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Format.
    pub mrctl_surprise: u32,
    /// Version of mrctl that saw it.
    pub version: String,
    /// The case.
    pub case: Case,
}

impl Kept {
    /// Of this version.
    pub fn of(case: &Case) -> Self {
        Self { mrctl_surprise: 1, version: env!("CARGO_PKG_VERSION").into(), case: case.clone() }
    }
}
