//! What happens to a primary on the worst night, to a simulated one and to a real one.

use crate::support::kinds::{both, kind};
use crate::support::pg::{Pair, Wishes, binary, signal};
use crate::support::world::{Reach, members, source};
use mrctl::step::postgres::fence::Fence;
use mrctl::world::World;
use mrctl::world::clock::{Clock as _, Moment};
use mrctl::world::real::exec::{RealExec, Settings};
use mrctl::world::sim::exec::{Act, Means, Script};
use mrctl::world::sim::postgres_isolated::{Isolated, RECEIVER_TIMEOUT_MS};
use mrctl::world::sim::{Fault, Sim};
use rustix::process::Signal;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long a real receiver waits before it gives up: long enough for what is looked at before.
const RECEIVER: &str = "wal_receiver_timeout=6s";
/// How long anybody waits for a server that may not answer.
const SHORT: Duration = Duration::from_secs(3);

pub trait Night {
    fn world(&self) -> &World;
    /// The first command ends the source, the next one closes the way to it.
    fn fence(&self) -> Fence;
    /// An application commits a row at the source. Whether it was told so.
    async fn write(&self) -> bool;
    /// Rows of the target.
    async fn rows(&self) -> usize;
    /// mrctl alone reaches the source no more.
    async fn hide(&self);
    /// Neither do its standbys, for long.
    async fn part(&self);
    /// It answers nobody any more, and does nothing.
    async fn hang(&self);
    /// Its processes die.
    async fn kill(&self);
    /// A person starts it again.
    async fn start_again(&self);
    /// The next fence command ends well, and does nothing.
    fn next_command_does_nothing(&self);
    /// So much time passes that a receiver gives up; a real one is waited for.
    fn wait_out_the_receiver(&self);
}

fn fence(rungs: [Vec<String>; 2], fenced: Vec<String>) -> Fence {
    let command = |argv: Vec<String>| json!({ "argv": argv, "env": { "PATH": "/usr/bin:/bin" }, "pass": [], "timeout_ms": 20_000 });
    let rungs: Vec<_> = rungs.into_iter().map(command).collect();
    kind(json!({ "pair": both(), "keep": [], "rungs": rungs, "fenced": command(fenced) }))
}

pub struct Simulated {
    sim: Sim,
    world: World,
}

pub fn simulated() -> Simulated {
    let sim = Sim::new();
    sim.postgres.add("orders", &["eu-west", "us-east"]);
    for (command, act) in [
        ("end", Act::Fence(source(), Means::End)),
        ("close", Act::Fence(source(), Means::Close)),
        ("reach", Act::Fenced(source())),
    ] {
        sim.exec.script(command, Script { acts: Some(act), ..Script::default() });
    }
    Simulated { world: sim.world(), sim }
}

impl Simulated {
    fn isolate(&self, isolated: Isolated) {
        self.sim.postgres.isolate("orders", "eu-west", isolated);
    }
}

impl Night for Simulated {
    fn world(&self) -> &World {
        &self.world
    }

    fn fence(&self) -> Fence {
        fence(["end", "close"].map(|word| vec![word.into()]), vec!["reach".into()])
    }

    async fn write(&self) -> bool {
        self.sim.postgres.write("orders", "eu-west", "row", false)
    }

    async fn rows(&self) -> usize {
        self.sim.postgres.read("orders", "us-east", |server| server.log.len()).unwrap()
    }

    async fn hide(&self) {
        self.isolate(Isolated { us: true, ..Isolated::default() });
    }

    async fn part(&self) {
        let long_ago = Moment(self.sim.clock.now().0 - 3_600_000);
        self.isolate(Isolated { us: true, applications: false, standbys: Some(long_ago) });
    }

    async fn hang(&self) {
        self.isolate(Isolated::from_all(self.sim.clock.now()));
    }

    async fn kill(&self) {
        self.sim.postgres.crash("orders", "eu-west");
    }

    async fn start_again(&self) {
        self.sim.postgres.come_back("orders", "eu-west");
    }

    fn next_command_does_nothing(&self) {
        self.sim.exec.faults.push(Fault::Claimed);
    }

    fn wait_out_the_receiver(&self) {
        self.sim.clock.advance(Duration::from_millis(RECEIVER_TIMEOUT_MS + 1));
    }
}

pub struct Real {
    pair: Pair,
    world: World,
    /// In which the source's address leads to somebody who never answers.
    hidden: World,
    is_hidden: Cell<bool>,
    /// Takes connections to it, and says nothing.
    _silent: TcpListener,
    hangs: RefCell<Vec<String>>,
}

