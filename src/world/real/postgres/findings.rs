//! What a preflight's answer means: each check with what was seen, and what to do about it.

use super::preflight::Raw;
use crate::world::Known;
use crate::world::postgres::{Finding, VERSION};

/// How long a client's transaction may have been open. Seconds.
const LONG: i64 = 60;
/// How many finished segments may wait to be archived: a fast shutdown waits for all of them.
const BACKLOG: u64 = 10;
/// The oldest version that has every function that mrctl asks for: `pg_get_wal_replay_pause_state` came with 14.
pub(super) const OLDEST: u32 = 140_000;
/// From this version on `ALTER SYSTEM` can be granted by setting (release notes of 15:
/// <https://www.postgresql.org/docs/release/15.0/>); before, only a superuser may.
const GRANTED: u32 = 150_000;
/// From this version on a server may forbid `ALTER SYSTEM` to everybody, by `allow_alter_system`.
const FORBIDDEN: u32 = 170_000;

/// Whether the server is new enough.
pub(super) fn version_of(version: u32) -> Finding {
    known(VERSION, version >= OLDEST, true, format!("version {version}"), "PostgreSQL 14 or later is needed")
}

/// What lets the role write the setting of the freeze.
fn lets_alter(version: u32) -> &'static str {
    match version {
        ..GRANTED => "before PostgreSQL 15 only a superuser may ALTER SYSTEM: let mrctl come in as one",
        GRANTED..FORBIDDEN => "GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO the role",
        FORBIDDEN.. => {
            "GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO the role, and allow_alter_system has to be on"
        }
    }
}

pub(super) fn findings(raw: &Raw, candidate: bool) -> Vec<Finding> {
    let mut findings = vec![version_of(raw.version)];
    let mut check = |name: &str, fine: bool, fatal: bool, seen: String, remedy: &str| {
        findings.push(known(name, fine, fatal, seen, remedy));
    };
    let none = |items: &[String]| if items.is_empty() { "none".to_string() } else { items.join(", ") };
    check(
        "monitor",
        raw.monitor,
        true,
        format!("pg_monitor: {}", raw.monitor),
        "GRANT pg_monitor TO the role",
    );
    check(
        "signal",
        raw.signal,
        true,
        format!("pg_signal_backend: {}", raw.signal),
        "GRANT pg_signal_backend TO the role",
    );
    check(
        "reload",
        raw.reload,
        true,
        format!("pg_reload_conf: {}", raw.reload),
        "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO the role",
    );
    check(
        "alter_system",
        raw.alter,
        true,
        format!("ALTER SYSTEM on default_transaction_read_only: {}", raw.alter),
        lets_alter(raw.version),
    );
    check(
        "message",
        raw.message,
        true,
        format!("pg_logical_emit_message: {}", raw.message),
        "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) TO the role",
    );
    check(
        "promote",
        raw.promote,
        true,
        format!("pg_promote: {}", raw.promote),
        "GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO the role, on the primary",
    );
    check(
        "probe_table",
        raw.probe == "usable",
        true,
        raw.probe.clone(),
        "CREATE TABLE … (run_id text PRIMARY KEY, ts timestamptz NOT NULL) and GRANT SELECT, INSERT, UPDATE, on the primary",
    );
    check(
        "role",
        raw.recovery == candidate,
        true,
        role(raw.recovery),
        "the candidate must be a standby, the source a primary",
    );
    check(
        "prepared",
        raw.prepared.is_empty(),
        true,
        none(&raw.prepared),
        "commit or roll back the prepared transactions",
    );
    check(
        "manager",
        raw.managers.is_empty(),
        true,
        none(&raw.managers),
        "move the cluster with its manager; where none is in charge any more, remove what it has left here",
    );
    check(
        "durability",
        raw.fsync == "on",
        false,
        format!("fsync {}", raw.fsync),
        "commits may be lost in a crash",
    );
    check(
        "commit",
        raw.commit != "off",
        false,
        format!("synchronous_commit {}", raw.commit),
        "commits are told before they are on disk; the catch-up flushes them",
    );
    check(
        "rewind",
        raw.hints,
        false,
        format!("checksums or wal_log_hints: {}", raw.hints),
        "without either, an old primary that diverged must be rebuilt",
    );
    check(
        "slots",
        raw.slots.is_empty(),
        false,
        none(&raw.slots),
        "logical slots do not exist on a promoted standby before version 17",
    );
    check(
        "base_backup",
        raw.backups == 0,
        true,
        format!("{} running", raw.backups),
        "wait for it or cancel it: a promotion or a shutdown would spoil it",
    );
    findings.push(archive(raw));
    findings.push(long_transactions(raw));
    let mut check = |name: &str, fine: bool, fatal: bool, seen: String, remedy: &str| {
        findings.push(known(name, fine, fatal, seen, remedy));
    };
    if candidate {
        check(
            "recovery_target",
            raw.targets.is_empty(),
            true,
            none(&raw.targets),
            "remove it: promotion would end the server",
        );
        check(
            "delay",
            raw.delay == "0",
            true,
            format!("recovery_min_apply_delay {}", raw.delay),
            "set it to 0",
        );
        let replay = raw.replay.clone().unwrap_or_else(|| "unknown".into());
        check("replay", replay == "not paused", true, replay, "SELECT pg_wal_replay_resume()");
        // Those that follow the candidate today will follow it then; whether they are enough is seen after the promotion.
        let named = |name: &String| raw.ssn.contains('*') || raw.ssn.contains(name.as_str());
        let attached = raw.attached.iter().any(named);
        check(
            "synchronous_names",
            raw.ssn.is_empty() || attached,
            true,
            if raw.ssn.is_empty() { "empty".into() } else { raw.ssn.clone() },
            "after promotion commits would wait for ever for standbys that do not follow the candidate: clear it on the candidate",
        );
        check(
            "leaked_freeze",
            !raw.overrides.iter().any(|o| o.ends_with("=on") && !o.starts_with("role ")),
            true,
            none(&raw.overrides),
            "reset it: the promoted server would refuse writes",
        );
    } else {
        check(
            "subscriptions",
            raw.subscriptions.is_empty(),
            true,
            none(&raw.subscriptions),
            "their apply workers ignore the freeze: disable them",
        );
        check(
            "overrides",
            !raw.overrides.iter().any(|o| o.ends_with("=off")),
            true,
            none(&raw.overrides),
            "reset it: these sessions would write through the freeze",
        );
        check(
            "superusers",
            raw.superusers.is_empty(),
            false,
            none(&raw.superusers),
            "the freeze cannot end these sessions: it waits for them in vain unless they leave, and those that are kept may write through it",
        );
        check(
            "extension_workers",
            raw.workers.is_empty(),
            false,
            none(&raw.workers),
            "a worker of an extension may write through the freeze, which ends none of them: stop what writes; a write holds the promotion back",
        );
    }
    findings
}

