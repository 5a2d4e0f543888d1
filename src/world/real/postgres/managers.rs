//! What else is in charge of a server and could promote or stop it, by what it leaves there to be seen. What lives is asked by every look
//! and in the statement of a promotion; what may be left from one that is long gone by the preflight alone, since nobody could remove it
//! on a standby whose primary has died.
//!
//! Patroni keeps connections of its name and starts the server with these settings on its command line (seen also while it is
//! paused or down). repmgr has a schema in its own database, of which only the name is seen from another one; its daemon needs its
//! library preloaded. pg_auto_failover's extension is on its monitor alone: on a data node there are its two roles (replicated, so
//! on a standby too), and the names of its slots and standbys.

/// Those that live. `{activity}` is where sessions are read from, `{settings}` has `name` and `source` of at least [`SETTINGS`].
///
/// A name alone is anybody's: a manager's sessions are those of a superuser or of replication.
fn live(activity: &str, settings: &str) -> String {
    format!(
        "SELECT application_name AS m FROM {activity} \
           WHERE application_name ~* '^(patroni|patroni heartbeat|patroni restapi|repmgrd?|pg_auto_failover.*|pgautofailover.*)$' \
           AND EXISTS (SELECT FROM pg_roles r WHERE r.oid = usesysid AND (r.rolsuper OR r.rolreplication)) \
         UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name ~ '^pgautofailover_' AND active \
         UNION ALL SELECT 'preloaded library repmgr' WHERE CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') \
           THEN current_setting('shared_preload_libraries') ~ '(^|[, /])repmgr' ELSE false END \
         UNION ALL SELECT 'Patroni''s command line' FROM {settings} \
           WHERE name ~ '^({SETTINGS})$' AND source = 'command line' HAVING count(*) = 10"
    )
}

/// What may be left from one that is gone.
const LEFT: &str = "SELECT 'schema ' || nspname AS m FROM pg_namespace WHERE nspname IN ('repmgr', 'pgautofailover') \
    UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname IN ('pgautofailover_replicator', 'pgautofailover_monitor') \
    UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datname = 'repmgr' \
    UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name ~ '^pgautofailover_' AND NOT active";

fn array(found: &str) -> String {
    format!("(SELECT coalesce(json_agg(DISTINCT m), '[]'::json) FROM ({found}) found)")
}

/// Those that live, as one JSON array.
pub fn in_charge(activity: &str, settings: &str) -> String {
    array(&live(activity, settings))
}

/// These, and what may be left from others.
pub fn all() -> String {
    array(&format!("{} UNION ALL {LEFT}", live("pg_stat_activity", "pg_settings")))
}

/// Settings that Patroni gives on the command line, all of them always; who starts a server by hand gives some.
pub const SETTINGS: &str = "cluster_name|wal_level|hot_standby|max_connections|max_wal_senders|max_prepared_transactions|\
    max_locks_per_transaction|track_commit_timestamp|max_replication_slots|max_worker_processes";

/// The first one that lives, for a statement's own guard.
pub fn one() -> String {
    format!("(SELECT min(m) FROM ({}) found)", live("pg_stat_activity", "pg_settings"))
}