pub async fn real() -> Real {
    let pair = Pair::with(Wishes { standby: RECEIVER, ..Wishes::default() }).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, standby) = (silent.local_addr().unwrap().port(), pair.standby.port);
    let world = |source: u16| {
        let how = Reach { connect: SHORT, timeout: SHORT, ..Reach::default() };
        let postgres = Rc::new(members(how, &[("eu-west", source), ("us-east", standby)]));
        let settings = Settings {
            variables: Rc::new(|_| None),
            redactor: Default::default(),
            environment: "test".into(),
        };
        World { exec: Rc::new(RealExec::new(settings)), ..Sim::new().world_with(postgres) }
    };
    Real {
        world: world(pair.primary.port),
        hidden: world(port),
        is_hidden: Cell::new(false),
        _silent: silent,
        hangs: RefCell::default(),
        pair,
    }
}

impl Real {
    /// The postmaster and everything that it has started.
    fn processes(&self) -> Vec<String> {
        let file = std::fs::read_to_string(self.pair.primary.data.join("postmaster.pid")).unwrap();
        let postmaster = file.lines().next().unwrap().trim().to_string();
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        std::iter::once(postmaster).chain(children.split_whitespace().map(String::from)).collect()
    }

    /// A command that does nothing, and says that it did, once for each of the files that are there.
    fn command(&self, script: &str) -> Vec<String> {
        let data = self.pair.primary.data.display().to_string();
        let idle = "for idle in \"$0\"/idle.*; do if [ -e \"$idle\" ]; then rm \"$idle\"; exit 0; fi; done; \
                    pid=$(head -n 1 \"$0/postmaster.pid\"); ";
        vec!["/bin/sh".into(), "-c".into(), format!("{idle}{script}"), data]
    }
}

impl Night for Real {
    fn world(&self) -> &World {
        if self.is_hidden.get() { &self.hidden } else { &self.world }
    }

    fn fence(&self) -> Fence {
        let psql = format!(
            "PGCONNECT_TIMEOUT=2 LC_ALL=C {} -X -h 127.0.0.1 -p {} -U app -d postgres -Atc 'SELECT 1' 2>&1",
            binary("psql").display(),
            self.pair.primary.port
        );
        let end = "kill -9 $pid $(cat /proc/$pid/task/$pid/children)";
        let close = format!(
            "printf 'host all app all reject\\nhost replication all all reject\\n' > \"$0/closed\"; \
             cat \"$0/pg_hba.conf\" >> \"$0/closed\"; cat \"$0/closed\" > \"$0/pg_hba.conf\"; kill -HUP $pid; \
             for i in 1 2 3 4 5 6 7 8 9 10; do {psql} | grep -q rejects && exit 0; sleep 0.2; done; exit 1"
        );
        // Nobody listens, or nobody is let in: both are proofs. No answer is none.
        let fenced = format!(
            "said=$({psql}) && exit 3; case \"$said\" in *refused*|*rejects*) exit 0;; *) exit 4;; esac"
        );
        fence([self.command(end), self.command(&close)], vec!["/bin/sh".into(), "-c".into(), fenced])
    }

    async fn write(&self) -> bool {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.pair.primary.port).user("app").dbname("postgres");
        let written = async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.ok()?;
            tokio::spawn(connection);
            client.batch_execute("INSERT INTO orders (note) VALUES ('row')").await.ok()
        };
        tokio::time::timeout(SHORT, written).await.is_ok_and(|written| written.is_some())
    }

    async fn rows(&self) -> usize {
        self.pair.standby.sql("SELECT count(*) FROM orders").await.parse().unwrap()
    }

    async fn hide(&self) {
        self.is_hidden.set(true);
    }

    async fn part(&self) {
        self.hide().await;
        self.pair.cut_receiver().await;
    }

    async fn hang(&self) {
        let processes = self.processes();
        // The postmaster first, so that it starts no others.
        processes.iter().for_each(|process| signal(process, Signal::STOP));
        self.hangs.replace(processes);
    }

    async fn kill(&self) {
        self.processes().iter().for_each(|process| signal(process, Signal::KILL));
        self.hangs.take();
    }

    async fn start_again(&self) {
        self.hangs.take();
        self.pair.primary.reap();
        self.pair.primary.start_again("").await;
    }

    fn next_command_does_nothing(&self) {
        let data = &self.pair.primary.data;
        let free = ["idle.1", "idle.2"].map(|name| data.join(name)).into_iter().find(|path| !path.exists());
        std::fs::write(free.unwrap(), "").unwrap();
    }

    fn wait_out_the_receiver(&self) {}
}

impl Drop for Real {
    /// What was stopped would not hear that it is to end.
    fn drop(&mut self) {
        for process in self.hangs.take() {
            let pid = process.parse().ok().and_then(rustix::process::Pid::from_raw);
            let _gone = pid.map(|pid| rustix::process::kill_process(pid, Signal::CONT));
        }
    }
}
