//! Each rule with what breaks it, and with what looks like it and is healthy.

use super::*;
use crate::world::Known;
use crate::world::postgres::{
    Activity, Altered, Lsn, PrimaryFacts, ReadOnly, Receiver, Role, Sessions, StandbyFacts,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn server(role: Role) -> ServerFacts {
    ServerFacts {
        system: "7301".into(),
        version: 150_018,
        started: "1785232800000000".into(),
        role,
        read_only: ReadOnly { on: false, source: "default".into(), altered: Known::Known(Altered::Unset) },
        overrides: vec![],
        sessions: Known::Known(Sessions { clients: vec![], older: 0, writing: 0, superusers: 0, workers: 0 }),
        synchronous_names: String::new(),
        waiting_for_standby: Known::Known(0),
        ours: Known::Known(vec![]),
        managers: vec![],
    }
}

const AT: Lsn = Lsn(0x0500_0100);

fn primary(change: impl FnOnce(&mut PrimaryFacts)) -> ServerFacts {
    let mut facts = PrimaryFacts {
        timeline: 3,
        flushed: AT,
        inserted: AT,
        next_transaction: 900,
        oldest_transaction: 900,
        activity: Activity { rows: 5000, counted: true, ..Activity::default() },
        prepared: vec![],
        senders: Known::Known(vec![]),
    };
    change(&mut facts);
    server(Role::Primary(facts))
}

fn standby(change: impl FnOnce(&mut StandbyFacts)) -> ServerFacts {
    let mut facts = StandbyFacts {
        received: Known::Known(AT),
        replayed: Known::Known(AT),
        timeline: Known::Known(3),
        replayed_ms_ago: Known::Known(0),
        replay: "not paused".into(),
        receiver: Known::Known(Receiver { status: "streaming".into(), timeline: 3, silent_ms: 0 }),
        recovery_targets: vec![],
        apply_delay_ms: 0,
    };
    change(&mut facts);
    server(Role::Standby(facts))
}

fn with(mut facts: ServerFacts, change: impl FnOnce(&mut ServerFacts)) -> ServerFacts {
    change(&mut facts);
    facts
}

fn restarted(facts: ServerFacts) -> ServerFacts {
    with(facts, |facts| facts.started = "1785232900000000".into())
}

fn receiving(timeline: u32) -> Known<Receiver> {
    Known::Known(Receiver { status: "streaming".into(), timeline, silent_ms: 0 })
}

fn unreceived(standby: &mut StandbyFacts, timeline: u32) {
    standby.receiver = Known::unknown("no receiver runs");
    standby.timeline = Known::Known(timeline);
}

fn record(serial: Known<u32>) -> RecordFacts {
    RecordFacts {
        sets: vec![],
        shares: Known::unknown("foreign content"),
        ttl: Known::Known(60),
        serial,
        transferred: Known::Known(true),
        answers: Known::Known(vec![]),
        sampled: Known::unknown("no answer in time"),
    }
}

fn of(before: &ServerFacts, now: &ServerFacts) -> Option<(&'static Rule, String)> {
    broken(Some(Shown::Postgres(before)), Shown::Postgres(now), |_| false)
}

/// The words of a table's row, without what the row is about.
fn said(found: Option<(&'static Rule, String)>) -> String {
    found.map_or_else(String::new, |(rule, what)| format!("{}: {what}", rule.id))
}

#[test]
fn what_a_server_cannot_do_breaks_its_rule() {
    let low = Lsn(0x0500_0000);
    let p = || primary(|_| ());
    let s = || standby(|_| ());
    let table = [
        (
            p(),
            with(p(), |f| f.system = "7302".into()),
            "postgres.system: its system identifier was 7301, and is 7302",
        ),
        (
            s(),
            restarted(with(s(), |f| f.system = "7302".into())),
            "postgres.system: its system identifier was 7301, and is 7302",
        ),
        (
            restarted(p()),
            p(),
            "postgres.started: it was started 100000 ms before it was last seen to have started",
        ),
        (
            p(),
            with(p(), |f| f.version = 160_004),
            "postgres.version: its version was 150018, and is 160004, without a restart",
        ),
        (p(), s(), "postgres.role: it was a primary, and is a standby, without a restart"),
        (
            p(),
            primary(|f| f.timeline = 2),
            "postgres.timeline: it wrote timeline 3, and writes 2, without a restart",
        ),
        (
            p(),
            primary(|f| f.timeline = 4),
            "postgres.timeline: it wrote timeline 3, and writes 4, without a restart",
        ),
        (
            s(),
            primary(|f| f.timeline = 3),
            "postgres.timeline: it followed timeline 3, was promoted, and writes timeline 3",
        ),
        (
            standby(|f| unreceived(f, 3)),
            primary(|f| f.timeline = 2),
            "postgres.timeline: it followed timeline 3, was promoted, and writes timeline 2",
        ),
        (
            s(),
            standby(|f| f.receiver = receiving(2)),
            "postgres.timeline: it received timeline 3, and receives 2, without a restart",
        ),
        (
            p(),
            primary(|f| f.flushed = low),
            "postgres.position: what it has flushed went back from 0/5000100 to 0/5000000 without a restart",
        ),
        (
            s(),
            primary(|f| (f.timeline, f.flushed, f.inserted) = (4, low, low)),
            "postgres.position: its position went back from 0/5000100 to 0/5000000 without a restart",
        ),
        (
            p(),
            primary(|f| f.flushed = Lsn(0x0500_0200)),
            "postgres.unwritten: it has flushed up to 0/5000200, and inserted only up to 0/5000100",
        ),
        (
            p(),
            primary(|f| f.oldest_transaction = 901),
            "postgres.transaction: its oldest transaction is 901, beyond the next, 900",
        ),
    ];
    let mut seen = BTreeSet::new();
    for (before, now, expected) in table {
        let found = of(&before, &now);
        seen.extend(found.as_ref().map(|(rule, _)| rule.id));
        assert_eq!(said(found), expected);
    }
    let all = RULES.iter().filter(|rule| matches!(rule.check, Check::Postgres(_))).map(|rule| rule.id);
    assert_eq!(seen, all.collect(), "a rule without a row");
}

#[test]
fn what_a_healthy_server_does_breaks_none() {
    let low = Lsn(0x0500_0000);
    let p = || primary(|_| ());
    let s = || standby(|_| ());
    let table = [
        ("nothing happens", p(), p()),
        ("nothing happens on a standby", s(), s()),
        (
            "work goes on",
            p(),
            primary(|f| {
                (f.flushed, f.inserted, f.next_transaction) = (Lsn(0x600_0000), Lsn(0x600_0100), 950)
            }),
        ),
        ("a boundary", p(), primary(|f| (f.flushed, f.inserted) = (Lsn(0x600_0000), Lsn(0x600_0028)))),
        ("a promotion", s(), primary(|f| f.timeline = 4)),
        ("a promotion over history files of others", s(), primary(|f| f.timeline = 7)),
        (
            "a promotion whose follower had no receiver",
            standby(|f| unreceived(f, 2)),
            primary(|f| f.timeline = 4),
        ),
        (
            "a follower in the midst of its promotion: its control file has the new timeline",
            standby(|f| unreceived(f, 4)),
            primary(|f| f.timeline = 4),
        ),
        (
            "the numbers of a target are its own",
            s(),
            primary(|f| (f.timeline, f.next_transaction, f.oldest_transaction) = (4, 5, 5)),
        ),
        ("a rewound old primary", p(), restarted(standby(|f| f.replayed = Known::Known(low)))),
        (
            "a standby restored from an older base backup",
            s(),
            restarted(standby(|f| {
                (f.replayed, f.receiver) = (Known::Known(low), receiving(2));
            })),
        ),
        (
            "a crash that loses what was not flushed",
            primary(|f| f.inserted = Lsn(0x600_0000)),
            restarted(p()),
        ),
        (
            "a crash that gives numbers again",
            p(),
            restarted(primary(|f| (f.next_transaction, f.oldest_transaction) = (880, 880))),
        ),
        ("a server started without its signal file", s(), restarted(p())),
        ("a minor upgrade", p(), restarted(with(p(), |f| f.version = 150_019))),
        ("a receiver that is gone: the control file lags behind", s(), standby(|f| unreceived(f, 2))),
        ("a receiver that came back", standby(|f| unreceived(f, 2)), s()),
        ("a receiver that follows a promotion", s(), standby(|f| f.receiver = receiving(4))),
        (
            "received again from the start of a segment",
            s(),
            standby(|f| (f.received, f.receiver) = (Known::Known(low), receiving(4))),
        ),
        ("nothing was replayed yet", s(), standby(|f| f.replayed = Known::unknown("nothing was replayed"))),
        ("statistics that somebody reset", p(), primary(|f| f.activity = Activity::default())),
        // A backend was killed: the postmaster recovers, and keeps its start time. Measured on PostgreSQL 15.
        ("a killed backend of a standby", s(), standby(|f| f.replayed = Known::Known(Lsn(0x0400_0000)))),
        (
            "a killed backend of a primary",
            primary(|f| (f.inserted, f.next_transaction) = (Lsn(0x0500_0200), 905)),
            p(),
        ),
        ("an old transaction", p(), primary(|f| (f.next_transaction, f.oldest_transaction) = (950, 850))),
        (
            "read-only by the main configuration file",
            p(),
            with(p(), |f| {
                (f.read_only.on, f.read_only.source) = (true, "configuration file".into());
            }),
        ),
        ("a start that cannot be read", with(p(), |f| f.started = "then".into()), p()),
    ];
    for (what, before, now) in table {
        assert_eq!(said(of(&before, &now)), "", "{what}");
        assert_eq!(said(broken(None, Shown::Postgres(&now), |_| false)), "", "{what}, seen first");
    }
}

#[test]
fn a_serial_that_nobody_follows_may_go_back() {
    // A native zone is copied with its database; whoever loads it again from a file may bring any serial.
    let unknown = || Known::unknown("it was not asked");
    for (then, at) in [
        (Known::Known(false), Known::Known(false)),
        (Known::Known(false), Known::Known(true)),
        (Known::Known(true), Known::Known(false)),
        (unknown(), Known::Known(true)),
        (Known::Known(true), unknown()),
    ] {
        let before = RecordFacts { transferred: then, ..record(Known::Known(5)) };
        let now = RecordFacts { transferred: at, ..record(Known::Known(1)) };
        let found = said(broken(Some(Shown::DnsRecord(&before)), Shown::DnsRecord(&now), |_| false));
        assert_eq!(found, "", "{:?} {:?}", before.transferred, now.transferred);
    }
}

#[test]
fn a_serial_that_goes_back_breaks_its_rule_and_one_that_wraps_does_not() {
    let of = |then: Known<u32>, at: Known<u32>| {
        let (then, at) = (record(then), record(at));
        said(broken(Some(Shown::DnsRecord(&then)), Shown::DnsRecord(&at), |_| false))
    };
    let known = |serial| Known::Known(serial);
    assert_eq!(
        of(known(2_026_112_802), known(2_026_112_801)),
        "dns.serial: the serial of its zone went back from 2026112802 to 2026112801"
    );
    assert_eq!(of(known(5), known(1)), "dns.serial: the serial of its zone went back from 5 to 1");
    for (then, at) in [
        (known(5), known(5)),
        (known(5), known(6)),
        (known(1), known(2_026_112_801)),
        (known(u32::MAX), known(0)),
        (known(7), known(7 + (1 << 31))),
        (known(7), Known::unknown("no answer")),
        (Known::unknown("no answer"), known(7)),
    ] {
        assert_eq!(of(then.clone(), at.clone()), "", "{then} {at}");
    }
}

#[test]
fn what_was_told_of_a_rule_is_not_told_again_and_another_rule_still_speaks() {
    let before = primary(|_| ());
    let now = primary(|f| (f.timeline, f.flushed) = (2, Lsn(1)));
    let next = |told: &[&str]| {
        let found =
            broken(Some(Shown::Postgres(&before)), Shown::Postgres(&now), |rule| told.contains(&rule));
        found.map(|(rule, _)| rule.id)
    };
    assert_eq!(next(&[]), Some("postgres.timeline"));
    assert_eq!(next(&["postgres.timeline"]), Some("postgres.position"));
    assert_eq!(next(&["postgres.timeline", "postgres.position"]), None);
}

#[test]
fn rules_have_names_of_their_own() {
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        let kind = match rule.check {
            Check::Postgres(_) => "postgres.",
            Check::DnsRecord(_) => "dns.",
        };
        assert!(rule.id.starts_with(kind) && !rule.sentence.is_empty() && !rule.because.is_empty());
    }
}

/// Files of cases: what is sent in is laid down here.
fn cases(folder: &str) -> Vec<(PathBuf, Kept)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/surprises").join(folder);
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let kept: Kept =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(serde_json::from_str::<Kept>(&serde_json::to_string(&kept).unwrap()).unwrap(), kept);
        assert_eq!(kept.mrctl_surprise, 1);
        (path, kept)
    };
    files.filter(|path| path.extension().is_some_and(|end| end == "json")).map(read).collect()
}

#[test]
fn a_kept_case_breaks_its_rule_unless_it_was_found_to_be_healthy() {
    let impossible = cases("impossible");
    assert!(!impossible.is_empty());
    for (path, kept) in impossible {
        let (rule, what) =
            kept.case.broken().unwrap_or_else(|| panic!("{}: nothing is broken", path.display()));
        assert_eq!((rule.id, what), (kept.case.rule.as_str(), kept.case.what), "{}", path.display());
    }
    let healthy = cases("healthy");
    assert!(!healthy.is_empty());
    for (path, kept) in healthy {
        assert_eq!(said(kept.case.broken()), "", "{}", path.display());
    }
}
