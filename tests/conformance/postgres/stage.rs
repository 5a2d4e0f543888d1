//! What happens to a pair of servers besides our calls, and how it happens to simulated ones.

use crate::conformance::wire::Lose;
use crate::support::world::source;
use mrctl::world::postgres::Altered;
use mrctl::world::sim::postgres::Session;
use mrctl::world::sim::{Fault, Sim};
use mrctl::world::{Member, World};
use std::time::Duration;

/// How late what is late is.
pub const LATE: Duration = Duration::from_secs(60);

/// The fault of the simulation that a line makes of a real server.
pub fn fault(how: Lose) -> Fault {
    match how {
        Lose::Answer => Fault::LostApplied,
        Lose::Request => Fault::LostAbsent,
        Lose::Half => Fault::LostHalf,
        Lose::UntilLater => Fault::Late(LATE),
    }
}

/// What happens to servers besides our calls.
pub trait Stage {
    fn world(&self) -> &World;
    /// An application commits a row; a hostile one ignores the freeze. Whether it was told that it is committed.
    async fn write(&self, hostile: bool) -> bool;
    /// As a hostile one, in the session that it has from the beginning.
    async fn write_in_old_session(&self) -> bool;
    /// An application begins a transaction, whatever is frozen, and writes in it.
    async fn begin(&self);
    /// It commits. Whether it was told so.
    async fn commit(&self) -> bool;
    async fn prepare(&self, name: &str);
    async fn commit_prepared(&self, name: &str) -> bool;
    /// An idle session of this role comes, and stays.
    async fn session(&self, role: &str);
    /// The application's role may not log in any more.
    async fn forbid_login(&self);
    /// The application's role gets `default_transaction_read_only = off`.
    async fn lift_freeze_for_app(&self);
    /// Another manager takes charge of both.
    async fn manager_comes(&self);
    /// It leaves the source alone.
    async fn manager_leaves_the_source(&self);
    /// Commits of the source wait for a standby that is not there.
    async fn wait_for_a_ghost(&self);
    /// A transaction number is used, and nothing written.
    async fn use_a_number(&self);
    /// A commit of the source that was told of, and is not on disk.
    async fn told_only(&self);
    /// The source's log goes on with a new segment.
    async fn switch_segment(&self);
    /// Seconds in which nothing happens.
    async fn idle(&self);
    /// Rows that a server has, besides probes.
    async fn rows(&self, at: &Member) -> usize;
    async fn pause_replay(&self, paused: bool);
    /// The receiver of the target hangs: it is there, and does nothing.
    async fn hang_receiver(&self, hangs: bool);
    /// The standby hears of the primary no more.
    async fn cut(&self);
    /// A promotion of the target comes about only when `finish_promotion` says so.
    async fn hold_promotion(&self);
    async fn finish_promotion(&self);
    /// As after a power cut.
    async fn crash_target(&self);
    async fn restart_target(&self);
    /// With a recovery target that is never reached.
    async fn restart_target_with_aim(&self);
    async fn restart_source(&self);
    async fn stop_source(&self);
    /// What `pg_controldata` prints at the source.
    async fn control_data(&self) -> String;
    /// Our session that holds the lock at the source ends; with `another`, another run has it then.
    async fn lose_lock(&self, another: bool);
    async fn promote_by_others(&self);
    async fn thaw_by_others(&self);
    /// The source answers nobody any more, and no connection to it is left.
    async fn silence_source(&self);
    /// The next freeze or promotion meets this.
    fn lose(&self, how: Lose);
    /// The next ending of sessions ends one of them, and breaks off. A single statement cannot be cut on its way: at a real server it is
    /// lost, and somebody else ends one.
    async fn lose_half_of_ending(&self);
    /// What is late has arrived.
    fn arrive(&self);
    /// Somebody writes the setting of a freeze, and does not load it.
    async fn freeze_without_loading(&self);
    /// Somebody loads the configuration of the source.
    async fn reload_by_others(&self);
}

pub struct Simulated {
    sim: Sim,
    world: World,
}

pub fn simulated() -> Simulated {
    let sim = Sim::new();
    sim.postgres.add("orders", &["eu-west", "us-east"]);
    Simulated { world: sim.world(), sim }
}

impl Stage for Simulated {
    fn world(&self) -> &World {
        &self.world
    }

    async fn write(&self, hostile: bool) -> bool {
        self.sim.postgres.write("orders", "eu-west", "row", hostile)
    }

    async fn write_in_old_session(&self) -> bool {
        let there = |session: &Session| session.role == "app" && session.older;
        let there = self.sim.postgres.read("orders", "eu-west", |server| server.sessions.iter().any(there));
        there == Some(true) && self.write(true).await
    }

    async fn begin(&self) {
        self.sim.postgres.begin("orders", "eu-west");
    }

