//! One server process, and the programs around it.

use super::until;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

pub fn binary(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .map(|entry| entry.unwrap().path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed")
}

/// The servers refuse to run as root.
pub fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("the account postgres");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

pub fn command(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    if let Some((user, group)) = account() {
        command.uid(user).gid(group);
    }
    command.current_dir("/").env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
    command
}

pub fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

pub fn folder() -> PathBuf {
    let name = format!("mrctl-test-{}-{}", std::process::id(), uuid::Uuid::now_v7().simple());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    if let Some((user, group)) = account() {
        std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
    }
    path
}

/// One running server.
pub struct Server {
    pub port: u16,
    pub data: PathBuf,
    process: Mutex<Option<Child>>,
}

impl Server {
    pub fn start(data: &Path, port: u16, options: &str) -> Self {
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
        self.connect_to(role, "postgres").await
    }

    async fn connect_to(&self, role: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(role).dbname(database).application_name("test");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A session of a role.
    pub async fn client(&self, role: &str) -> Client {
        self.connect(role).await.expect("a session")
    }

    /// A session of a role in another database.
    pub async fn client_of(&self, role: &str, database: &str) -> Client {
        self.connect_to(role, database).await.expect("a session")
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

    /// Holds up replay, and waits until it is so: until the startup process has seen it, the pause is only requested.
    pub async fn pause_replay(&self) {
        self.sql("SELECT pg_wal_replay_pause()").await;
        until("replay is paused", || async {
            (self.sql("SELECT pg_get_wal_replay_pause_state()").await == "paused").then_some(())
        })
        .await;
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(child) = self.process.lock().unwrap().as_ref() {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Ends it as the signal says and waits for the end.
    pub fn end(&self, signal: Signal) {
        self.signal(signal);
        // A test that stopped it and then failed must not hang here.
        self.signal(Signal::CONT);
        // One that a start command started is no child of ours.
        if self.process.lock().unwrap().is_none() && self.data.join("postmaster.pid").exists() {
            run(command("pg_ctl").arg("-D").arg(&self.data).args(["stop", "-m", "immediate"]));
        }
        if let Some(mut child) = self.process.lock().unwrap().take() {
            let _ = child.wait();
        }
    }

    /// Commands, as an operator would write them into the inventory: a clean stop, the start, and the control file.
    pub fn commands(&self) -> [Vec<String>; 3] {
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
        let (port, log) = (format!("-p {}", self.port), self.data.join("started.log"));
        let start = ["start", "-w", "-o", &port, "-l", &log.display().to_string()];
        [with("pg_ctl", &["stop", "-m", "fast", "-w"]), with("pg_ctl", &start), with("pg_controldata", &[])]
    }

    /// Forgets a process that somebody else has stopped.
    pub fn reap(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            let _ = child.wait();
        }
    }

    /// A base backup that does not come to an end by itself; it ends when this is dropped.
    pub fn slow_backup(&self) -> Backup {
        let into = folder();
        let mut backup = command("pg_basebackup");
        backup.args(["-h", "127.0.0.1", "-U", "postgres", "-c", "fast", "--max-rate=32k", "-X", "none"]);
        backup.args(["-p", &self.port.to_string(), "-D"]).arg(into.join("backup"));
        let process =
            backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pg_basebackup starts");
        Backup { process, into }
    }

    /// `pg_rewind` of this stopped server to a running one: whether it ended well, and what it said.
    pub fn rewind(&self, to: &Self) -> (bool, String) {
        // It writes over every file, also over those that the tests wrote.
        if let Some((user, group)) = account() {
            for entry in std::fs::read_dir(&self.data).unwrap().flatten() {
                std::os::unix::fs::chown(entry.path(), Some(user), Some(group)).unwrap();
            }
        }
        let output = command("pg_rewind")
            .arg(format!("--target-pgdata={}", self.data.display()))
            .arg(format!("--source-server=host=127.0.0.1 port={} user=postgres dbname=postgres", to.port))
            .output()
            .expect("pg_rewind starts");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.success(), said.concat())
    }

    /// Makes it a standby of another one when it starts again.
    pub fn follow(&self, upstream: &Self) {
        std::fs::write(self.data.join("standby.signal"), "").unwrap();
        let line = format!("primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n", upstream.port);
        super::template::append(&self.data.join("postgresql.conf"), &line);
    }

    /// A fast shutdown, with a shutdown checkpoint.
    pub fn stop_cleanly(&self) {
        self.end(Signal::INT);
    }

    /// As after a power cut.
    pub fn crash(&self) {
        self.end(Signal::QUIT);
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

/// A base backup that runs.
pub struct Backup {
    process: Child,
    into: PathBuf,
}

impl Drop for Backup {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.into);
    }
}

/// Signals a server process by its id.
pub fn signal(pid: &str, signal: Signal) {
    kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), signal).unwrap();
}