fn known(check: &str, fine: bool, fatal: bool, seen: String, remedy: &str) -> Finding {
    Finding { check: check.into(), fine: Known::Known(fine), fatal, seen, remedy: remedy.into() }
}

/// A server whose archive does not keep up stops late: a fast shutdown waits until every segment is archived.
fn archive(raw: &Raw) -> Finding {
    let remedy = "mend the archive: a clean stop waits for it, and the segments fill the disk";
    let (fine, seen) = match (raw.archive.as_str(), raw.archive_fails, raw.archive_ready) {
        ("off", ..) => (Known::Known(true), "off".to_string()),
        (_, true, ready) => {
            let waiting = ready.map_or_else(|| "unknown".to_string(), |ready| ready.to_string());
            (Known::Known(false), format!("the last attempt failed, segments waiting: {waiting}"))
        }
        (_, false, Some(ready)) => (Known::Known(ready <= BACKLOG), format!("{ready} segments waiting")),
        (_, false, None) => {
            let why = "the role may not count the waiting segments";
            (Known::unknown(why), why.to_string())
        }
    };
    Finding { check: "archive".into(), fine, fatal: false, seen, remedy: remedy.into() }
}

/// Transactions that the freeze would have to end, or that the catch-up would have to wait for.
fn long_transactions(raw: &Raw) -> Finding {
    let open: Vec<String> = raw
        .transactions
        .iter()
        .map(|open| {
            let wrote = if open.wrote { ", has written" } else { "" };
            format!("{}: {} s{wrote}", open.role.as_deref().unwrap_or("?"), open.seconds)
        })
        .collect();
    let long = || raw.transactions.iter().filter(|open| open.seconds >= LONG);
    let (fine, seen) = match (raw.monitor, open.is_empty()) {
        // Without it the server hides when the transactions of others began.
        (false, _) => (Known::unknown("the role lacks pg_monitor"), "not to be seen".to_string()),
        (true, true) => (Known::Known(true), "none open".to_string()),
        (true, false) => (Known::Known(long().next().is_none()), open.join(", ")),
    };
    Finding {
        check: "long_transactions".into(),
        fine,
        // The freeze ends the others, and they are rolled back; this one it could not end.
        fatal: long().any(|open| open.wrote && !open.endable),
        seen,
        remedy: "wait for them: the freeze rolls them back, or waits for those that it may not end".into(),
    }
}

