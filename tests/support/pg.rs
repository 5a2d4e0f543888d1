//! A primary and a standby of PostgreSQL on loopback, made from a template in about a second.

mod server;
mod template;

pub use server::{Server, binary, signal};

use rustix::process::Signal;
use server::{account, folder, run};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use template::{append, template};

/// The password of the role `mrctl`: it must never be seen in anything that is printed.
pub const CANARY: &str = "canary-5up3r-s3cr3t";

/// Longest wait for anything; a busy machine is slow, not broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A free port. Below those from which Linux gives ports to outgoing connections, and beside those of labs; each process of tests
/// begins to look somewhere else, so that two that look at the same time do not find the same.
pub fn free_port() -> u16 {
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const MANY: u32 = 10_000;
    let begin = std::process::id().wrapping_mul(61);
    loop {
        let looked = LOOKED.fetch_add(1, Ordering::Relaxed);
        assert!(looked < MANY, "no free port");
        let port = u16::try_from(FIRST + begin.wrapping_add(looked) % MANY).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Polls until the condition gives something; says what it waited for if it never does.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "never seen: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A primary in `eu-west` and a standby in `us-east`, streaming.
pub struct Pair {
    pub primary: Server,
    pub standby: Server,
    path: PathBuf,
}

/// What a test may want of the servers before they start.
#[derive(Default)]
pub struct Wishes<'a> {
    /// Settings of the primary, `name=value` separated by spaces.
    pub primary: &'a str,
    /// Settings of the standby.
    pub standby: &'a str,
    /// Certificate and key in PEM for both, which then serve TLS only.
    pub tls: Option<(String, String)>,
}

impl Pair {
    /// Streaming, and nothing else.
    pub async fn start() -> Self {
        Self::with(Wishes::default()).await
    }

    /// Streaming, with wishes.
    pub async fn with(wishes: Wishes<'_>) -> Self {
        let template = &template().path;
        let path = folder();
        for name in ["primary", "standby"] {
            run(Command::new("cp").arg("-a").arg(template.join(name)).arg(path.join(name)));
        }
        let (port, other) = (free_port(), free_port());
        let upstream = format!(
            "primary_conninfo = 'host=127.0.0.1 port={port} user=postgres application_name=us_east'\n"
        );
        append(&path.join("standby/postgresql.conf"), &upstream);
        std::fs::write(path.join("standby/postgresql.auto.conf"), "").unwrap();
        if let Some((certificate, key)) = &wishes.tls {
            for name in ["primary", "standby"] {
                let data = path.join(name);
                std::fs::write(data.join("server.crt"), certificate).unwrap();
                std::fs::write(data.join("server.key"), key).unwrap();
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(data.join("server.key"), std::fs::Permissions::from_mode(0o600))
                    .unwrap();
                if let Some((user, group)) = account() {
                    std::os::unix::fs::chown(data.join("server.key"), Some(user), Some(group)).unwrap();
                }
                append(&data.join("mrctl.conf"), "ssl = on\n");
                let access = std::fs::read_to_string(data.join("pg_hba.conf")).unwrap();
                std::fs::write(
                    data.join("pg_hba.conf"),
                    access.replace(
                        "host all mrctl",
                        "hostnossl all mrctl 127.0.0.1/32 reject\nhostssl all mrctl",
                    ),
                )
                .unwrap();
            }
        }
        let primary = Server::start(&path.join("primary"), port, wishes.primary);
        primary.answers().await;
        let standby = Server::start(&path.join("standby"), other, wishes.standby);
        standby.answers().await;
        let pair = Self { primary, standby, path };
        until("the standby streams", || async {
            (pair.primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").await
                == "1")
                .then_some(())
        })
        .await;
        pair
    }

    /// A standby of the standby, streaming.
    pub async fn cascade(&self) -> Server {
        let data = self.path.join("cascade");
        run(Command::new("cp").arg("-a").arg(template().path.join("standby")).arg(&data));
        let upstream = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=postgres application_name=cascade'\n",
            self.standby.port
        );
        append(&data.join("postgresql.conf"), &upstream);
        std::fs::write(data.join("postgresql.auto.conf"), "").unwrap();
        let cascade = Server::start(&data, free_port(), "");
        cascade.answers().await;
        until("the cascade streams", || async {
            let streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
            (self.standby.sql(streaming).await == "1").then_some(())
        })
        .await;
        cascade
    }

    /// Waits until the standby has replayed everything that is flushed now.
    pub async fn caught_up(&self) {
        let flushed = self.primary.sql("SELECT pg_current_wal_flush_lsn()").await;
        until("replay", || async {
            let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{flushed}'::pg_lsn");
            (self.standby.sql(&sql).await == "t").then_some(())
        })
        .await;
    }

    /// Cuts the receiver: the standby goes on without hearing of the primary.
    pub async fn cut_receiver(&self) {
        self.standby.sql("ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()").await;
        until("no receiver", || async {
            (self.standby.sql("SELECT count(*) FROM pg_stat_wal_receiver").await == "0").then_some(())
        })
        .await;
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.primary.end(Signal::QUIT);
        self.standby.signal(Signal::CONT);
        self.standby.end(Signal::QUIT);
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
