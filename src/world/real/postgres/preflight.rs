//! Everything that a planned switch needs of a server, checked without using it. One statement that suits the server's version;
//! missing rights are found here and not after the freeze.

use super::findings::{OLDEST, findings, version_of};
use super::session::{Sessions as Connections, Trouble};
use super::{managers, sql};
use crate::world::postgres::Finding;
use crate::world::{Known, Member};
use serde::Deserialize;

/// The checks of one server. The probe table is found through the catalogs, because `to_regclass` fails without rights on a schema.
/// `waiting` counts the segments that wait to be archived, which fails as a whole without the right: no `CASE` spares a function
/// in `FROM` its check.
///
/// A server reads the whole statement before it runs any of it, so a `CASE` on the version would not spare an old one a function that
/// it does not know: `has_parameter_privilege` came with 15 (its release notes, <https://www.postgresql.org/docs/release/15.0/>, under
/// privileges: "New function `has_parameter_privilege()` reports on this privilege").
fn statement(version: u32, table: &str, waiting: &str) -> String {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    format!(
        "{STATEMENT}'managers', {}, 'alter', {}, 'archive_ready', {waiting}, 'probe', coalesce((SELECT CASE \
         WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'no USAGE on its schema' \
         WHEN NOT has_table_privilege(c.oid, 'SELECT') OR NOT has_table_privilege(c.oid, 'INSERT') \
           OR NOT has_table_privilege(c.oid, 'UPDATE') THEN 'no SELECT, INSERT and UPDATE on it' \
         WHEN (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('run_id', 'ts')) < 2 \
           THEN 'no columns run_id and ts' \
         ELSE 'usable' END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {}), 'not there'))::text",
        managers::all(),
        sql::may_freeze(version),
        sql::literal(schema),
        sql::literal(name)
    )
}

const WAITING: &str = "(SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')";

