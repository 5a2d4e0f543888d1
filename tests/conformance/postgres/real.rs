//! How it happens to real ones.

use super::stage::Stage;
use crate::conformance::wire::{Lose, Wire};
use crate::support::pg::{Pair, signal, until};
use crate::support::port::facts;
use crate::support::world::{Reach, members, postgres, source, target, world};
use crate::traffic::SHORT;
use mrctl::world::postgres::{Altered, Postgres as _};
use mrctl::world::real::postgres::RealPostgres;
use mrctl::world::{Known, Member, World};
use rustix::process::Signal;
use std::cell::{Cell, RefCell};
use tokio_postgres::Client;

pub struct Real {
    pair: Pair,
    world: World,
    /// Without a connection from before.
    fresh: World,
    silenced: Cell<bool>,
    /// To the source and to the target.
    wires: [Wire; 2],
    /// Another run's.
    others: RealPostgres,
    app: Client,
    writer: RefCell<Option<Client>>,
    idle: RefCell<Vec<Client>>,
    startup: RefCell<String>,
}

/// With one session of the application, as the simulated primary has.
pub async fn real() -> Real {
    let direct = |pair: &Pair, _: &[Wire; 2]| postgres(pair);
    made(direct).await
}

/// By lines that lose what they are told to.
pub async fn by_wire() -> Real {
    let by_wire = |_: &Pair, [source, target]: &[Wire; 2]| {
        members(Reach::default(), &[("eu-west", source.port), ("us-east", target.port)])
    };
    made(by_wire).await
}

async fn made(reach: impl Fn(&Pair, &[Wire; 2]) -> RealPostgres) -> Real {
    let pair = Pair::start().await;
    let app = pair.primary.client("app").await;
    let wires = [Wire::to(pair.primary.port).await, Wire::to(pair.standby.port).await];
    Real {
        world: world(reach(&pair, &wires)),
        // Only asked when nobody answers: a slow machine gives the same silence.
        fresh: world(crate::support::world::reach(&pair, Reach { connect: SHORT, ..Reach::default() })),
        silenced: Cell::new(false),
        wires,
        others: postgres(&pair),
        app,
        writer: RefCell::default(),
        idle: RefCell::default(),
        startup: RefCell::default(),
        pair,
    }
}

impl Real {
    /// As the superuser, whom a freeze binds, too.
    async fn through(&self, statements: &str) {
        self.pair.primary.sql(&format!("SET default_transaction_read_only = off; {statements}")).await;
    }

    async fn source_is(&self, what: &str, sql: &str, wanted: &str) {
        until(what, || async { (self.pair.primary.sql(sql).await == wanted).then_some(()) }).await;
    }

    /// A session of a test that ended takes a moment to be gone.
    async fn left(&self, client: Client) {
        let pid =
            client.query_one("ROLLBACK; SELECT pg_backend_pid()", &[]).await.map_or(0, |row| row.get(0));
        drop(client);
        let there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        self.source_is("the session is gone", &there, "0").await;
    }
}

impl Stage for Real {
    fn world(&self) -> &World {
        if self.silenced.get() { &self.fresh } else { &self.world }
    }

    async fn write(&self, hostile: bool) -> bool {
        let client = self.pair.primary.client("app").await;
        let begin = if hostile { "BEGIN READ WRITE" } else { "BEGIN" };
        let write = format!("{begin}; INSERT INTO orders (note) VALUES ('row'); COMMIT");
        let told = client.batch_execute(&write).await.is_ok();
        self.left(client).await;
        told
    }

    async fn write_in_old_session(&self) -> bool {
        let write = "BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('row'); COMMIT";
        self.app.batch_execute(write).await.is_ok()
    }

    async fn begin(&self) {
        let client = self.pair.primary.client("app").await;
        client.batch_execute("BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('row')").await.unwrap();
        self.writer.replace(Some(client));
    }

    async fn commit(&self) -> bool {
        let client = self.writer.take().unwrap();
        let told = client.batch_execute("COMMIT").await.is_ok();
        if told {
            self.left(client).await;
        }
        told
    }

    async fn prepare(&self, name: &str) {
        let client = self.pair.primary.client("app").await;
        let insert = "BEGIN READ WRITE; INSERT INTO orders (note) VALUES ('row')";
        client.batch_execute(&format!("{insert}; PREPARE TRANSACTION '{name}'")).await.unwrap();
        self.left(client).await;
    }

    async fn commit_prepared(&self, name: &str) -> bool {
        let client = self.pair.primary.client("app").await;
        let told = client.batch_execute(&format!("COMMIT PREPARED '{name}'")).await.is_ok();
        self.left(client).await;
        told
    }

    async fn session(&self, role: &str) {
        let client = self.pair.primary.client(role).await;
        client.simple_query("SELECT 1").await.unwrap();
        self.idle.borrow_mut().push(client);
    }

    async fn forbid_login(&self) {
        self.through("ALTER ROLE app NOLOGIN").await;
    }

    async fn lift_freeze_for_app(&self) {
        self.through("ALTER ROLE app SET default_transaction_read_only = off").await;
    }

    async fn manager_comes(&self) {
        for server in [&self.pair.primary, &self.pair.standby] {
            let client = server.client("postgres").await;
            client.batch_execute("SET application_name = 'Patroni'").await.unwrap();
            self.idle.borrow_mut().push(client);
        }
    }

    async fn manager_leaves_the_source(&self) {
        let client = self.idle.borrow_mut().remove(0);
        self.left(client).await;
    }

    async fn wait_for_a_ghost(&self) {
        self.pair
            .primary
            .sql("ALTER SYSTEM SET synchronous_standby_names = 'ghost'; SELECT pg_reload_conf()")
            .await;
        self.source_is("it is loaded", "SHOW synchronous_standby_names", "ghost").await;
    }

