//! Rehearsals from a look at real systems. The real ones are simulated here too: what is made after the look is then seen to be alike.

mod gone;
mod oddities;

use super::{inventory_of, plan_in, told};
use crate::plan::Plan;
use crate::rehearse::live::{Snapshot, Staged, look, stage};
use crate::rehearse::node::once;
use crate::rehearse::report::{How, Report, rehearse_live};
use crate::rehearse::scene::scene;
use crate::rehearse::source::Source;
use crate::rehearse::start::StartFrom;
use crate::runbook::inventory::Inventory;
use crate::step::Sight;
use crate::step::condition::Starts;
use crate::world::dns::{RecordName, Shares};
use crate::world::exec::Command;
use crate::world::http::Probe;
use crate::world::postgres::Scope;
use crate::world::record_content::{RecordSpec, render};
use crate::world::signal::SignalCall;
use crate::world::sim::postgres::{Server, Session};
use crate::world::sim::{Sim, http};
use crate::world::{Known, Member};
use oddities::ODDITIES;
use std::collections::BTreeMap;

fn ground() -> (Plan, Inventory) {
    let inventory = "tests/fixtures/production.yaml";
    (plan_in("tests/fixtures/live.yaml", inventory), inventory_of(inventory))
}

/// The world from which others are made odd: the numbers of its servers are like those of real ones.
fn lifelike(plan: &Plan, inventory: &Inventory) -> Sim {
    let sim = scene(plan, inventory);
    for region in ["eu-west", "us-east"] {
        sim.postgres.with("orders", region, |server| {
            server.system = "7301112223334445556".into();
            server.started = 1_790_000_000_000_000;
            (server.timeline, server.position, server.next_transaction) = (7, 0x1A_05BE_01B0, 81_234_567);
            server.still.version = 150_018;
            server.still.counted.rows = 9_000_000;
            server.upkeep = 412;
        });
    }
    sim
}

fn at(region: &str) -> Member {
    Member::new("orders", region)
}

fn orders(sim: &Sim, region: &str, change: impl FnOnce(&mut Server)) {
    sim.postgres.with("orders", region, change);
}

fn spec() -> RecordSpec {
    RecordSpec {
        domain: "www.example.com.".into(),
        zone: "example.com.".into(),
        kind: "A".into(),
        ttl: 60,
        targets: [("eu-west", "192.0.2.10"), ("us-east", "198.51.100.10")]
            .map(|(region, target)| (region.to_owned(), target.to_owned()))
            .into(),
    }
}

fn stands(sim: &Sim, shares: &[(&str, u32)], ttl: u32) {
    let shares: Shares = shares.iter().map(|(region, share)| ((*region).to_owned(), *share)).collect();
    sim.dns.overwrite("www", "pdns-eu", render(&spec(), &shares, ttl).unwrap());
}

/// Everything that can be seen of a world, in words: by the ports, and by every effect of the plan.
fn looks(sim: &Sim, plan: &Plan) -> BTreeMap<String, String> {
    let world = sim.world();
    let mut looks = BTreeMap::new();
    let keep = Scope { keep: vec!["monitoring".into()], run: String::new() };
    for region in ["eu-west", "us-east"] {
        for (name, scope) in [("all", &Scope::default()), ("spared", &keep)] {
            let seen = once(world.postgres.look(&at(region), scope)).unwrap();
            looks.insert(format!("orders in {region}, {name}"), format!("{seen:#?}"));
        }
        let seen = once(world.postgres.preflight(&at(region), region == "us-east", "mrctl.probe")).unwrap();
        looks.insert(format!("preflight in {region}"), format!("{seen:?}"));
        let seen = once(world.cache.look(&Member::new("sessions", region))).unwrap();
        looks.insert(format!("sessions in {region}"), format!("{seen:?}"));
        let call = SignalCall { name: "error_rate".into(), of: region.into() };
        let seen = once(world.signals.sample(&call)).unwrap();
        looks.insert(call.to_string(), format!("{seen:?}"));
    }
    let seen = once(world.dns.look(&RecordName { record: "www".into(), server: "pdns-eu".into() })).unwrap();
    looks.insert("www".into(), format!("{seen:#?}"));
    let seen = once(world.http.probe(&Member::new("shop", "us-east"))).unwrap();
    looks.insert("shop".into(), format!("{seen:?}, {}", world.http.expected_status("shop")));
    let argv = vec!["banner".to_owned(), "look".to_owned()];
    let command = Command { argv, env: BTreeMap::new(), pass: vec![], timeout_ms: 1 };
    looks.insert("banner".into(), format!("{:?}", once(world.exec.look(&command)).unwrap()));
    let starts = Starts::default();
    let sight = Sight { world: &world, run: "", starts: &starts };
    for (s, _, planned) in plan.effects() {
        let seen = once(planned.action.observe(&planned.effect.id, sight)).unwrap();
        looks.insert(format!("{}/{}", plan.steps[s].id, planned.name), format!("{seen:#?}"));
    }
    looks
}

