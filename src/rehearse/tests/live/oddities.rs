//! Ways in which a real world can be odd when a rehearsal starts from it.

use super::{orders, stands};
use crate::world::Known;
use crate::world::postgres::{Altered, Finding};
use crate::world::sim::postgres::{Server, Session};
use crate::world::sim::{Sim, http};

/// A way in which a world can be odd, and a part of the line that tells it.
pub type Oddity = (&'static str, fn(&Sim), &'static str);

pub const ODDITIES: &[Oddity] = &[
    ("a freeze left", |sim| orders(sim, "eu-west", freeze), "orders in eu-west is FROZEN"),
    (
        "frozen by its file",
        |sim| orders(sim, "eu-west", |s| s.still.default_on = true),
        "orders in eu-west is FROZEN",
    ),
    ("a leaked freeze", |sim| orders(sim, "us-east", freeze), "orders in us-east would come up read-only"),
    (
        "explicitly writable",
        |sim| {
            orders(sim, "eu-west", |s| {
                (s.altered, s.loaded) = (Altered::To("off".into()), Altered::To("off".into()))
            })
        },
        "",
    ),
    (
        "a setting of our own",
        |sim| {
            orders(sim, "eu-west", |s| {
                s.still.own = Some((false, "user".into()));
                s.still.altered_hidden = Some("it is hidden by a setting of the user".into());
            });
        },
        "a setting of mrctl's own user hides",
    ),
    (
        "behind",
        |sim| {
            orders(sim, "us-east", |server| server.behind = 3);
            sim.postgres.write("orders", "eu-west", "a", false);
            sim.postgres.write("orders", "eu-west", "b", false);
        },
        "orders in us-east is 512 bytes behind",
    ),
    (
        "paused",
        |sim| orders(sim, "us-east", |server| server.paused = true),
        "replay on orders in us-east is paused",
    ),
    (
        "cut off",
        |sim| orders(sim, "us-east", |server| server.follows = None),
        "orders in us-east follows nobody",
    ),
    (
        "a recovery target",
        |sim| orders(sim, "us-east", |server| server.recovery_targets = vec!["recovery_target_time".into()]),
        "orders in us-east has recovery targets: recovery_target_time",
    ),
    (
        "a delay",
        |sim| orders(sim, "us-east", |server| server.still.apply_delay_ms = 60_000),
        "orders in us-east replays 60000 ms late",
    ),
    (
        "another system",
        |sim| {
            orders(sim, "us-east", |server| {
                (server.system, server.follows) = ("42".into(), None);
            });
        },
        "orders in us-east is not of the primary's system",
    ),
    (
        "another manager",
        |sim| orders(sim, "us-east", |server| server.still.managers = vec!["Patroni".into()]),
        "another manager is in charge of orders in us-east: Patroni",
    ),
    (
        "prepared",
        |sim| orders(sim, "eu-west", |server| server.prepared = vec!["batch-17".into()]),
        "orders in eu-west has prepared transactions: batch-17",
    ),
    (
        "overridden",
        |sim| {
            orders(sim, "eu-west", |s| {
                s.overrides = vec!["role app: default_transaction_read_only=off".into()]
            })
        },
        "role app: default_transaction_read_only=off",
    ),
    (
        "synchronous",
        |sim| {
            orders(sim, "eu-west", |server| server.synchronous_names = "us_east".into());
            orders(sim, "us-east", |s| s.still.sender = Some(("us_east".into(), "sync".into())));
        },
        "waits for synchronous standbys (us_east)",
    ),
    (
        "hanging commits",
        |sim| orders(sim, "eu-west", |server| server.still.waiting = 2),
        "2 commits on orders in eu-west",
    ),
    ("subscriptions", |sim| orders(sim, "eu-west", |server| server.still.workers = 1), "1 subscriptions on"),
    (
        "sessions of several",
        |sim| {
            orders(sim, "eu-west", |server| {
                let session = |role: &str| Session { role: role.into(), ..Session::app() };
                server.sessions = vec![
                    Session { older: true, superuser: true, ..session("root") },
                    Session { older: true, ..session("monitoring") },
                    session("app"),
                    session("app"),
                ];
            });
        },
        "1 sessions on orders in eu-west are of superusers",
    ),
    (
        "blind",
        |sim| {
            orders(sim, "eu-west", |server| {
                let why = || Some("the role lacks pg_monitor".to_owned());
                (server.still.sessions_hidden, server.still.senders_hidden) = (why(), why());
                server.still.waiting_hidden = why();
            });
        },
        "sessions on orders in eu-west cannot be seen: the role lacks pg_monitor",
    ),
    (
        "a finding",
        |sim| {
            let finding = Finding {
                check: "promote_privilege".into(),
                fine: Known::Known(false),
                fatal: true,
                seen: "mrctl may not promote".into(),
                remedy: "grant it".into(),
            };
            orders(sim, "us-east", |server| server.findings = vec![finding]);
        },
        "orders in us-east: promote_privilege: mrctl may not promote",
    ),
    (
        "half the users",
        |sim| stands(sim, &[("eu-west", 5_000), ("us-east", 5_000)], 60),
        "www at pdns-eu sends 50% eu-west, 50% us-east",
    ),
    (
        "users that are there",
        |sim| stands(sim, &[("us-east", 10_000)], 60),
        "www at pdns-eu sends 100% us-east",
    ),
    (
        "a short life",
        |sim| stands(sim, &[("eu-west", 10_000)], 5),
        "www at pdns-eu lives for 5 s, and not for 60 s",
    ),
    (
        "foreign content",
        |sim| {
            let mut sets = sim.dns.sets("www", "pdns-eu");
            sets[0].contents = vec!["203.0.113.99".into()];
            sim.dns.overwrite("www", "pdns-eu", sets);
        },
        "www at pdns-eu is not understood",
    ),
    (
        "no answers",
        |sim| sim.dns.break_answers("pdns-eu", "REFUSED"),
        "pdns-eu answers no question of www: REFUSED",
    ),
    (
        "a shop without a connection",
        |sim| sim.http.set("shop", "us-east", http::silent("no route to host")),
        "shop in us-east is not well: no route to host",
    ),
    (
        "a full cache",
        |sim| {
            sim.cache.with("sessions", "us-east", |server| (server.room, server.evicted) = (40, 9));
        },
        "",
    ),
    (
        "a replica for a cache",
        |sim| {
            sim.cache.with("sessions", "us-east", |server| server.role = "slave".into());
        },
        "sessions in us-east is a replica",
    ),
    ("errors", |sim| sim.signals.set("error_rate", "eu-west", 0.015), "error_rate(eu-west) is 0.015"),
    (
        "no numbers",
        |sim| sim.signals.script("error_rate", "eu-west", [Known::unknown("no series")]),
        "error_rate(eu-west) is unknown: no series",
    ),
    ("a banner", |sim| sim.exec.mark("banner look"), "`banner look` says that it is so already"),
];

fn freeze(server: &mut Server) {
    (server.altered, server.loaded) = (Altered::To("on".into()), Altered::To("on".into()));
    server.sessions.iter_mut().for_each(|session| session.older = true);
}
