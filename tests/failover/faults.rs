//! Faults that are caused for real on two real regions, while somebody outside looks on: between mrctl and each database stands a proxy
//! that loses, holds and cuts, and an observer who goes around it asks both databases every 10 ms.

mod broken;
mod certificate;
mod clock;
mod dying;
mod filling;
mod freezing;
mod full;
mod names;
mod observed;
mod promoting;
mod silent;
mod slow;

use super::{Ended, Site};
use crate::support::observer::{Observer, Seen};
use crate::support::proxy::{Deed, Proxy};
use mrctl::lab::{Region, Role};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Only what moves the writer, and impatient.
const SHORT: &str = "mrctl: 1
name: short
title: Short
steps:
  - id: freeze
    postgres.freeze: orders
    timeout: 3s
  - id: catch_up
    postgres.catch_up: orders
    timeout: 3s
  - id: promote
    postgres.promote: orders
    timeout: 3s
  - id: writable
    postgres.verify_writable: orders
    timeout: 10s
";

/// The words of a change, as the proxy hears them.
const FREEZE: &str = "ALTER SYSTEM SET default_transaction_read_only = 'on'";
const THAW: &str = "ALTER SYSTEM RESET default_transaction_read_only";
const MARK: &str = "pg_logical_emit_message";
/// The last question to the source before a promotion.
const GLANCE: &str = "AND backend_type <> 'autovacuum worker'";
const PROMOTE: &str = "pg_promote(false)";
const PROMOTED: &str = "SELECT pg_is_in_recovery()::text";

/// The longest that a run may take here.
const LONG: Duration = Duration::from_secs(90);

/// A lab whose databases mrctl reaches through proxies only.
struct Night {
    site: Site,
    proxies: [Proxy; 2],
    from: Region,
    to: Region,
    runbook: &'static str,
    digests: [Option<String>; 2],
}

/// What becomes of an open run.
#[derive(Clone, Copy, Debug)]
enum Out {
    /// The run is closed.
    Closed,
    /// `resume` ends with this code.
    Resume(i32),
    /// `rollback` ends with this code.
    Rollback(i32),
    /// Everything is taken back on a person's word for the target.
    Vouched,
}

/// How a run that meets a fault has to end.
#[derive(Clone, Copy, Debug)]
struct Expected {
    what: &'static str,
    code: i32,
    /// What is said, somewhere.
    says: &'static str,
    out: Out,
}

/// What has to come of a fault.
const fn expected(what: &'static str, code: i32, says: &'static str, out: Out) -> Expected {
    Expected { what, code, says, out }
}

impl Night {
    async fn up() -> Self {
        let site = Site::up().await;
        let tls = site.lab.pki().client_config().unwrap();
        let port = site.lab.ports().postgres;
        let server = |region: Region| SocketAddr::from((region.address(), port));
        let proxies = [
            Proxy::before(server(Region::EuWest), tls.clone()).await,
            Proxy::before(server(Region::UsEast), tls).await,
        ];
        let inventory = site.lab.inventory();
        let mut text = std::fs::read_to_string(&inventory).unwrap();
        for proxy in &proxies {
            let at = |port| format!("        host: {}\n        port: {port}\n", proxy.at.ip());
            assert!(text.contains(&at(port)), "{text}");
            text = text.replace(&at(port), &at(proxy.at.port()));
        }
        let tls = "    tls: { verify: full, ca: pki/ca.pem }\n    writers";
        assert!(text.contains(tls), "{text}");
        text = text.replace(tls, "    tls: { verify: none, insecure: true }\n    timeout: 3s\n    writers");
        std::fs::write(&inventory, text).unwrap();
        Self {
            site,
            proxies,
            from: Region::EuWest,
            to: Region::UsEast,
            runbook: SHORT,
            digests: [None, None],
        }
    }

    fn proxy(&self, region: Region) -> &Proxy {
        let at = Region::ALL.iter().position(|each| *each == region).unwrap();
        &self.proxies[at]
    }

    /// Before the primary that is left.
    fn source(&self) -> &Proxy {
        self.proxy(self.from)
    }

    /// Before the standby that takes over.
    fn target(&self) -> &Proxy {
        self.proxy(self.to)
    }

    /// The digest of the plan of this direction.
    fn digest(&mut self) -> String {
        let at = usize::from(self.from == Region::UsEast);
        if self.digests[at].is_none() {
            let runbook = self.site.runbook(self.runbook);
            self.digests[at] = Some(self.site.digest(&runbook, self.from, self.to));
        }
        self.digests[at].clone().unwrap()
    }

