//! The statements, in one place: what is executed is what plans and dry runs show.

use super::managers;
use crate::world::postgres::{Altered, Change, Handover, HandoverBy, Scope};

/// A string literal. Standard-conforming strings are on in every supported server; a backslash still gets the `E` form so that
/// the meaning does not depend on it.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A possibly qualified name.
pub fn identifier(name: &str) -> String {
    name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect::<Vec<_>>().join(".")
}

/// An array of text.
pub fn array(items: &[String]) -> String {
    format!("ARRAY[{}]::text[]", items.iter().map(|item| literal(item)).collect::<Vec<_>>().join(","))
}

pub const FREEZE: &str = "ALTER SYSTEM SET default_transaction_read_only = 'on'";
pub const RELOAD: &str = "SELECT pg_reload_conf()";

/// The few facts of a glance as one JSON document.
pub const GLANCE: &str = "SELECT json_build_object(\
    'system', (SELECT system_identifier::text FROM pg_control_system()),\
    'started', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text,\
    'read_only', current_setting('default_transaction_read_only')::boolean,\
    'recovery', s.recovery,\
    'stats', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),\
    'writing', (SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND backend_type <> 'autovacuum worker' \
        AND NOT (usename = current_user AND application_name LIKE 'mrctl/%')) + (SELECT count(*) FROM pg_prepared_xacts),\
    'next', CASE WHEN NOT s.recovery THEN pg_snapshot_xmax(pg_current_snapshot())::text END)::text \
    FROM (SELECT pg_is_in_recovery() AS recovery) s";

/// What a standby needs, or has left behind, as one JSON document.
pub const PROTECTION: &str = "SELECT json_build_object(\
    'system', (SELECT system_identifier::text FROM pg_control_system()),\
    'recorded', (SELECT timeline_id FROM pg_control_checkpoint()),\
    'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active, \
        'physical', slot_type = 'physical', 'reserved', restart_lsn IS NOT NULL, 'lost', wal_status IS NOT DISTINCT FROM 'lost', \
        'doomed', wal_status IS NOT DISTINCT FROM 'unreserved', \
        'sender', (SELECT state FROM pg_stat_replication WHERE pid = active_pid)) ORDER BY slot_name), '[]'::json) \
        FROM pg_replication_slots WHERE NOT temporary),\
    'may_checkpoint', (SELECT u.rolsuper OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'pg_checkpoint' \
        AND pg_has_role(r.oid, 'USAGE')) FROM pg_roles u WHERE u.rolname = current_user),\
    'may_replicate', (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user))::text";

/// A checkpoint at once, not spread over time.
pub const CHECKPOINT: &str = "CHECKPOINT";

/// A physical slot that keeps write-ahead log from now on, and not only from the first connection.
pub fn create_slot(slot: &str) -> String {
    format!("SELECT slot_name::text FROM pg_create_physical_replication_slot({}, true)", literal(slot))
}

/// Whether the server is in recovery.
pub const IN_RECOVERY: &str = "SELECT pg_is_in_recovery()::text";

/// Gives the session a name.
pub fn rename(name: &str) -> String {
    format!("SET application_name = {}", literal(name))
}

/// A session that changes is never idle for long. Where the way to us is lost without a word, the server would keep it for hours, and
/// nobody could tell that what it was sent has not arrived.
pub const IDLE_ENDS: &str = "SET idle_session_timeout = '15s'";

/// A round trip.
pub const NOTHING: &str = "SELECT 1";

/// As long as the postmaster usually takes to load the configuration and to tell its children.
pub const MOMENT: &str = "SELECT pg_sleep(0.002)";

/// Which cluster this is, and whether it is in recovery; read on the connection that changes.
pub const IDENTITY: &str = "SELECT (SELECT system_identifier::text FROM pg_control_system()) || ' ' || \
    pg_is_in_recovery()::text || ' ' || current_setting('server_version_num')";

/// Puts back what `ALTER SYSTEM` held.
pub fn unfreeze(prior: &Altered) -> String {
    match prior {
        Altered::Unset => "ALTER SYSTEM RESET default_transaction_read_only".into(),
        Altered::To(value) => format!("ALTER SYSTEM SET default_transaction_read_only = {}", literal(value)),
    }
}

/// The version as a number, such as `150014`.
pub const VERSION: &str = "SELECT current_setting('server_version_num')";