const STATEMENT: &str = "SELECT json_build_object(\
 'recovery', pg_is_in_recovery(),\
 'version', current_setting('server_version_num')::int,\
 'monitor', pg_has_role(current_user, 'pg_monitor', 'USAGE'),\
 'signal', pg_has_role(current_user, 'pg_signal_backend', 'USAGE'),\
 'promote', has_function_privilege('pg_promote(boolean,integer)', 'EXECUTE'),\
 'reload', has_function_privilege('pg_reload_conf()', 'EXECUTE'),\
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
 'prepared', (SELECT coalesce(json_agg(gid || ' of ' || owner || ' since ' || to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI\"Z\"') \
   ORDER BY prepared), '[]'::json) FROM pg_prepared_xacts),\
 'transactions', (SELECT coalesce(json_agg(json_build_object('role', usename, 'seconds', seconds, 'wrote', wrote, 'endable', endable) \
   ORDER BY seconds DESC), '[]'::json) FROM (\
     SELECT a.usename, floor(extract(epoch FROM clock_timestamp() - a.xact_start))::bigint AS seconds, a.backend_xid IS NOT NULL AS wrote, \
       me.rolsuper OR NOT coalesce(r.rolsuper, true) AS endable \
     FROM pg_roles me, pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid \
     WHERE me.rolname = current_user AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid() \
     ORDER BY a.xact_start LIMIT 5) oldest),\
 'backups', (SELECT count(*) FROM pg_stat_progress_basebackup),\
 'archive', current_setting('archive_mode'),\
 'archive_fails', (SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver),\
 'slots', (SELECT coalesce(json_agg(slot_name || ' (' || slot_type || ')'), '[]'::json) FROM pg_replication_slots WHERE slot_type = 'logical'),\
 'subscriptions', (SELECT coalesce(json_agg(subname ORDER BY subname), '[]'::json) FROM pg_subscription WHERE subenabled),\
 'superusers', (SELECT coalesce(json_agg(role ORDER BY role), '[]'::json) FROM (\
   SELECT a.usename || ': ' || count(*) AS role FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, pg_roles me \
   WHERE me.rolname = current_user AND NOT me.rolsuper AND r.rolsuper AND a.backend_type = 'client backend' GROUP BY a.usename) s),\
 'workers', (SELECT coalesce(json_agg(DISTINCT backend_type ORDER BY backend_type), '[]'::json) FROM pg_stat_activity \
   WHERE backend_type NOT IN ('client backend', 'walsender', 'walreceiver', 'startup', 'checkpointer', 'background writer', \
     'walwriter', 'archiver', 'logger', 'stats collector', 'parallel worker', 'standalone backend', 'walsummarizer', 'io worker', \
     'slotsync worker', 'backend') AND backend_type !~ '^(autovacuum|logical replication) '),\
 'overrides', (SELECT coalesce(json_agg(coalesce('role ' || r.rolname, 'database ' || d.datname, 'all') \
   || ': default_transaction_read_only=' || CASE WHEN split_part(c, '=', 2)::boolean THEN 'on' ELSE 'off' END), '[]'::json) \
   FROM pg_db_role_setting o LEFT JOIN pg_roles r ON r.oid = o.setrole LEFT JOIN pg_database d ON d.oid = o.setdatabase, \
   unnest(o.setconfig) c WHERE c LIKE 'default_transaction_read_only=%'),";

#[derive(Deserialize)]
pub(super) struct Raw {
    pub(super) recovery: bool,
    pub(super) version: u32,
    pub(super) monitor: bool,
    pub(super) signal: bool,
    pub(super) promote: bool,
    pub(super) reload: bool,
    pub(super) alter: bool,
    pub(super) message: bool,
    pub(super) targets: Vec<String>,
    pub(super) delay: String,
    pub(super) replay: Option<String>,
    pub(super) ssn: String,
    pub(super) hints: bool,
    pub(super) fsync: String,
    pub(super) commit: String,
    pub(super) prepared: Vec<String>,
    pub(super) transactions: Vec<Transaction>,
    pub(super) backups: u32,
    pub(super) archive: String,
    pub(super) archive_fails: bool,
    pub(super) archive_ready: Option<u64>,
    pub(super) slots: Vec<String>,
    pub(super) subscriptions: Vec<String>,
    pub(super) managers: Vec<String>,
    /// Superusers with sessions, and how many, where our role is none.
    pub(super) superusers: Vec<String>,
    /// Workers that extensions have started.
    pub(super) workers: Vec<String>,
    pub(super) overrides: Vec<String>,
    pub(super) attached: Vec<String>,
    pub(super) probe: String,
}

/// One of the oldest open transactions of clients.
#[derive(Deserialize)]
pub(super) struct Transaction {
    pub(super) role: Option<String>,
    pub(super) seconds: i64,
    pub(super) wrote: bool,
    /// Whether the role that we came in with may end its session.
    pub(super) endable: bool,
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
    let limit = connections.timeout(at);
    let version = match session.value(sql::VERSION, limit).await {
        Ok(Some(text)) => match text.parse::<u32>() {
            Ok(version) => version,
            Err(_) => return Known::Unknown(format!("the server calls its version {text}")),
        },
        Ok(None) => return Known::unknown("the server does not tell its version"),
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    if version < OLDEST {
        // The rest asks for what such a server does not have: it would only complain about that.
        connections.give_back(at, session);
        return Known::Known(vec![version_of(version)]);
    }
    let mut answer = session.value(&statement(version, table, WAITING), limit).await;
    if matches!(&answer, Err(Trouble::Server(state, _)) if state == "42501") {
        answer = session.value(&statement(version, table, "NULL::bigint"), limit).await;
    }
    let text = match answer {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_only_for_functions_that_its_version_has() {
        let old = statement(140_011, "mrctl.probe", WAITING);
        assert!(!old.contains("has_parameter_privilege"), "{old}");
        assert!(old.contains("'alter', current_setting('is_superuser')::boolean,"), "{old}");
        let new = statement(150_000, "mrctl.probe", WAITING);
        assert!(
            new.contains("has_parameter_privilege('default_transaction_read_only', 'ALTER SYSTEM')"),
            "{new}"
        );
        // The freeze and the reload after it ask the same.
        for version in [140_011, 150_000, 170_002] {
            assert!(sql::reload(version).contains(sql::may_freeze(version)), "{version}");
        }
    }
}
