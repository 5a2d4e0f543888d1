//! A primary and a standby of PostgreSQL on loopback, made from a template in about a second.

use rustix::process::{Pid, Signal, kill_process};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The password of the role `mrctl`: it must never be seen in anything that is printed.
pub const CANARY: &str = "canary-5up3r-s3cr3t";

/// Longest wait for anything; a busy machine is slow, not broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

fn binary(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .map(|entry| entry.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed")
}

/// The servers refuse to run as root.
fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("the account postgres");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

fn command(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    if let Some((user, group)) = account() {
        command.uid(user).gid(group);
    }
    command.current_dir("/").env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn folder() -> PathBuf {
    let name = format!("mrctl-test-{}-{}", std::process::id(), uuid::Uuid::now_v7().simple());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    if let Some((user, group)) = account() {
        std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
    }
    path
}

/// A free port; another process could take it first, which the start then reports.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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

const CONFIG: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
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
        "CREATE ROLE mrctl LOGIN PASSWORD '{CANARY}';
        GRANT pg_monitor, pg_signal_backend TO mrctl;
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
struct Template {
    path: PathBuf,
}

fn template() -> &'static Template {
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

fn append(path: &Path, text: &str) {
    let mut content = std::fs::read_to_string(path).unwrap();
    content.push_str(text);
    std::fs::write(path, content).unwrap();
}

/// One running server.
pub struct Server {
    pub port: u16,
    pub data: PathBuf,
    process: Mutex<Option<Child>>,
}

impl Server {
    fn start(data: &Path, port: u16, options: &str) -> Self {
        let server = Self { port, data: data.to_path_buf(), process: Mutex::new(None) };
        server.launch(options);
        server
    }

    fn launch(&self, options: &str) {
        let log = std::fs::File::create(self.data.join("server.log")).unwrap();
        let mut command = command("postgres");
        command.arg("-D").arg(&self.data).arg("-p").arg(self.port.to_string());
        for option in options.split_whitespace() {
            command.arg("-c").arg(option);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        *self.process.lock().unwrap() = Some(command.spawn().expect("postgres starts"));
    }

    /// What the server wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.join("server.log")).unwrap_or_default()
    }

    /// Waits until it answers queries.
    pub async fn answers(&self) {
        until(&format!("an answer of {}:\n{}", self.data.display(), self.log()), || async {
            self.connect("postgres").await.ok()
        })
        .await;
    }

    async fn connect(&self, role: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(role).dbname("postgres").application_name("test");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A session of a role.
    pub async fn client(&self, role: &str) -> Client {
        self.connect(role).await.expect("a session")
    }

    /// Runs statements as the superuser, one call a statement, and gives the first column of the last row.
    pub async fn sql(&self, statements: &str) -> String {
        let client = self.client("postgres").await;
        let mut last = String::new();
        for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
            for message in
                client.simple_query(statement).await.unwrap_or_else(|e| panic!("{statement}: {e:?}"))
            {
                if let SimpleQueryMessage::Row(row) = message {
                    last = row.get(0).unwrap_or_default().to_string();
                }
            }
        }
        last
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = self.process.lock().unwrap().as_ref() {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Ends it as the signal says and waits for the end.
    fn end(&self, signal: Signal) {
        self.signal(signal);
        // A test that stopped it and then failed must not hang here.
        self.signal(Signal::CONT);
        if let Some(mut child) = self.process.lock().unwrap().take() {
            let _ = child.wait();
        }
    }

    /// Commands, as an operator would write them into the inventory: a clean stop, and the control file.
    pub fn commands(&self) -> (Vec<String>, Vec<String>) {
        let data = self.data.display().to_string();
        let with = |program: &str, arguments: &[&str]| {
            let mut argv = Vec::new();
            if let Some((user, group)) = account() {
                argv.extend([
                    "setpriv".into(),
                    format!("--reuid={user}"),
                    format!("--regid={group}"),
                    "--clear-groups".into(),
                ]);
            }
            argv.extend([binary(program).display().to_string(), "-D".into(), data.clone()]);
            argv.extend(arguments.iter().map(ToString::to_string));
            argv
        };
        (with("pg_ctl", &["stop", "-m", "fast", "-w"]), with("pg_controldata", &[]))
    }

    /// Forgets a process that somebody else has stopped.
    pub fn reap(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            let _ = child.wait();
        }
    }

    /// A fast shutdown, with a shutdown checkpoint.
    pub fn stop_cleanly(&self) {
        self.end(Signal::INT);
    }

    /// As after a power cut, while one of its processes is stopped and would not hear of it.
    pub fn crash_stopped(&self, stopped: &str) {
        self.signal(Signal::QUIT);
        signal(stopped, Signal::KILL);
        self.end(Signal::QUIT);
    }

    /// Starts it again on the same port.
    pub async fn start_again(&self, options: &str) {
        self.launch(options);
        self.answers().await;
    }

    /// Whether the process has ended by itself.
    pub fn ended(&self) -> bool {
        let mut process = self.process.lock().unwrap();
        process.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.end(Signal::QUIT);
    }
}

/// Signals a server process by its id.
pub fn signal(pid: &str, signal: Signal) {
    kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), signal).unwrap();
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