fn snapshot(sim: &Sim, plan: &Plan, inventory: &Inventory) -> Snapshot {
    let seen = once(look(&sim.world(), plan, inventory)).expect("simulated ports answer at once");
    // As it would be kept.
    let text = serde_json::to_string(&seen).unwrap();
    let again: Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(again, seen);
    again
}

fn staged(sim: &Sim, plan: &Plan, inventory: &Inventory) -> Staged {
    stage(plan, inventory, &snapshot(sim, plan, inventory))
}

fn from_live(change: impl FnOnce(&Sim), faults: u32) -> Report {
    let (plan, inventory) = ground();
    let sim = lifelike(&plan, &inventory);
    change(&sim);
    now(&sim, &plan, &inventory, Source::Serves, faults)
}

/// The rehearsal of pressing the button now, or after the source has become like this.
fn now(sim: &Sim, plan: &Plan, inventory: &Inventory, source: Source, faults: u32) -> Report {
    let seen = snapshot(sim, plan, inventory);
    rehearse_live(plan, inventory, &seen, &How::live(plan, inventory, &seen, source, faults, 1))
}

#[test]
fn what_is_made_after_a_look_looks_alike_and_tells_what_is_odd() {
    let (plan, inventory) = ground();
    for (name, change, line) in ODDITIES {
        let sim = lifelike(&plan, &inventory);
        change(&sim);
        let Staged { sim: made, start } = staged(&sim, &plan, &inventory);
        let (truth, model) = (looks(&sim, &plan), looks(&made, &plan));
        for (what, seen) in &truth {
            assert_eq!(&model[what], seen, "{name}: {what}");
        }
        assert!(start.differs.iter().any(|one| one.contains(line)) || line.is_empty(), "{name}: {start:?}");
        assert_eq!(start.differs.is_empty(), line.is_empty(), "{name}: {start:?}");
    }
}

#[test]
fn of_a_world_in_which_everything_is_well_nothing_is_told() {
    let (plan, inventory) = ground();
    let sim = lifelike(&plan, &inventory);
    let Staged { sim: made, start } = staged(&sim, &plan, &inventory);
    assert_eq!(looks(&made, &plan), looks(&sim, &plan));
    assert_eq!(start.from, StartFrom::Live);
    assert_eq!(start.seen_at.as_deref(), Some("2030-01-01T00:00:00.000Z"));
    assert!(start.differs.is_empty() && start.not_represented.is_empty(), "{start:?}");
    let report = now(&sim, &plan, &inventory, Source::Serves, 1);
    assert!(report.clean(), "{}", told(&report));
    assert_eq!(report.complete_for, Some(1));
}

#[test]
fn a_look_changes_nothing() {
    use std::hash::Hasher;
    let (plan, inventory) = ground();
    let sim = lifelike(&plan, &inventory);
    let digest = |sim: &Sim| {
        let mut hasher = std::hash::DefaultHasher::new();
        sim.digest(&BTreeMap::new(), &mut hasher);
        sim.postgres.digest_places(&mut hasher);
        hasher.finish()
    };
    let before = (digest(&sim), sim.truths());
    snapshot(&sim, &plan, &inventory);
    assert_eq!(before.0, digest(&sim));
    assert!(before.1.same(&sim.truths()));
    assert!(sim.exec.ran().is_empty() && sim.postgres.done().is_empty() && sim.notify.sent().is_empty());
}

