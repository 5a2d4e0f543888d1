//! `docs/reference/conformance.md`: every case with what both worlds say in it.
//!
//! The page holds what the simulation says; that a real server says the same is the test of each case, which fails with the first line
//! that differs.

use super::table::{Case, Elsewhere, Server};
use super::{cache, dns, postgres};
use crate::generated::compare;
use crate::support::pg::binary;
use std::fmt::Write as _;
use std::process::Command;

/// Facts that the model does not hold, and the tests that see them on real servers alone.
pub const ELSEWHERE: &[Elsewhere] = &[
    Elsewhere {
        id: "F10",
        server: Server::PostgreSql,
        fact: "An old primary that diverged is rewound only with hints or checksums, and only after a checkpoint of the new one.",
        why: "the model has no pages: a rejoin works, or leaves a standby that follows nobody",
        tests: ("tests/postgres/rewind.rs", "f10"),
    },
    Elsewhere {
        id: "F12",
        server: Server::PostgreSql,
        fact: "A role without superuser can do it all with a few grants.",
        why: "the model has no rights; every real case runs as such a role",
        tests: ("tests/postgres/preflight.rs", "sound_pair"),
    },
    Elsewhere {
        id: "F13",
        server: Server::PostgreSql,
        fact: "Read-only and caught up loses what was in flight or only told of; our order loses neither.",
        why: "what makes the loss are F1, P3 and P6; the experiment itself is about a real load",
        tests: ("tests/postgres/loss.rs", "f13"),
    },
    Elsewhere {
        id: "P20",
        server: Server::PostgreSql,
        fact: "Autovacuum goes on under a freeze, here and in other databases, and is told apart from a write.",
        why: "the model has one database; that numbers alone are no write is P14",
        tests: ("tests/postgres/freeze.rs", "autovacuum"),
    },
    Elsewhere {
        id: "P21",
        server: Server::PostgreSql,
        fact: "Apply workers of subscriptions write through a freeze, and block it.",
        why: "the model has no logical replication",
        tests: ("tests/postgres/workers.rs", "apply_worker"),
    },
    Elsewhere {
        id: "P22",
        server: Server::PostgreSql,
        fact: "A standby of a standby is judged by what it has replayed itself.",
        why: "in the model every standby follows the primary",
        tests: ("tests/postgres/cascade.rs", "standby_of_a_standby"),
    },
    Elsewhere {
        id: "D16",
        server: Server::PowerDns,
        fact: "A LUA set and a plain one of the same name both answer.",
        why: "the model runs no LUA that mrctl did not write: unknown (D9)",
        tests: ("tests/traffic/dns.rs", "lua_and_a_plain_record"),
    },
    Elsewhere {
        id: "D17",
        server: Server::PowerDns,
        fact: "A server on which LUA is off is not given a record that would answer nothing.",
        why: "the model has no settings of servers",
        tests: ("tests/traffic/dns.rs", "without_lua"),
    },
    Elsewhere {
        id: "D18",
        server: Server::PowerDns,
        fact: "Contents of the other address family in one LUA set survive a change.",
        why: "in the model a record has a name of its own",
        tests: ("tests/traffic/dns.rs", "other_address_family"),
    },
    Elsewhere {
        id: "R11",
        server: Server::Redis,
        fact: "A slice lasts about a second, and the rate is kept.",
        why: "no time passes in a call of the model",
        tests: ("tests/traffic/cache.rs", "slice_lasts"),
    },
    Elsewhere {
        id: "R12",
        server: Server::Redis,
        fact: "A target that reaches its limit of memory in the middle of a slice is left.",
        why: "the model counts keys, not bytes",
        tests: ("tests/traffic/cache.rs", "evicts_or_is_full"),
    },
];

/// Every case, in the order of the page within each server.
pub fn all_cases() -> Vec<Case> {
    [
        postgres::facts::CASES,
        postgres::more::CASES,
        postgres::lost::CASES,
        postgres::managed::CASES,
        postgres::gone::CASES,
        dns::CASES,
        dns::lost::CASES,
        cache::CASES,
        cache::lost::CASES,
    ]
    .concat()
}

/// The major version that a program says of itself: `15`, `4.7`, `7.0`.
fn version(program: &str, parts: usize) -> String {
    let output = Command::new(program).arg("--version").output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let number = said
        .split_whitespace()
        .map(|word| word.trim_start_matches("v="))
        .find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()) && word.contains('.'));
    let number = number.unwrap_or_else(|| panic!("{program} does not say its version: {said}"));
    number.split('.').take(parts).collect::<Vec<_>>().join(".")
}

fn name(server: Server) -> String {
    match server {
        Server::PostgreSql => format!("PostgreSQL {}", version(&binary("postgres").display().to_string(), 1)),
        Server::PowerDns => format!("PowerDNS {}", version("/usr/sbin/pdns_server", 2)),
        Server::Redis => format!("Redis {}", version("redis-server", 2)),
    }
}

#[tokio::test]
async fn the_page_of_cases_is_as_committed() {
    let said = [
        postgres::facts::simulation().await,
        postgres::more::simulation().await,
        postgres::lost::simulation().await,
        postgres::managed::simulation().await,
        postgres::gone::simulation().await,
        dns::simulation().await,
        dns::lost::simulation().await,
        cache::simulation().await,
        cache::lost::simulation().await,
    ]
    .concat();
    let cases = all_cases();
    assert_eq!(cases.len(), said.len());
    let told: Vec<(Case, Vec<String>)> = cases.into_iter().zip(said).collect();
    let mut text = String::from(
        "# The simulated servers and the real ones\n\nGenerated by the tests in `tests/conformance`. A rehearsal is worth what its servers are \
         worth. Each case is one script that is run on a simulated server and on a real one; what both say is compared line by line, and a \
         difference fails the test of the case. The lines below are what both said. The sources of the simulation name the case of each fact \
         that they hold, and a test reads them.\n\n",
    );
    let mut rows = String::new();
    let mut body = String::new();
    for server in [Server::PostgreSql, Server::PowerDns, Server::Redis] {
        let name = name(server);
        let cases: Vec<_> = told.iter().filter(|(case, _)| case.server == server).collect();
        let here = ELSEWHERE.iter().filter(|fact| fact.server == server).count();
        writeln!(rows, "| {name} | {0} of {0} | {here} |", cases.len()).unwrap();
        writeln!(body, "## {name}\n").unwrap();
        for (case, said) in cases {
            writeln!(body, "### {}\n\n{}\n\n```text\n{}\n```\n", case.id(), case.fact, said.join("\n"))
                .unwrap();
        }
    }
    writeln!(text, "| server | equal | not held by the model |\n|---|---|---|\n{rows}").unwrap();
    writeln!(text, "{0} of {0} equal.\n\n{body}## What the model does not hold\n", told.len()).unwrap();
    writeln!(text, "Seen on real servers alone; no rehearsal speaks of it.\n\n| | fact | why not | seen by |\n|---|---|---|---|").unwrap();
    for Elsewhere { id, fact, why, tests: (file, word), .. } in ELSEWHERE {
        writeln!(text, "| {id} | {fact} | {why} | `{file}`, `{word}` |").unwrap();
    }
    compare("docs/reference/conformance.md", &text);
}
