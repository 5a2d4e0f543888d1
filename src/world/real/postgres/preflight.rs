//! Everything that a planned switch needs of a server, checked without using it. One statement; missing rights are found here
//! and not after the freeze.

use super::session::Sessions as Connections;
use super::sql;
use crate::world::postgres::Finding;
use crate::world::{Known, Member};
use serde::Deserialize;

/// The checks of one server. The probe table is found through the catalogs, because `to_regclass` fails without rights on a schema.
fn statement(table: &str) -> String {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    format!(
        "{STATEMENT}'probe', coalesce((SELECT CASE \
         WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'no USAGE on its schema' \
         WHEN NOT has_table_privilege(c.oid, 'SELECT') OR NOT has_table_privilege(c.oid, 'INSERT') \
           OR NOT has_table_privilege(c.oid, 'UPDATE') THEN 'no SELECT, INSERT and UPDATE on it' \
         WHEN (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('run_id', 'ts')) < 2 \
           THEN 'no columns run_id and ts' \
         ELSE 'usable' END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {}), 'not there'))::text",
        sql::literal(schema),
        sql::literal(name)
    )
}

const STATEMENT: &str = "SELECT json_build_object(\
 'recovery', pg_is_in_recovery(),\
 'version', current_setting('server_version_num')::int,\
 'monitor', pg_has_role(current_user, 'pg_monitor', 'USAGE'),\
 'signal', pg_has_role(current_user, 'pg_signal_backend', 'USAGE'),\
 'promote', has_function_privilege('pg_promote(boolean,integer)', 'EXECUTE'),\
 'reload', has_function_privilege('pg_reload_conf()', 'EXECUTE'),\
 'alter', CASE WHEN current_setting('server_version_num')::int >= 150000 \
   THEN has_parameter_privilege('default_transaction_read_only', 'ALTER SYSTEM') \
   ELSE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) END,\
 'message', has_function_privilege('pg_logical_emit_message(boolean,text,text)', 'EXECUTE'),\
 'targets', (SELECT coalesce(json_agg(name || ' = ' || setting), '[]'::json) FROM pg_settings \
   WHERE name ~ '^recovery_target(_lsn|_name|_time|_xid)?$' AND setting <> ''),\
 'delay', current_setting('recovery_min_apply_delay'),\
 'replay', CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END,\
 'attached', (SELECT coalesce(json_agg(application_name), '[]'::json) FROM pg_stat_replication),\
'ssn', current_setting('synchronous_standby_names'),\
 'hints', current_setting('wal_log_hints') = 'on' OR current_setting('data_checksums') = 'on',\
 'fsync', current_setting('fsync'),\
 'commit', current_setting('synchronous_commit'),\
 'prepared', (SELECT coalesce(json_agg(gid), '[]'::json) FROM pg_prepared_xacts),\
 'slots', (SELECT coalesce(json_agg(slot_name || ' (' || slot_type || ')'), '[]'::json) FROM pg_replication_slots WHERE slot_type = 'logical'),\
 'subscriptions', (SELECT coalesce(json_agg(subname ORDER BY subname), '[]'::json) FROM pg_subscription WHERE subenabled),\
 'managers', (SELECT coalesce(json_agg(DISTINCT m), '[]'::json) FROM (\
   SELECT application_name AS m FROM pg_stat_activity WHERE application_name ILIKE 'patroni%' OR application_name ILIKE 'repmgr%' OR application_name ILIKE 'pg_auto%' \
   UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname IN ('repmgr', 'pgautofailover')) x),\
 'overrides', (SELECT coalesce(json_agg(coalesce('role ' || r.rolname, 'database ' || d.datname, 'all') || ': ' || c), '[]'::json) \
   FROM pg_db_role_setting o LEFT JOIN pg_roles r ON r.oid = o.setrole LEFT JOIN pg_database d ON d.oid = o.setdatabase, \
   unnest(o.setconfig) c WHERE c LIKE 'default_transaction_read_only=%'),";

#[derive(Deserialize)]
struct Raw {
    recovery: bool,
    version: u32,
    monitor: bool,
    signal: bool,
    promote: bool,
    reload: bool,
    alter: bool,
    message: bool,
    targets: Vec<String>,
    delay: String,
    replay: Option<String>,
    ssn: String,
    hints: bool,
    fsync: String,
    commit: String,
    prepared: Vec<String>,
    slots: Vec<String>,
    subscriptions: Vec<String>,
    managers: Vec<String>,
    overrides: Vec<String>,
    attached: Vec<String>,
    probe: String,
}

pub(super) async fn preflight(
    connections: &Connections,
    at: &Member,
    candidate: bool,
    table: &str,
) -> Known<Vec<Finding>> {
    let (session, _) = match connections.for_look(at, "mrctl//look").await {
        Ok(session) => session,
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    let text = match session.value(&statement(table), connections.timeout(at)).await {
        Ok(Some(text)) => text,
        Ok(None) => return Known::unknown("the server returned nothing"),
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    connections.give_back(at, session);
    match serde_json::from_str::<Raw>(&text) {
        Ok(raw) => Known::Known(findings(&raw, candidate)),
        Err(error) => Known::Unknown(format!("the server's answer cannot be read: {error}")),
    }
}

fn findings(raw: &Raw, candidate: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut check = |name: &str, fine: bool, fatal: bool, seen: String, remedy: &str| {
        findings.push(Finding {
            check: name.into(),
            fine: Known::Known(fine),
            fatal,
            seen,
            remedy: remedy.into(),
        });
    };
    let none = |items: &[String]| if items.is_empty() { "none".to_string() } else { items.join(", ") };
    check(
        "version",
        raw.version >= 140_000,
        true,
        format!("version {}", raw.version),
        "PostgreSQL 14 or later is needed",
    );
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
        "GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO the role",
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
        "pause or drive the manager that owns failover",
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
    }
    findings
}

fn role(recovery: bool) -> String {
    if recovery { "standby".into() } else { "primary".into() }
}