/// What keeps a world from being seen, and a part of the line that tells it.
type Silence = (fn(&Sim), &'static str);

#[test]
fn what_was_not_seen_does_not_answer_and_is_told() {
    let (plan, inventory) = ground();
    let silent: &[Silence] = &[
        (|sim| sim.postgres.faults.silence("orders in us-east"), "orders in us-east was not seen"),
        (|sim| sim.postgres.faults.silence("orders in eu-west"), "orders in eu-west was not seen"),
        (|sim| sim.dns.faults.silence("pdns-eu"), "www at pdns-eu was not seen"),
        (|sim| sim.cache.faults.silence("sessions in us-east"), "sessions in us-east was not seen"),
        (|sim| sim.exec.faults.silence("banner look"), "`banner look` does not tell"),
    ];
    for (silence, line) in silent.iter().copied() {
        let sim = lifelike(&plan, &inventory);
        silence(&sim);
        let Staged { sim: made, start } = staged(&sim, &plan, &inventory);
        assert!(start.differs.iter().any(|one| one.contains(line)), "{line}: {start:?}");
        let unknown = |sim: &Sim| {
            let looks = looks(sim, &plan).into_iter().filter(|(_, seen)| seen.contains("Unknown("));
            looks.map(|(what, _)| what).collect::<Vec<_>>()
        };
        assert_eq!(unknown(&made), unknown(&sim), "{line}");
        // The primary lists a standby that cannot be seen from here.
        for (what, seen) in
            looks(&sim, &plan).iter().filter(|(what, _)| what.starts_with("orders in eu-west"))
        {
            assert_eq!(&looks(&made, &plan)[what], seen, "{line}");
        }
    }
}

#[test]
fn of_a_third_member_that_was_not_seen_the_primary_tells_whether_it_follows() {
    let folder = tempfile::tempdir().unwrap();
    let members = ["eu-west", "us-east", "ap-south"]
        .map(|region| format!("{region}: {{ host: {region}.example.com }}"));
    let inventory = format!(
        "mrctl: 1\nname: three\nregions: {{ eu-west: {{}}, us-east: {{}}, ap-south: {{}} }}\n\
         postgres: {{ orders: {{ user: mrctl, members: {{ {} }} }} }}\n",
        members.join(", ")
    );
    let runbook = "mrctl: 1\nname: own\ntitle: Own\nsteps:\n  - { id: freeze, postgres.freeze: orders }\n  \
                   - { id: catch_up, postgres.catch_up: orders }\n  - { id: promote, postgres.promote: orders }\n";
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("mrctl.yaml"), inventory).unwrap();
    std::fs::write(path("runbook.yaml"), runbook).unwrap();
    let (plan, inventory) =
        (plan_in(&path("runbook.yaml"), &path("mrctl.yaml")), inventory_of(&path("mrctl.yaml")));
    for follows in [true, false] {
        let sim = lifelike(&plan, &inventory);
        orders(&sim, "ap-south", |server| {
            (server.system, server.timeline, server.position) =
                ("7301112223334445556".into(), 7, 0x1A_05BE_01B0);
            server.follows = follows.then(|| "eu-west".to_owned());
        });
        sim.postgres.faults.silence("orders in ap-south");
        let Staged { sim: made, start } = staged(&sim, &plan, &inventory);
        let upstream = made.postgres.read("orders", "ap-south", |server| server.follows.clone()).unwrap();
        assert_eq!(upstream.is_some(), follows, "{start:?}");
        let lacks = [format!(
            "orders in ap-south: what it is; taken for a standby that follows {}",
            if follows { "eu-west" } else { "nobody" }
        )];
        assert_eq!(start.not_represented, lacks);
        let seen = |sim: &Sim| once(sim.world().postgres.look(&at("eu-west"), &Scope::default())).unwrap();
        assert_eq!(seen(&made), seen(&sim));
    }
}

#[test]
fn a_server_that_is_down_is_down_unless_a_standby_hears_from_it() {
    let (plan, inventory) = ground();
    let sim = lifelike(&plan, &inventory);
    orders(&sim, "us-east", |server| server.up = false);
    let Staged { sim: made, start } = staged(&sim, &plan, &inventory);
    assert_eq!(made.postgres.read("orders", "us-east", |server| server.up), Some(false));
    assert!(start.differs.iter().any(|line| line.contains("it is down")), "{start:?}");
    // The same words from here, and the standby streams: only we are refused.
    let mut seen = snapshot(&lifelike(&plan, &inventory), &plan, &inventory);
    seen.servers[0].facts = Known::unknown("no connection: connection refused");
    let Staged { sim: made, start } = stage(&plan, &inventory, &seen);
    assert_eq!(made.postgres.read("orders", "eu-west", |server| server.up), Some(true));
    assert!(made.postgres.faults.is_silent("orders in eu-west"), "{start:?}");
}

#[test]
fn a_rehearsal_from_an_odd_start_raises_no_false_alarm() {
    let completes = [
        "explicitly writable",
        "half the users",
        "a short life",
        "errors",
        "synchronous",
        "hanging commits",
        "a replica for a cache",
    ];
    for (name, change, _) in ODDITIES {
        let report = from_live(change, 1);
        assert!(report.counterexamples.is_empty(), "{name}: {}", told(&report));
        assert!(!report.counts.cut, "{name}");
        if ["a freeze left", "a banner", "users that are there"].contains(name) {
            // Once it is adopted.
            assert_eq!(report.complete_for, Some(1), "{name}");
        }
        if completes.contains(name) {
            assert_eq!(report.fails_alone, None, "{name}");
            assert_eq!(report.complete_for, Some(1), "{name}");
        }
    }
}