    async fn commit(&self) -> bool {
        self.sim.postgres.commit("orders", "eu-west", "row")
    }

    async fn prepare(&self, name: &str) {
        self.sim.postgres.with("orders", "eu-west", |server| server.prepared.push(name.into()));
    }

    async fn commit_prepared(&self, name: &str) -> bool {
        self.sim.postgres.commit_prepared("orders", "eu-west", name)
    }

    async fn session(&self, role: &str) {
        let session = Session { role: role.into(), superuser: role == "postgres", ..Session::app() };
        self.sim.postgres.with("orders", "eu-west", |server| server.sessions.push(session));
    }

    /// The model has no logins: sessions are what writes.
    async fn forbid_login(&self) {}

    async fn lift_freeze_for_app(&self) {
        let lifted = "role app: default_transaction_read_only=off".to_string();
        self.sim.postgres.with("orders", "eu-west", |server| server.overrides.push(lifted));
    }

    async fn manager_comes(&self) {
        for region in ["eu-west", "us-east"] {
            let trace = "Patroni".to_string();
            self.sim.postgres.with("orders", region, |server| server.still.managers.push(trace));
        }
    }

    async fn manager_leaves_the_source(&self) {
        self.sim.postgres.with("orders", "eu-west", |server| server.still.managers.clear());
    }

    async fn wait_for_a_ghost(&self) {
        self.sim.postgres.with("orders", "eu-west", |server| server.synchronous_names = "ghost".into());
    }

    async fn use_a_number(&self) {
        self.sim.postgres.with("orders", "eu-west", |server| server.next_transaction += 1);
    }

    async fn told_only(&self) {
        self.sim.postgres.with("orders", "eu-west", |server| server.unflushed += 0x80);
    }

    async fn switch_segment(&self) {
        self.sim.postgres.switch_segment("orders", "eu-west");
    }

    async fn idle(&self) {
        self.sim.postgres.with("orders", "us-east", |server| server.quiet = true);
    }

    async fn rows(&self, at: &Member) -> usize {
        let rows = |log: &[String]| log.iter().filter(|name| !name.starts_with("probe:")).count();
        self.sim.postgres.read("orders", &at.region, |server| rows(&server.log)).unwrap()
    }

    async fn pause_replay(&self, paused: bool) {
        self.sim.postgres.with("orders", "us-east", |server| server.paused = paused);
    }

    async fn hang_receiver(&self, hangs: bool) {
        self.sim.postgres.with("orders", "us-east", |server| server.stuck = hangs);
    }

    async fn cut(&self) {
        self.sim.postgres.with("orders", "us-east", |server| server.follows = None);
    }

    async fn hold_promotion(&self) {
        self.sim.postgres.with("orders", "us-east", |server| server.slow = true);
    }

    async fn finish_promotion(&self) {
        self.sim.postgres.finish_promotion("orders", "us-east");
    }

    async fn crash_target(&self) {
        self.sim.postgres.restart("orders", "us-east");
    }

    async fn restart_target(&self) {
        self.sim.postgres.restart("orders", "us-east");
    }

    async fn restart_target_with_aim(&self) {
        self.sim.postgres.restart("orders", "us-east");
        let aim = "recovery_target_name = never".to_string();
        self.sim.postgres.with("orders", "us-east", |server| server.recovery_targets.push(aim));
    }

    async fn restart_source(&self) {
        self.sim.postgres.restart("orders", "eu-west");
    }

    async fn stop_source(&self) {
        self.sim.postgres.stop("orders", "eu-west");
    }

    async fn control_data(&self) -> String {
        self.sim.postgres.control_data(&source())
    }

    async fn lose_lock(&self, another: bool) {
        match another {
            true => self.sim.postgres.steal_lock("orders", "eu-west", "another"),
            false => self.sim.postgres.lose_lock("orders", "eu-west"),
        }
    }

    async fn promote_by_others(&self) {
        self.sim.postgres.promoted_by_others("orders", "us-east");
    }

    async fn thaw_by_others(&self) {
        self.sim.postgres.thawed_by_others("orders", "eu-west");
    }

    async fn silence_source(&self) {
        self.sim.postgres.faults.silence("orders in eu-west");
    }

    fn lose(&self, how: Lose) {
        self.sim.postgres.faults.push(fault(how));
    }

    async fn lose_half_of_ending(&self) {
        self.lose(Lose::Half);
    }

    fn arrive(&self) {
        self.sim.clock.advance(LATE);
    }

    async fn freeze_without_loading(&self) {
        let on = Altered::To("on".into());
        self.sim.postgres.with("orders", "eu-west", |server| server.altered = on);
    }

    async fn reload_by_others(&self) {
        self.sim.postgres.reloaded_by_others("orders", "eu-west");
    }
}