/// Whether a server of this version lets this role write the setting. Before 15 only a superuser may `ALTER SYSTEM`; it cannot be granted,
/// and the function that would tell is not there.
pub fn may_freeze(version: u32) -> &'static str {
    match version {
        150_000.. => {
            "has_parameter_privilege('default_transaction_read_only', 'ALTER SYSTEM') \
             AND coalesce(current_setting('allow_alter_system', true), 'on')::boolean"
        }
        _ => "current_setting('is_superuser')::boolean",
    }
}

/// Reloads, but only where the setting, which is written right before, is not refused: a reload loads whatever others have written and not
/// loaded, perhaps not yet to its end. True, or nothing if it was not reloaded.
pub fn reload(version: u32) -> String {
    format!("SELECT CASE WHEN {} THEN pg_reload_conf() END::text", may_freeze(version))
}

/// As [`reload`], and keeps in mind when: what is loaded later holds what was written before.
pub fn reload_and_remember(version: u32) -> String {
    format!("SELECT set_config('mrctl.reload', clock_timestamp()::text, false); {}", reload(version))
}

/// Whether this session has loaded the configuration since, and is frozen by it.
const IN_FORCE: &str = "pg_conf_load_time() > current_setting('mrctl.reload')::timestamptz \
    AND current_setting('default_transaction_read_only')::boolean";

/// Ends the sessions that [`end_sessions`] would, if the freeze is in force on this session: `null` if it is not.
pub fn end_sessions_if_frozen(keep: &[String]) -> String {
    format!("SELECT CASE WHEN {IN_FORCE} THEN ({}) END", end_sessions(keep))
}

/// How many of those whom [`end_sessions`] has told to go are still there.
pub fn sessions_left(keep: &[String]) -> String {
    format!(
        "SELECT count(*)::text FROM pg_roles me, pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename WHERE {} AND (me.rolsuper OR NOT r.rolsuper)",
        from_before(keep)
    )
}

/// Client sessions from before the configuration was loaded, and those that write in spite of it, without those that are kept and
/// our own. Superusers' sessions are left out unless we are one: the whole statement would fail on them.
pub fn end_sessions(keep: &[String]) -> String {
    format!(
        "SELECT count(*) FILTER (WHERE gone) || ' ended' \
         || CASE WHEN count(*) FILTER (WHERE super) > 0 THEN ', ' || count(*) FILTER (WHERE super) \
         || ' of superusers cannot be ended by this role: ' || string_agg(DISTINCT usename, ', ') FILTER (WHERE super) ELSE '' END FROM (\
         SELECT a.usename::text AS usename, r.rolsuper AND NOT me.rolsuper AS super, \
         CASE WHEN r.rolsuper AND NOT me.rolsuper THEN false ELSE pg_terminate_backend(a.pid) END AS gone \
         FROM pg_roles me, pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename \
         WHERE {}) ended",
        from_before(keep)
    )
}

/// Whom a freeze ends: `a` is the session, `me` our role.
fn from_before(keep: &[String]) -> String {
    format!(
        "me.rolname = current_user AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() \
         AND a.usename <> ALL ({}) \
         AND NOT (a.usename = current_user AND a.application_name LIKE 'mrctl/%') \
         AND (a.backend_start <= pg_conf_load_time() OR a.backend_xid IS NOT NULL)",
        array(keep)
    )
}

/// What the session of that name waits for, and `synchronous_standby_names`.
pub fn waiting(session: &str) -> String {
    format!(
        "SELECT coalesce(wait_event, 'nothing') || ' ' || current_setting('synchronous_standby_names') FROM pg_stat_activity \
         WHERE usename = current_user AND application_name = {} ORDER BY state = 'active' DESC LIMIT 1",
        literal(session)
    )
}

/// A transactional message whose commit flushes everything before it, also commits that others were told of asynchronously.
pub fn mark(key: &str) -> String {
    format!("SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'mrctl', {})", literal(key))
}

/// The timeline that a standby follows. The receiver's while one runs; else the newest that the control file knows, which may be
/// older than the truth until the next restart point: then a promotion is refused, never allowed.
const STANDBY_TIMELINE: &str = "coalesce((SELECT received_tli FROM pg_stat_wal_receiver), \
    greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT min_recovery_end_timeline FROM pg_control_recovery())))";

/// Recovery targets, if there are any. Asked one by one: `pg_settings` lists every setting there is first.
const RECOVERY_TARGETS: &str = "current_setting('recovery_target') || current_setting('recovery_target_lsn') \
    || current_setting('recovery_target_name') || current_setting('recovery_target_time') || current_setting('recovery_target_xid')";