    /// Starts a planned failover with every approval given.
    fn press(&mut self) -> Running {
        let digest = self.digest();
        let runbook = self.site.runbook(self.runbook);
        let arguments = self.site.approved_as(&digest, &runbook, self.from, self.to);
        self.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.site.command(arguments);
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Goes on with the open run.
    async fn resume(&mut self) -> Ended {
        let digest = self.digest();
        let given = ["--yes", "--approve", "step:promote", "--plan-digest", &digest];
        self.start(&[&["resume", "--output", "json"], given.as_slice()].concat()).end().await
    }

    async fn rollback(&self, more: &[&str]) -> Ended {
        let back = ["rollback", "--output", "json", "--reason", "the test wants it"];
        self.start(&[&back, more].concat()).end().await
    }

    fn watch(&self) -> Observer {
        Observer::of(&self.site.lab)
    }

    /// Where an application can write now, by its own connections.
    async fn writers(&self) -> Vec<Region> {
        let mut found = Vec::new();
        for region in Region::ALL {
            if self.site.writable(region).await {
                found.push(region);
            }
        }
        found
    }

    /// `status` has to say what is so: that nobody can write, if nobody can, and which run is open, if one is.
    async fn told(&self, case: &str, open: bool) -> Vec<Region> {
        let writers = self.writers().await;
        assert!(writers.len() < 2, "{case}: {writers:?}");
        let status = self.site.mrctl(&["status"]);
        let nobody = status.stdout.contains("FROZEN: nobody can write to orders");
        assert_eq!(nobody, writers.is_empty(), "{case}: {writers:?}: {status}");
        assert_eq!(status.stdout.contains("mrctl resume"), open, "{case}: {status}");
        writers
    }

    /// The verdict is the right one, what is said is true, and there is a way out, behind which one region takes writes. The proxies let
    /// everything through by then.
    async fn ends(&mut self, expected: Expected, begun: Instant, ended: &Ended) {
        let Expected { what, code, says, out } = expected;
        measured(what, begun, ended);
        assert_eq!(ended.code, code, "{what}: {ended}");
        assert!(ended.to_string().contains(says), "{what}: {says} is missing in {ended}");
        let mut writers = self.told(what, !matches!(out, Out::Closed)).await;
        let begun = Instant::now();
        let (command, wanted, ended) = match out {
            Out::Closed => ("", code, None),
            Out::Resume(code) => ("resume", code, Some(self.resume().await)),
            Out::Rollback(code) => ("rollback", code, Some(self.rollback(&[]).await)),
            Out::Vouched => {
                let member = format!("orders/{}", self.to);
                ("rollback --fenced", 3, Some(self.rollback(&["--fenced", &member]).await))
            }
        };
        if let Some(ended) = ended {
            measured(command, begun, &ended);
            assert_eq!(ended.code, wanted, "{what}: {ended}");
            writers = self.told(what, false).await;
        }
        let writer = if wanted == 0 { self.to } else { self.from };
        assert_eq!(writers, [writer], "{what}");
        self.again().await;
    }

    /// Starts a run whose message with these words is held at a region, and waits until it is.
    async fn held(&mut self, at: Region, words: &[&str]) -> Running {
        self.digest();
        self.proxy(at).next(words, Deed::Hold);
        let mut running = self.press();
        if !self.proxy(at).reached(LONG).await {
            let _killed = running.0.kill();
            panic!("never said: {words:?}: {}", running.end().await);
        }
        running
    }

    /// Waits until the newest run has turned back, and has then looked once at what it would take back.
    async fn turned_back(&self) {
        crate::lab::until("the run takes back, and has looked", async || {
            let Some(journal) = self.site.journals().pop() else { return false };
            let turned = lines(&journal)
                .into_iter()
                .find(|line| line["type"] == "turned" && line["to"] == "roll_back")
                .and_then(|line| line["at"].as_i64());
            let looked = |at| {
                let samples = lines(&journal.with_file_name("samples.jsonl"));
                samples.iter().any(|line| line["at"].as_i64() >= Some(at))
            };
            turned.is_some_and(looked)
        })
        .await;
    }

    /// Runs statements as the superuser.
    async fn sql(&self, region: Region, statements: &str) {
        let session = self.site.lab.connect(region, Role::Superuser).await.unwrap();
        for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
            session.batch_execute(statement).await.unwrap();
        }
    }

    /// As at the beginning, also if the writer has moved: then the direction is turned around.
    async fn again(&mut self) {
        self.proxies.iter().for_each(Proxy::heal);
        if self.site.lab.primary().await.unwrap() == self.to {
            self.site.lab.rejoin().await.unwrap();
            (self.from, self.to) = (self.to, self.from);
        }
    }

    /// What the observer has to say of all of it: never two, nothing lost that a survivor has to have.
    async fn judged(&self, observer: Observer) -> Seen {
        let seen = observer.end();
        assert!(seen.both.is_empty(), "two primaries took writes at {:?}", seen.both);
        assert!(seen.answers.values().all(|answers| *answers > 50), "{:?}", seen.answers);
        let primary = self.site.lab.primary().await.unwrap();
        let lost = seen.lost(&self.site.lab, primary).await;
        let acknowledged: usize = seen.acknowledged.values().map(|ids| ids.len()).sum();
        assert!(lost.is_empty() && acknowledged > 0, "{} of {acknowledged}: {lost:?}", lost.len());
        seen
    }
}

/// The whole lines of a file of a run that may still be written.
fn lines(path: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// For the figures of `docs/reliability.md`.
#[expect(clippy::disallowed_macros, reason = "a test has no checklist that it could disturb")]
fn measured(what: &str, begun: Instant, ended: &Ended) {
    eprintln!("{what}: {} in {:.1} s: {}", ended.code, begun.elapsed().as_secs_f64(), why(ended));
}

/// Whether everything is tried, and not only what is likely to do harm.
fn nightly() -> bool {
    std::env::var_os("MRCTL_TEST_NIGHTLY").is_some()
}

/// A command that runs.
struct Running(Child);

impl Running {
    async fn end(self) -> Ended {
        let begun = Instant::now();
        let mut child = self.0;
        // Read while it runs: a pipe that is full would stop it.
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read = |mut pipe: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                std::io::copy(&mut pipe, &mut bytes).unwrap();
                bytes
            })
        };
        let (stdout, stderr) = (read(Box::new(stdout)), read(Box::new(stderr)));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > LONG {
                child.kill().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let ended = Ended::of(std::process::Output { status, stdout, stderr });
        assert!(begun.elapsed() <= LONG, "it never ended: {ended}");
        ended
    }
}

/// Why it ended so, in the run's own words.
fn why(ended: &Ended) -> String {
    let end = ended.events().into_iter().rfind(|event| event["event"] == "ended");
    end.map_or_else(
        || ended.stderr.clone(),
        |end| {
            let word = |name: &str| end[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {} [{}]", word("verdict"), word("why"), word("world"))
        },
    )
}
