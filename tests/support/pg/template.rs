//! A primary and its standby, made once and copied for every test.

use super::server::{Server, account, binary, command, folder, run};
use super::{CANARY, free_port};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const CONFIG: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
# In the data folder, which is deleted: one that is killed would leave it in /dev/shm.
dynamic_shared_memory_type = mmap
fsync = off
wal_level = logical
wal_log_hints = on
shared_buffers = 16MB
max_connections = 40
max_prepared_transactions = 5
max_wal_senders = 5
wal_retrieve_retry_interval = 200ms
autovacuum = off
logging_collector = off
log_min_messages = log
";

const ACCESS: &str = "
host replication postgres 127.0.0.1/32 trust
host all mrctl 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
";

fn grants() -> String {
    format!(
        "CREATE ROLE mrctl LOGIN REPLICATION PASSWORD '{CANARY}';
        GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO mrctl;
        GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO mrctl;
        GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_promote(boolean, integer) TO mrctl;
        CREATE ROLE weak LOGIN;
        CREATE ROLE app LOGIN;
        CREATE ROLE monitoring LOGIN;
        CREATE SCHEMA mrctl;
        CREATE TABLE mrctl.probe (run_id text PRIMARY KEY, ts timestamptz NOT NULL);
        GRANT USAGE ON SCHEMA mrctl TO mrctl;
        GRANT SELECT, INSERT, UPDATE ON mrctl.probe TO mrctl;
        CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
        GRANT ALL ON ALL TABLES IN SCHEMA public TO app, monitoring;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app, monitoring"
    )
}

/// Both stopped: copied for every test.
pub struct Template {
    pub path: PathBuf,
}

pub fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        // Kept from one run of the tests to the next, under a name that changes with everything that is in it.
        let mut hash = DefaultHasher::new();
        (CONFIG, ACCESS, grants(), binary("postgres"), account()).hash(&mut hash);
        let kept = std::env::temp_dir().join(format!("mrctl-test-template-{:016x}", hash.finish()));
        if kept.join("ready").exists() {
            return Template { path: kept };
        }
        let path = folder();
        let primary = path.join("primary");
        run(command("initdb").arg("-D").arg(&primary).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]));
        std::fs::write(primary.join("mrctl.conf"), CONFIG).unwrap();
        append(&primary.join("postgresql.conf"), "include 'mrctl.conf'\n");
        std::fs::write(primary.join("pg_hba.conf"), ACCESS).unwrap();
        let port = free_port();
        let server = Server::start(&primary, port, "");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    server.answers().await;
                    server.sql(&grants()).await;
                });
            });
        });
        run(command("pg_basebackup")
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
                "--no-sync",
                "-p",
            ])
            .arg(port.to_string())
            .arg("-D")
            .arg(path.join("standby")));
        server.stop_cleanly();
        std::fs::write(path.join("ready"), "").unwrap();
        // Another process may have been faster: its template is as good.
        if std::fs::rename(&path, &kept).is_err() {
            let _ = std::fs::remove_dir_all(&path);
        }
        Template { path: kept }
    })
}

pub fn append(path: &Path, text: &str) {
    let mut content = std::fs::read_to_string(path).unwrap();
    content.push_str(text);
    std::fs::write(path, content).unwrap();
}