/// The guard and the promotion in one statement: no gap between check and act.
pub fn promote(handover: &Handover) -> String {
    let behind = match handover.by {
        // The position of a shutdown checkpoint is the record's start: replay must be strictly beyond it.
        HandoverBy::Shutdown => "<=",
        HandoverBy::Soft | HandoverBy::LossAccepted => "<",
    };
    let system = literal(&handover.system);
    let started = literal(&handover.target_started);
    let position = literal(&handover.position.to_string());
    let timeline = handover.timeline;
    let managed = managers::one();
    format!(
        "SELECT CASE \
         WHEN (SELECT system_identifier::text FROM pg_control_system()) <> {system} THEN 'no: this is another cluster' \
         WHEN NOT pg_is_in_recovery() THEN 'no: it is not in recovery' \
         WHEN (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text <> {started} THEN 'no: it was restarted since the handover' \
         WHEN pg_get_wal_replay_pause_state() <> 'not paused' THEN 'no: replay is paused' \
         WHEN {STANDBY_TIMELINE} <> {timeline} THEN 'no: it follows another timeline' \
         WHEN pg_last_wal_replay_lsn() IS NULL THEN 'no: it has replayed nothing' \
         WHEN pg_last_wal_replay_lsn() {behind} {position}::pg_lsn THEN 'no: it has replayed only up to ' || pg_last_wal_replay_lsn()::text \
         WHEN {RECOVERY_TARGETS} <> '' THEN 'no: a recovery target is set, promotion would end the server' \
         WHEN {managed} IS NOT NULL THEN 'no: another manager is in charge of it: ' || {managed} \
         WHEN pg_promote(false) THEN 'sent' ELSE 'no: the server did not take the request' END"
    )
}

/// The key of a run's row: of the region, too, because a row that was written elsewhere is replicated here.
fn probe_key(run: &str, region: &str) -> String {
    format!("{run}/{region}")
}

/// As an application writes.
pub fn write_probe(table: &str, run: &str, region: &str) -> String {
    format!(
        "INSERT INTO {} (run_id, ts) VALUES ({}, clock_timestamp()) ON CONFLICT (run_id) DO UPDATE SET ts = EXCLUDED.ts",
        identifier(table),
        literal(&probe_key(run, region))
    )
}

/// Whether the row is there.
pub fn read_probe(table: &str, run: &str, region: &str) -> String {
    let key = literal(&probe_key(run, region));
    format!("SELECT EXISTS (SELECT 1 FROM {} WHERE run_id = {key})::text", identifier(table))
}

/// The advisory lock's key for a cluster.
pub fn lock(cluster: &str) -> String {
    format!("SELECT pg_try_advisory_lock(hashtext({}))::text", literal(&format!("mrctl:{cluster}")))
}

/// A comment behind a statement, which cannot end early.
pub fn comment(says: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '*' | '/' | '\\') { ' ' } else { c };
    format!(" /* {} */", says.chars().map(plain).collect::<String>().trim_end())
}

/// Who holds the lock of a cluster, and sessions of changes of other runs: a connection bears the name of a change only while it makes
/// it, and one whose client is held up keeps it.
pub fn lock_sight(cluster: &str, run: &str) -> String {
    let own = crate::journal::permit::short_run(run).replace(['%', '_', '\\'], "");
    let own = if own.is_empty() {
        "false".into()
    } else {
        format!("application_name LIKE {}", literal(&format!("mrctl/{own}/%")))
    };
    // Only what is behind the comment's beginning is somebody's word.
    let session = "json_build_object('name', application_name, 'pid', pid, 'from', coalesce(host(client_addr), 'a local socket'), \
        'age_ms', (extract(epoch FROM clock_timestamp() - backend_start) * 1000)::bigint, \
        'says', coalesce(substring(query FROM '/\\* (.*) \\*/$'), ''))";
    format!(
        "SELECT json_build_object(\
        'holder', (SELECT {session} FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted \
            AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
            AND (classid::bigint << 32 | objid::bigint) = hashtext({})::bigint) LIMIT 1),\
        'others', (SELECT coalesce(json_agg({session} ORDER BY pid), '[]'::json) FROM pg_stat_activity \
            WHERE usename = current_user AND application_name ~ '^mrctl/[^/]+/.+/[0-9]+$' AND NOT ({own})))::text",
        literal(&format!("mrctl:{cluster}"))
    )
}

