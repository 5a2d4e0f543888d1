//! What else is in charge of a server and could promote or stop it, by what it leaves there to be seen. Asked by the preflight, by every
//! look, and in the statement of a promotion.
//!
//! Patroni keeps connections of its name and starts the server with these four settings on its command line (seen also while it is
//! paused or down). repmgr has a schema in its own database, of which only the name is seen from another one; its daemon needs its
//! library preloaded. pg_auto_failover's extension is on its monitor alone: on a data node there are its two roles (replicated, so
//! on a standby too), and the names of its slots and standbys.

/// Those that any session can ask for at little cost. `{activity}` is where sessions are read from.
fn by_names(activity: &str) -> String {
    format!(
        "SELECT application_name AS m FROM {activity} WHERE application_name ~* '^(patroni|repmgr|pg_?auto)' \
         UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname IN ('repmgr', 'pgautofailover') \
         UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname IN ('pgautofailover_replicator', 'pgautofailover_monitor') \
         UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datname = 'repmgr' \
         UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name ~ '^pgautofailover_' \
         UNION ALL SELECT 'preloaded library repmgr' WHERE CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') \
           THEN current_setting('shared_preload_libraries') ~ '(^|[, /])repmgr' ELSE false END"
    )
}

/// All of them as one JSON array. `{settings}` has `name` and `source` of at least [`SETTINGS`].
pub fn all(activity: &str, settings: &str) -> String {
    format!(
        "(SELECT coalesce(json_agg(DISTINCT m), '[]'::json) FROM ({} \
         UNION ALL SELECT 'Patroni''s command line' FROM {settings} \
           WHERE name IN ('cluster_name', 'wal_level', 'hot_standby', 'max_connections') AND source = 'command line' \
           HAVING count(*) = 4) found)",
        by_names(activity)
    )
}

/// Pattern of the settings whose source tells of Patroni.
pub const SETTINGS: &str = "cluster_name|wal_level|hot_standby|max_connections";

/// The first one that is found, for a statement's own guard.
pub fn one() -> String {
    format!("(SELECT min(m) FROM ({}) found)", by_names("pg_stat_activity"))
}