fn role(recovery: bool) -> String {
    if recovery { "standby".into() } else { "primary".into() }
}

#[cfg(test)]
mod tests {
    use super::super::preflight::Transaction;
    use super::*;

    fn raw() -> Raw {
        Raw {
            recovery: false,
            version: 150_000,
            monitor: true,
            signal: true,
            promote: true,
            reload: true,
            alter: true,
            message: true,
            targets: vec![],
            delay: "0".into(),
            replay: None,
            ssn: String::new(),
            hints: true,
            fsync: "on".into(),
            commit: "on".into(),
            prepared: vec![],
            transactions: vec![],
            backups: 0,
            archive: "on".into(),
            archive_fails: false,
            archive_ready: Some(0),
            slots: vec![],
            subscriptions: vec![],
            managers: vec![],
            superusers: vec![],
            workers: vec![],
            overrides: vec![],
            attached: vec![],
            probe: "usable".into(),
        }
    }

    /// Names of what is not fine, with `!` where it forbids the run and `?` where it is not known.
    fn wrong(raw: &Raw) -> Vec<String> {
        let wrong = findings(raw, raw.recovery).into_iter().filter(|f| f.fine != Known::Known(true));
        wrong
            .map(|f| {
                let known = if f.fine.why().is_some() { "?" } else { "" };
                format!("{}{}{known}", f.check, if f.fatal { "!" } else { "" })
            })
            .collect()
    }

    fn open(seconds: i64, wrote: bool, endable: bool) -> Transaction {
        Transaction { role: Some("app".into()), seconds, wrote, endable }
    }

    #[test]
    fn an_archive_that_fails_or_lags_is_told_and_an_unseen_one_is_unknown() {
        assert_eq!(wrong(&raw()), Vec::<String>::new());
        assert_eq!(wrong(&Raw { archive_ready: Some(BACKLOG + 1), ..raw() }), ["archive"]);
        assert_eq!(wrong(&Raw { archive_fails: true, archive_ready: None, ..raw() }), ["archive"]);
        assert_eq!(wrong(&Raw { archive_ready: None, ..raw() }), ["archive?"]);
        assert_eq!(wrong(&Raw { archive: "off".into(), archive_ready: None, ..raw() }), Vec::<String>::new());
    }

    #[test]
    fn what_lets_the_role_freeze_depends_on_the_version() {
        let remedy = |version: u32| {
            let found = findings(&Raw { version, alter: false, ..raw() }, false);
            let alter = found.into_iter().find(|finding| finding.check == "alter_system").unwrap();
            assert_eq!((alter.fine, alter.fatal), (Known::Known(false), true));
            alter.remedy
        };
        assert!(remedy(140_011).contains("only a superuser") && !remedy(140_011).contains("GRANT"));
        assert!(remedy(150_000).starts_with("GRANT ALTER SYSTEM") && !remedy(150_000).contains("allow_"));
        assert!(remedy(170_000).contains("allow_alter_system"));
        assert_eq!(wrong(&Raw { version: 140_011, ..raw() }), Vec::<String>::new());
        assert_eq!(version_of(130_009).fine, Known::Known(false));
    }

    #[test]
    fn only_a_long_writer_that_cannot_be_ended_forbids_the_run() {
        let with = |open: Transaction| wrong(&Raw { transactions: vec![open], ..raw() });
        assert_eq!(with(open(LONG - 1, true, false)), Vec::<String>::new());
        assert_eq!(with(open(LONG, false, false)), ["long_transactions"]);
        assert_eq!(with(open(LONG, true, true)), ["long_transactions"]);
        assert_eq!(with(open(LONG, true, false)), ["long_transactions!"]);
        let blind = wrong(&Raw { monitor: false, ..raw() });
        assert!(blind.contains(&"long_transactions?".to_string()), "{blind:?}");
        assert_eq!(wrong(&Raw { backups: 1, ..raw() }), ["base_backup!"]);
        assert_eq!(wrong(&Raw { managers: vec!["Patroni".into()], ..raw() }), ["manager!"]);
        // Told, and not forbidden: they may leave, or write nothing.
        assert_eq!(wrong(&Raw { superusers: vec!["postgres: 1".into()], ..raw() }), ["superusers"]);
        assert_eq!(wrong(&Raw { workers: vec!["pg_cron launcher".into()], ..raw() }), ["extension_workers"]);
    }
}