    async fn use_a_number(&self) {
        let client = self.pair.primary.client("postgres").await;
        client.batch_execute("BEGIN READ WRITE; SELECT pg_current_xact_id(); COMMIT").await.unwrap();
        self.left(client).await;
    }

    async fn told_only(&self) {
        let client = self.pair.primary.client("app").await;
        client.batch_execute("SET synchronous_commit = off").await.unwrap();
        // The server flushes by itself a moment later: seen in between, one of these was told of and not on disk.
        until("a commit that is not on disk", || async {
            client.batch_execute("INSERT INTO orders (note) VALUES ('told')").await.unwrap();
            let seen = facts(&*self.world.postgres, &source()).await;
            (!seen.primary().unwrap().all_flushed()).then_some(())
        })
        .await;
        self.left(client).await;
    }

    async fn switch_segment(&self) {
        self.pair.primary.sql("SELECT pg_switch_wal()").await;
    }

    async fn idle(&self) {
        let seconds =
            "SELECT extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::numeric > 2";
        until("seconds of idleness", || async {
            (self.pair.standby.sql(seconds).await == "t").then_some(())
        })
        .await;
    }

    async fn rows(&self, at: &Member) -> usize {
        let server = if *at == source() { &self.pair.primary } else { &self.pair.standby };
        server.sql("SELECT count(*) FROM orders").await.parse().unwrap()
    }

    async fn pause_replay(&self, paused: bool) {
        let to = if paused { "pause" } else { "resume" };
        self.pair.standby.sql(&format!("SELECT pg_wal_replay_{to}()")).await;
        let aim = if paused { "paused" } else { "not paused" };
        until(aim, || async {
            (self.pair.standby.sql("SELECT pg_get_wal_replay_pause_state()").await == aim).then_some(())
        })
        .await;
    }

    async fn hang_receiver(&self, hangs: bool) {
        let receiver = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walreceiver'";
        let receiver = self.pair.standby.sql(receiver).await;
        signal(&receiver, if hangs { Signal::STOP } else { Signal::CONT });
    }

    async fn cut(&self) {
        self.pair.cut_receiver().await;
    }

    /// The process that would end recovery is stopped.
    async fn hold_promotion(&self) {
        let startup = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'";
        let startup = self.pair.standby.sql(startup).await;
        signal(&startup, Signal::STOP);
        self.startup.replace(startup);
    }

    async fn finish_promotion(&self) {
        signal(&self.startup.borrow(), Signal::CONT);
        until("promoted", || async {
            let seen = self.world.postgres.look(&target(), &Default::default()).await;
            seen.is(|facts| !facts.in_recovery()).then_some(())
        })
        .await;
    }

    async fn crash_target(&self) {
        self.pair.standby.crash_stopped(&self.startup.take());
        self.pair.standby.start_again("").await;
    }

    async fn restart_target(&self) {
        self.pair.standby.stop_cleanly();
        self.pair.standby.start_again("").await;
    }

    async fn restart_target_with_aim(&self) {
        self.pair.standby.stop_cleanly();
        self.pair.standby.start_again("recovery_target_name=never").await;
    }

    async fn restart_source(&self) {
        self.pair.primary.crash();
        self.pair.primary.start_again("").await;
    }

    async fn stop_source(&self) {
        self.pair.primary.stop_cleanly();
    }

    async fn control_data(&self) -> String {
        let [.., control] = self.pair.primary.commands();
        let output = std::process::Command::new(&control[0]).args(&control[1..]).env("LC_ALL", "C").output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    async fn lose_lock(&self, another: bool) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/lock'";
        self.pair.primary.sql(end).await;
        until("the loss", || async {
            (self.world.postgres.lock_held(&source()).await == Known::Known(false)).then_some(())
        })
        .await;
        if another {
            until("it is free", || async {
                (self.others.lock(&source(), "another").await == Known::Known(true)).then_some(())
            })
            .await;
        }
    }

    async fn promote_by_others(&self) {
        self.pair.standby.sql("SELECT pg_promote()").await;
    }

    async fn thaw_by_others(&self) {
        self.pair
            .primary
            .sql("ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()")
            .await;
        until("it is loaded", || async {
            let seen = facts(&*self.world.postgres, &source()).await.read_only;
            (seen.altered == Known::Known(Altered::Unset)).then_some(())
        })
        .await;
    }

    async fn silence_source(&self) {
        self.pair.primary.signal(Signal::STOP);
        self.silenced.set(true);
        // Sessions that are there go on without the postmaster; the fresh port has none.
    }

    fn lose(&self, how: Lose) {
        self.wires[0].lose("pg_reload_conf()", how);
        self.wires[1].lose("pg_promote(", how);
    }

    async fn lose_half_of_ending(&self) {
        self.wires[0].lose("pg_terminate_backend(", Lose::Request);
        let one = "SELECT min(pid) FROM pg_stat_activity WHERE usename = 'app'";
        let one = self.pair.primary.sql(one).await;
        self.pair.primary.sql(&format!("SELECT pg_terminate_backend({one}, 5000)")).await;
    }

    fn arrive(&self) {
        self.wires.iter().for_each(Wire::release);
    }

    async fn freeze_without_loading(&self) {
        self.pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = 'on'").await;
    }

    async fn reload_by_others(&self) {
        let loaded = "SELECT pg_conf_load_time()";
        let before = self.pair.primary.sql(loaded).await;
        self.pair.primary.sql("SELECT pg_reload_conf()").await;
        until("it is loaded", || async { (self.pair.primary.sql(loaded).await != before).then_some(()) })
            .await;
    }
}
