//! HAProxy between users and the old primary: `mrctl haproxy` closes the way and proves it, with the program itself and a real HAProxy.

use super::unplanned::RUNBOOK;
use super::{Ended, Site};
use crate::support::pg::free_port;
use mrctl::lab::{Region, Secret};
use secrecy::ExposeSecret as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A proxy with one way to eu-west, and what is added to its configuration.
struct Proxy {
    process: Child,
    socket: PathBuf,
    port: u16,
    admin: u16,
}

impl Proxy {
    async fn start(folder: PathBuf, name: &str, server: &str, more: &str) -> Self {
        let (port, admin) = (free_port(), free_port());
        let socket = folder.join(format!("{name}.sock"));
        let file = folder.join(format!("{name}.cfg"));
        let text = format!(
            "global\n  stats socket {socket} mode 600 level admin\n  stats socket 127.0.0.1:{admin} level admin\n  maxconn 100\n\
             defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n\
             frontend users\n  bind 127.0.0.1:{port}\n  default_backend orders\n\
             backend orders\n  server pg-eu {server}\n{more}",
            socket = socket.display(),
        );
        std::fs::write(&file, text).unwrap();
        let program = mrctl_finds("haproxy");
        let process = Command::new(program)
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Self { process, socket, port, admin };
        crate::lab::until("the proxy listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        proxy
    }

    fn socket(&self) -> String {
        self.socket.display().to_string()
    }

    /// Somebody else's word to its runtime API.
    async fn says(&self, command: &str) {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = tokio::net::UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn mrctl_finds(program: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];
    let found = folders.into_iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is not installed (Debian's package of that name)"))
}

impl Site {
    fn haproxy(&self, what: &str, at: &[&str], server: &str) -> Ended {
        let at = at.iter().flat_map(|at| ["--at", at]);
        let arguments = ["haproxy", what, "--server", server, "--within", "2"].into_iter().chain(at);
        self.mrctl(&arguments.collect::<Vec<_>>())
    }

    /// eu-west's server, as a proxy's configuration has it.
    fn server(&self) -> String {
        format!("{}:{} check inter 100ms rise 1 fall 1", Region::EuWest.address(), self.lab.ports().postgres)
    }

    /// A session as an application has it: through the proxy.
    async fn user(&self, proxy: &Proxy) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let password = self.lab.secrets().read(Secret::App).unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host(Region::EuWest.address().to_string()).hostaddr([127, 0, 0, 1].into()).port(proxy.port);
        config.user("app").password(password.expose_secret()).dbname("orders");
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(self.lab.pki().client_config().unwrap());
        let (client, connection) = config.connect(tls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The proxy's checks have found it so.
    async fn checked(&self, proxy: &Proxy, word: &str) {
        crate::lab::until(word, async || {
            self.haproxy("look", &[&proxy.socket()], "orders/pg-eu").stdout.contains(word)
        })
        .await;
    }

    /// The inventory fences eu-west at this proxy, and asks it.
    fn fence_at(&self, proxy: &Proxy) {
        let at = proxy.socket();
        let line = |what: &str| {
            format!(
                "{{ command: [mrctl, haproxy, {what}, --at, {at}, --server, orders/pg-eu], timeout: 10s }}"
            )
        };
        self.fences(Some(&line("look")));
        let path = self.lab.inventory();
        let text = std::fs::read_to_string(&path).unwrap();
        let fence = format!("        fence: [{}]\n        fenced:", line("close"));
        std::fs::write(&path, text.replacen("        fenced:", &fence, 1)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_closed_at_every_proxy_and_what_is_not_seen_is_no_proof() {
    let site = Site::up().await;
    let folder = site.folder.path();
    let (one, two) = (
        Proxy::start(folder.clone(), "one", &site.server(), "").await,
        Proxy::start(folder.clone(), "two", &site.server(), "").await,
    );
    site.checked(&one, "is up").await;
    site.checked(&two, "is up").await;
    let at = [one.socket(), format!("127.0.0.1:{}", two.admin)];
    let at: Vec<&str> = at.iter().map(String::as_str).collect();
    let before = site.haproxy("look", &at, "orders/pg-eu");
    assert_eq!(before.code, 3, "{before}");
    // What is not there is not closed, and nothing was done.
    let nobody = site.haproxy("close", &at, "orders/nobody");
    assert!(nobody.code == 75 && nobody.stderr.contains("it has no server orders/nobody"), "{nobody}");
    assert_eq!(site.haproxy("look", &at, "orders/nobody").code, 6);
    assert_eq!(site.haproxy("close", &at, "orders/pg-eu; quit").code, 2);
    let session = site.user(&one).await.unwrap();
    session.simple_query("SELECT 1").await.unwrap();
    let closed = site.haproxy("close", &at, "orders/pg-eu");
    assert_eq!(closed.code, 0, "{closed}");
    assert!(session.simple_query("SELECT 1").await.is_err(), "its session goes on");
    assert!(site.user(&one).await.is_err() && site.user(&two).await.is_err(), "a new one gets through");
    assert_eq!(site.haproxy("look", &at, "orders/pg-eu").code, 0);
    assert!(site.writable(Region::EuWest).await, "the server itself lives");
    // One more that cannot be asked.
    let silent = [at[0], at[1], "/nonexistent/socket"];
    let unknown = site.haproxy("look", &silent, "orders/pg-eu");
    assert!(unknown.code == 6 && unknown.stdout.contains("/nonexistent/socket: unknown"), "{unknown}");
    assert_eq!(site.haproxy("close", &silent, "orders/pg-eu").code, 1);
    // Somebody gives it back at one of them: that outweighs what is unknown.
    one.says("set server orders/pg-eu state ready").await;
    site.checked(&one, "is up").await;
    let open = site.haproxy("look", &silent, "orders/pg-eu");
    assert_eq!(open.code, 3, "{open}");
    // A second way to the same server.
    let more = format!(
        "frontend more\n  bind 127.0.0.1:{}\n  default_backend reports\nbackend reports\n  server eu {}\n",
        free_port(),
        site.server()
    );
    let three = Proxy::start(folder.clone(), "three", &site.server(), &more).await;
    site.checked(&three, "is up").await;
    let twin = site.haproxy("close", &[&three.socket()], "orders/pg-eu");
    assert!(twin.code == 1 && twin.stderr.contains("reports/eu leads to the same address"), "{twin}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_primary_is_fenced_at_the_proxy_and_serves_nobody_when_it_comes_back() {
    let site = Site::up().await;
    let proxy = Proxy::start(site.folder.path(), "proxy", &site.server(), "").await;
    site.checked(&proxy, "is up").await;
    site.fence_at(&proxy);
    let runbook = site.runbook(RUNBOOK).display().to_string();
    site.user(&proxy).await.unwrap();
    site.lab.kill_postgres(Region::EuWest).await.unwrap();
    // Not in maintenance, and not up: no proof of anything.
    site.checked(&proxy, "is `DOWN`").await;
    let ended = site.press(&runbook);
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.last("ended")["world"].as_str().unwrap().contains("old primary: fenced"), "{ended}");
    let journal = std::fs::read_to_string(site.journals().last().unwrap()).unwrap();
    assert!(journal.contains("`mrctl haproxy close --at"), "{journal}");
    // Somebody starts it again: users do not get there, and whoever asks is told.
    site.lab.start_postgres(Region::EuWest).await.unwrap();
    assert!(site.writable(Region::EuWest).await);
    assert!(site.user(&proxy).await.is_err(), "it serves");
    assert_eq!(site.haproxy("look", &[&proxy.socket()], "orders/pg-eu").code, 0);
    let status = site.mrctl(&["status"]);
    assert_eq!(status.code, 10, "{status}");
    assert!(status.stdout.contains("SPLIT BRAIN"), "{status}");
    site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_the_proxy_finds_up_is_not_fenced() {
    let site = Site::up().await;
    let proxy = Proxy::start(site.folder.path(), "proxy", &site.server(), "").await;
    site.checked(&proxy, "is up").await;
    site.fence_at(&proxy);
    let runbook = site.runbook(RUNBOOK).display().to_string();
    // Out of sight of mrctl and of the standby, and users write.
    site.cut_off().await;
    let path = site.lab.inventory();
    let text = std::fs::read_to_string(&path).unwrap();
    let port = format!("port: {}\n", site.lab.ports().postgres);
    std::fs::write(&path, text.replacen(&port, "port: 1\n", 1)).unwrap();
    let refused = site.press(&runbook);
    assert_eq!(refused.code, 5, "{refused}");
    assert!(refused.stdout.contains("users can reach it"), "{refused}");
    site.user(&proxy).await.unwrap();
    site.lab.down().await.unwrap();
}