/// What plans and dry runs show.
pub fn statements(change: &Change) -> Vec<String> {
    match change {
        Change::Freeze => vec![
            format!("{FREEZE};"),
            format!("{RELOAD};"),
            "-- and, once that is in force on this connection, the statement that ends the sessions from before".into(),
        ],
        Change::Unfreeze(prior) => vec![format!("{};", unfreeze(prior)), format!("{RELOAD};")],
        Change::EndSessions(keep) => vec![format!("{};", end_sessions(keep))],
        Change::Mark => vec![format!("{};", mark("…"))],
        Change::Promote => {
            vec![
                "SELECT pg_promote(false); -- guarded in the same statement by system, timeline and position"
                    .into(),
            ]
        }
        Change::Checkpoint => vec![format!("{CHECKPOINT};")],
        Change::CreateSlot(slot) => vec![format!("{};", create_slot(slot))],
        Change::WriteProbe(table) => vec![format!("{};", write_probe(table, "…", "…"))],
    }
}

/// One look as one JSON document, without parameters: a session prepares it once. `pg_settings` is a function that lists everything
/// each time it is named, so it is named once, and so is every table that is read whole. `flushed` is read before `inserted`, so that new records make it look unflushed,
/// never flushed; who is connected before the statistics, so that whoever is gone by then has reported (arguments are computed in
/// order).
pub fn look(scope: &Scope) -> String {
    let keep = array(&scope.keep);
    let ours = if scope.run.is_empty() {
        "false".to_string()
    } else {
        let run = crate::journal::permit::short_run(&scope.run).replace(['%', '_', '\\'], "");
        format!("application_name LIKE {}", literal(&format!("mrctl/{run}/%/%")))
    };
    format!(
        "SELECT json_build_object(\
        'system', (SELECT system_identifier::text FROM pg_control_system()),\
        'version', current_setting('server_version_num')::int,\
        'started', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text,\
        'recovery', s.recovery,\
        'timeline', CASE WHEN NOT s.recovery THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,\
        'flushed', CASE WHEN NOT s.recovery THEN pg_current_wal_flush_lsn() END,\
        'inserted', CASE WHEN NOT s.recovery THEN pg_current_wal_insert_lsn() END,\
        'next', CASE WHEN NOT s.recovery THEN pg_snapshot_xmax(pg_current_snapshot())::text END,\
        'oldest', CASE WHEN NOT s.recovery THEN pg_snapshot_xmin(pg_current_snapshot())::text END,\
        'connected', (SELECT count(*) FROM a WHERE datid IS NOT NULL AND NOT mine \
            AND backend_type NOT IN ('autovacuum worker', 'walsender')),\
        'rows', CASE WHEN NOT s.recovery THEN (SELECT rows FROM k) END,\
        'elsewhere_rows', (SELECT rows FROM d),\
        'elsewhere_sessions', (SELECT sessions FROM d),\
        'counted', current_setting('track_counts')::boolean,\
        'upkeep', CASE WHEN NOT s.recovery THEN (SELECT upkeep FROM k) END,\
        'prepared', (SELECT coalesce(json_agg(gid ORDER BY gid), '[]'::json) FROM pg_prepared_xacts),\
        'senders', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'replayed', replay_lsn, \
            'flushed', flush_lsn, 'sync', sync_state) ORDER BY application_name, pid), '[]'::json) FROM pg_stat_replication),\
        'received', CASE WHEN s.recovery THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) END,\
        'replayed', CASE WHEN s.recovery THEN pg_last_wal_replay_lsn() END,\
        'replayed_ago', CASE WHEN s.recovery THEN (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint END,\
        'replay', CASE WHEN s.recovery THEN pg_get_wal_replay_pause_state() END,\
        'follows', CASE WHEN s.recovery THEN {STANDBY_TIMELINE} END,\
        'receiver', (SELECT json_build_object('status', status, 'timeline', received_tli, \
            'silent', (extract(epoch FROM clock_timestamp() - last_msg_receipt_time) * 1000)::bigint) FROM pg_stat_wal_receiver),\
        'targets', (SELECT coalesce(json_agg(name || ' = ' || setting ORDER BY name), '[]'::json) FROM c \
            WHERE name ~ '^recovery_target(_lsn|_name|_time|_xid)?$' AND setting <> ''),\
        'delay', (SELECT setting::bigint FROM c WHERE name = 'recovery_min_apply_delay'),\
        'ro', (SELECT json_build_object('value', setting, 'source', source, 'file', sourcefile) FROM c \
            WHERE name = 'default_transaction_read_only'),\
        'settings', pg_has_role(current_user, 'pg_read_all_settings', 'USAGE'),\
        'stats', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),\
        'overrides', (SELECT coalesce(json_agg(coalesce('role ' || r.rolname, 'database ' || d.datname, 'all') || ': default_transaction_read_only=' \
            || CASE WHEN split_part(c, '=', 2)::boolean THEN 'on' ELSE 'off' END ORDER BY c), '[]'::json) \
            FROM pg_db_role_setting o LEFT JOIN pg_roles r ON r.oid = o.setrole LEFT JOIN pg_database d ON d.oid = o.setdatabase, \
            unnest(o.setconfig) c WHERE c LIKE 'default_transaction_read_only=%'),\
        'clients', (SELECT coalesce(json_agg(json_build_array(n.usename, n.sessions) ORDER BY n.usename), '[]'::json) FROM \
            (SELECT usename, count(*) AS sessions FROM a WHERE client GROUP BY usename) n),\
        'older', (SELECT count(*) FROM a WHERE client AND backend_start <= pg_conf_load_time()),\
        'supers', (SELECT count(*) FROM a JOIN pg_roles r ON r.rolname = a.usename WHERE client AND r.rolsuper),\
        'writing', (SELECT count(*) FROM a WHERE backend_xid IS NOT NULL AND NOT mine),\
        'workers', greatest((SELECT count(*) FROM a WHERE backend_type LIKE 'logical replication%worker'), \
            (SELECT count(*) FROM pg_subscription WHERE subenabled)),\
        'waiting', (SELECT count(*) FROM a WHERE wait_event = 'SyncRep'),\
        'ours', (SELECT coalesce(json_agg(application_name ORDER BY application_name), '[]'::json) FROM a WHERE mine AND {ours}),\
        'managers', {},\
        'ssn', current_setting('synchronous_standby_names'))::text \
        FROM (SELECT pg_is_in_recovery() AS recovery) s",
        managers::in_charge("a", "c")
    )
    .replacen("SELECT json_build_object", &format!(
        "WITH a AS (SELECT *, usename = current_user AND application_name LIKE 'mrctl/%' AS mine, \
        backend_type = 'client backend' AND usename <> ALL ({keep}) \
        AND NOT (usename = current_user AND application_name LIKE 'mrctl/%') AS client \
        FROM pg_stat_activity WHERE pid <> pg_backend_pid()), \
        k AS MATERIALIZED (SELECT coalesce(sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) \
            + pg_stat_get_tuples_deleted(oid)) FILTER (WHERE relkind <> 't' \
            AND oid NOT IN ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass)), 0)::bigint AS rows, \
            coalesce(sum(pg_stat_get_autovacuum_count(oid) + pg_stat_get_autoanalyze_count(oid)), 0)::bigint AS upkeep \
            FROM pg_class WHERE relkind IN ('r', 't', 'm')), \
        d AS MATERIALIZED (SELECT coalesce(sum(tup_inserted + tup_updated + tup_deleted), 0)::bigint AS rows, \
            coalesce(sum(sessions), 0)::bigint AS sessions FROM pg_stat_database WHERE datid <> 0 AND datname <> current_database()), \
        c AS MATERIALIZED (SELECT name, setting, source, sourcefile FROM pg_settings \
        WHERE name ~ '^(recovery_target.*|recovery_min_apply_delay|default_transaction_read_only|{})$') SELECT json_build_object",
        managers::SETTINGS
    ), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_names_cannot_end_early() {
        assert_eq!(literal("o'clock"), "'o''clock'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
        assert_eq!(identifier(r#"a"b.c"#), r#""a""b"."c""#);
        assert_eq!(array(&["a".into(), "b'".into()]), "ARRAY['a','b''']::text[]");
    }

    #[test]
    fn a_shutdown_handover_needs_replay_strictly_beyond() {
        let mut handover = Handover {
            system: "1".into(),
            timeline: 1,
            position: "0/5BE0138".parse().unwrap(),
            next_transaction: 1,
            activity: Default::default(),
            source_started: "1".into(),
            target_started: "1".into(),
            by: HandoverBy::Shutdown,
            counted: None,
        };
        assert!(promote(&handover).contains("<= '0/5BE0138'::pg_lsn"));
        handover.by = HandoverBy::Soft;
        assert!(promote(&handover).contains("pg_last_wal_replay_lsn() < '0/5BE0138'::pg_lsn"));
    }
}
