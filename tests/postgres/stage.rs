//! What happens to a pair of servers besides our calls, the same on simulated and on real ones.

use crate::support::pg::{Pair, until};
use crate::support::world::{postgres, world};
use mrctl::world::World;
use mrctl::world::sim::Sim;
use tokio_postgres::Client;

/// What happens to servers besides our calls.
pub trait Stage {
    fn world(&self) -> &World;
    /// An application commits a row; a hostile one ignores the freeze. Whether it was told that it is committed.
    async fn write(&self, hostile: bool) -> bool;
    async fn pause_replay(&self, paused: bool);
    /// The standby hears of the primary no more.
    async fn cut(&self);
    async fn restart_target(&self);
    async fn stop_source(&self);
}

pub struct Simulated {
    sim: Sim,
    world: World,
}

pub struct Real {
    pair: Pair,
    world: World,
    _app: Client,
}

pub fn simulated() -> Simulated {
    let sim = Sim::new();
    sim.postgres.add("orders", &["eu-west", "us-east"]);
    Simulated { world: sim.world(), sim }
}

/// With one session of the application, as the simulated primary has.
pub async fn real() -> Real {
    let pair = Pair::start().await;
    let app = pair.primary.client("app").await;
    Real { world: world(postgres(&pair)), _app: app, pair }
}

impl Stage for Simulated {
    fn world(&self) -> &World {
        &self.world
    }

    async fn write(&self, hostile: bool) -> bool {
        self.sim.postgres.write("orders", "eu-west", "row", hostile)
    }

    async fn pause_replay(&self, paused: bool) {
        self.sim.postgres.with("orders", "us-east", |server| server.paused = paused);
    }

    async fn cut(&self) {
        self.sim.postgres.with("orders", "us-east", |server| server.follows = None);
    }

    async fn restart_target(&self) {
        self.sim.postgres.restart("orders", "us-east");
    }

    async fn stop_source(&self) {
        self.sim.postgres.stop("orders", "eu-west");
    }
}

impl Stage for Real {
    fn world(&self) -> &World {
        &self.world
    }

    async fn write(&self, hostile: bool) -> bool {
        let client = self.pair.primary.client("app").await;
        let begin = if hostile { "BEGIN READ WRITE" } else { "BEGIN" };
        let write = format!("{begin}; INSERT INTO orders (note) VALUES ('row'); COMMIT");
        let told = client.batch_execute(&write).await.is_ok();
        let pid =
            client.query_one("ROLLBACK; SELECT pg_backend_pid()", &[]).await.map_or(0, |row| row.get(0));
        drop(client);
        let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        until("the session is gone", || async { (self.pair.primary.sql(&gone).await == "0").then_some(()) })
            .await;
        told
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

    async fn cut(&self) {
        self.pair.cut_receiver().await;
    }

    async fn restart_target(&self) {
        self.pair.standby.stop_cleanly();
        self.pair.standby.start_again("").await;
    }

    async fn stop_source(&self) {
        self.pair.primary.stop_cleanly();
    }
}