#[test]
fn what_speaks_against_pressing_the_button_now_is_said() {
    let why = |name: &str| {
        let (_, change, _) = ODDITIES.iter().find(|(one, ..)| *one == name).unwrap();
        from_live(change, 0).fails_alone.unwrap_or_default()
    };
    for (name, with) in [
        ("a freeze left", "has to adopt what is so already: freeze/read_only"),
        ("a banner", "has to adopt what is so already: banner/run"),
        ("users that are there", "has to adopt what is so already: shift/100"),
        ("sessions of several", "which only a superuser can end"),
        ("a leaked freeze", "would come up read-only"),
        ("prepared", "prepared transactions"),
        ("paused", "paused"),
        ("cut off", "not connected to a primary"),
        ("a recovery target", "a recovery target is set"),
        ("another system", "different clusters"),
        ("a finding", "mrctl may not promote"),
        ("blind", "lacks pg_monitor"),
        ("no numbers", "no series"),
        ("foreign content", "foreign content"),
    ] {
        let why = why(name);
        assert!(why.contains(with), "{name}: {why}");
    }
}

#[test]
fn what_can_be_told_only_in_its_turn_is_no_obstacle_and_not_represented() {
    let report = from_live(
        |sim| {
            // The application of a region whose database is read-only says so.
            let status = Known::Known(503);
            sim.http.set("shop", "us-east", Probe { status, ..http::healthy(9_000) });
            // Nobody is there to be measured.
            sim.signals.script("error_rate", "us-east", [Known::unknown("no series")]);
        },
        1,
    );
    assert!(report.clean(), "{}", told(&report));
    let start = &report.start;
    assert!(
        start.differs.iter().any(|line| line == "shop in us-east is not well: status 503, and not 200"),
        "{start:?}"
    );
    let lacks = |what: &str| start.not_represented.iter().any(|line| line.contains(what));
    assert!(
        lacks("shop in us-east: whether it is well") && lacks("error_rate(us-east): what it is"),
        "{start:?}"
    );
}

#[test]
fn a_write_that_a_standby_lacks_at_the_start_counts_as_told() {
    // An engine that promotes whatever the standby has.
    let (plan, inventory) = ground();
    let sim = lifelike(&plan, &inventory);
    orders(&sim, "us-east", |server| server.behind = 3);
    sim.postgres.write("orders", "eu-west", "a", false);
    let Staged { sim: made, .. } = staged(&sim, &plan, &inventory);
    let logs = ["eu-west", "us-east"]
        .map(|region| made.postgres.read("orders", region, |server| server.log.clone()));
    assert_eq!(logs, [Some(vec!["before".to_owned()]), Some(vec![])]);
    let (_, node) = crate::rehearse::node::Ground::begin(
        plan,
        made,
        Default::default(),
        Default::default(),
        Default::default(),
        Default::default(),
    )
    .unwrap();
    assert_eq!(node.told["orders"], ["before"]);
}

#[test]
fn what_the_model_has_no_word_for_is_listed() {
    let (plan, inventory) = ground();
    let sim = lifelike(&plan, &inventory);
    sim.cache.add("sessions", "eu-west", (0..5_000).map(|n| (format!("session:{n}"), None)));
    sim.cache.add("sessions", "us-east", (0..1_000).map(|n| (format!("session:{n}"), None)));
    orders(&sim, "eu-west", |server| server.sessions = vec![Session::app(); 300]);
    let mut seen = snapshot(&sim, &plan, &inventory);
    if let Known::Known(facts) = &mut seen.servers[0].facts
        && let crate::world::postgres::Role::Primary(primary) = &mut facts.role
        && let Known::Known(senders) = &mut primary.senders
    {
        senders.push(crate::world::postgres::Sender { name: "analytics".into(), ..senders[0].clone() });
        primary.oldest_transaction -= 5;
    }
    let Staged { sim: made, start } = stage(&plan, &inventory, &seen);
    for line in [
        "sessions in eu-west has 5000 keys; in the model 20",
        "sessions in us-east has 1000 keys; in the model 4",
        "orders in eu-west has 300 sessions of app; in the model 20",
        "orders in eu-west also sends to `analytics` (streaming)",
        "orders in eu-west has an open transaction that no client's session shows",
    ] {
        assert!(start.not_represented.iter().any(|one| one == line), "{line}: {:?}", start.not_represented);
    }
    assert_eq!(made.postgres.read("orders", "eu-west", |server| server.sessions.len()), Some(20));
}
