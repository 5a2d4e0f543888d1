//! Real servers on loopback, each with a folder of its own, as an unprivileged user, ended by their own process number.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `nobody`, whom root gives its servers to.
const NOBODY: u32 = 65_534;

/// A running server; dropping it ends it.
pub struct Daemon {
    child: Child,
    _folder: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn as_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("mrctl-traffic-").tempdir().unwrap();
    give(folder.path());
    folder
}

fn give(path: &Path) {
    if as_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    if as_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A port that is free for TCP and UDP now.
pub fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Waits for a condition.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(mut command: Command, folder: TempDir, port: u16) -> Daemon {
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut child = command
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let path = folder.path().join("log");
    until("the server", || {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the server ended with {status}: {}", std::fs::read_to_string(&path).unwrap_or_default());
        }
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    Daemon { child, _folder: folder }
}

/// PowerDNS with the zone `example.com.` and `www.example.com. 60 A 192.0.2.10`.
pub struct Pdns {
    _daemon: Daemon,
    /// Port of DNS.
    pub dns: u16,
    /// Port of the API.
    pub api: u16,
}

/// Its API key.
pub const KEY: &str = "key-of-the-tests";

const SCHEMAS: [&str; 2] = [
    "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
    "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
];

impl Pdns {
    /// Starts it, with LUA records allowed or not.
    pub fn start(lua: bool) -> Self {
        let folder = folder();
        let path = folder.path();
        let (dns, api) = (free_port(), free_port());
        let schema =
            SCHEMAS.iter().find_map(|file| std::fs::read_to_string(file).ok()).expect("the schema of pdns");
        let zone = "BEGIN; INSERT INTO domains (id, name, type) VALUES (1, 'example.com', 'NATIVE');
            INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES
            (1, 'example.com', 'SOA', 'ns1.example.com hostmaster.example.com 1 3600 600 86400 5', 60, 1),
            (1, 'example.com', 'NS', 'ns1.example.com', 60, 1),
            (1, 'www.example.com', 'A', '192.0.2.10', 60, 1);
            INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'SOA-EDIT-API', 'DEFAULT'); COMMIT;";
        let script = path.join("zone.sql");
        std::fs::write(&script, format!("{schema}\n{zone}")).unwrap();
        give(&script);
        let made = command("sqlite3")
            .arg("-batch")
            .arg(path.join("zones.sqlite3"))
            .arg(format!(".read {}", script.display()))
            .status()
            .unwrap();
        assert!(made.success());
        let lua = if lua { "yes" } else { "no" };
        let conf = format!(
            "launch=gsqlite3\ngsqlite3-database={0}/zones.sqlite3\ngsqlite3-pragma-synchronous=0\nlocal-address=127.0.0.1\n\
             local-port={dns}\napi=yes\napi-key={KEY}\nwebserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={api}\n\
             enable-lua-records={lua}\ndaemon=no\nguardian=no\ndisable-syslog=yes\nwrite-pid=no\nsocket-dir={0}\n\
             security-poll-suffix=\nreceiver-threads=1\ndistributor-threads=1\n",
            path.display()
        );
        std::fs::write(path.join("pdns.conf"), conf).unwrap();
        give(&path.join("pdns.conf"));
        let mut server = command("/usr/sbin/pdns_server");
        server.arg(format!("--config-dir={}", path.display()));
        let daemon = start(server, folder, api);
        until("DNS", || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, dns)).is_ok());
        Self { _daemon: daemon, dns, api }
    }

    /// Base address of its API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    /// Somebody else writes record sets.
    pub async fn patch(&self, rrsets: serde_json::Value) {
        self.send(reqwest::Method::PATCH, serde_json::json!({ "rrsets": rrsets })).await;
    }

    /// Somebody else makes the zone one of another kind, such as `Master`.
    pub async fn kind(&self, kind: &str) {
        self.send(reqwest::Method::PUT, serde_json::json!({ "kind": kind })).await;
    }

    async fn send(&self, method: reqwest::Method, body: serde_json::Value) {
        let url = format!("{}/api/v1/servers/localhost/zones/example.com.", self.url());
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured((*super::system_tls()).clone())
            .no_proxy()
            .build()
            .unwrap();
        let response = client.request(method, url).header("X-API-Key", KEY).json(&body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 204, "{:?}", response.text().await);
    }
}

/// A Redis server.
pub struct Redis {
    daemon: Option<Daemon>,
    /// Its port.
    pub port: u16,
    arguments: Vec<String>,
}

impl Redis {
    /// Starts it, with more arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut redis = Self {
            daemon: None,
            port: free_port(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        };
        redis.restart();
        redis
    }

    /// Ends it, and starts it again without its data.
    pub fn restart(&mut self) {
        self.daemon = None;
        let folder = folder();
        let mut server = command("redis-server");
        server
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.port.to_string())
            .args(&self.arguments);
        self.daemon = Some(start(server, folder, self.port));
    }

    /// A connection for the test's own commands.
    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}
