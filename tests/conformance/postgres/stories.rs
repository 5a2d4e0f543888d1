//! Two whole stories, a switch and the end of a handover: the facts that kinds judge, what kinds make of them, and what each call
//! said.

use super::real::real;
use super::stage::{Stage, simulated};
use crate::conformance::table::same;
use crate::support::kinds::{catch_up, check_lag, freeze, judge, promote, verify};
use crate::support::pg::until;
use crate::support::port::{facts, handover};
use crate::support::world::{RUN, permit, source, target};
use mrctl::step::{Aim, Kind as _, Sight, Standing};
use mrctl::world::postgres::{Altered, Glance, GlanceRole, Handover, HandoverBy, Role, Scope, ServerFacts};
use mrctl::world::{Known, Member, Reply, World};

fn scope() -> Scope {
    Scope { keep: vec!["monitoring".into(), "postgres".into()], run: RUN.into() }
}

/// What a look sees; a glance sees the same, once nothing changes between the two.
async fn look(world: &World, at: &Member) -> Known<ServerFacts> {
    let known = |glance: &Known<Glance>| {
        glance.clone().map(|g| (g.system, g.started, g.read_only, matches!(g.role, GlanceRole::Standby)))
    };
    until("a glance sees what a look sees", || async {
        let seen = world.postgres.look(at, &scope()).await;
        let glance = world.postgres.glance(at, &scope()).await;
        let whole = seen.as_ref().map(Glance::from);
        (known(&glance).get() == known(&whole).get()).then_some(seen)
    })
    .await
}

/// Whether everything that the source has is on disk, and where it is on its way to the target, has arrived.
fn quiet(from: &Known<ServerFacts>, to: &Known<ServerFacts>) -> bool {
    // A session of ours that was refused takes a moment to be gone from a real server.
    let ours = |facts: &Known<ServerFacts>| facts.is(|facts| facts.ours.is(|ours| !ours.is_empty()));
    if ours(from) || ours(to) {
        return false;
    }
    let Some(primary) = from.get().and_then(ServerFacts::primary) else { return true };
    let Some(standby) = to.get().and_then(ServerFacts::standby) else { return primary.all_flushed() };
    let on_its_way = standby.receiver.get().is_some() && standby.replay == "not paused";
    primary.all_flushed() && (!on_its_way || standby.replayed.is(|to| *to >= primary.flushed))
}

/// What kinds look at, without what differs from server to server: names, positions, clocks.
fn essence(seen: &Known<ServerFacts>, system: &str) -> String {
    let Known::Known(seen) = seen else { return "unknown".into() };
    let role = match &seen.role {
        Role::Primary(primary) => format!(
            "primary on {}, all flushed: {}, running: {}, prepared: {:?}, senders: {:?}",
            primary.timeline,
            primary.all_flushed(),
            primary.oldest_transaction < primary.next_transaction,
            primary.prepared,
            primary.senders.as_ref().map(|senders| {
                senders.iter().map(|sender| (sender.state.clone(), sender.sync.clone())).collect::<Vec<_>>()
            }),
        ),
        Role::Standby(standby) => format!(
            "standby on {:?}, {}, receiver: {:?}, targets: {:?}, delay: {}",
            standby.timeline,
            standby.replay,
            standby.receiver.get().map(|receiver| (receiver.status.clone(), receiver.timeline)),
            standby.recovery_targets,
            standby.apply_delay_ms,
        ),
    };
    format!(
        "{role}; same system: {}; read-only: {} {:?}; overrides: {:?}; sessions: {:?}; synchronous: {:?} {:?}; ours: {:?}; managers: {:?}",
        seen.system == system,
        seen.read_only.on,
        seen.read_only.altered,
        seen.overrides,
        seen.sessions,
        seen.synchronous_names,
        seen.waiting_for_standby,
        seen.ours,
        seen.managers,
    )
}

/// What every kind makes of it now.
async fn judged(world: &World, given: Option<&Handover>) -> String {
    let mut said = Vec::new();
    for effect in ["read_only", "sessions"] {
        said.push((effect, judge(world, &freeze(), effect, given).await.1));
    }
    said.push(("catch up", judge(world, &catch_up(), "mark", given).await.1));
    said.push(("promote", judge(world, &promote(), "promote", given).await.1));
    said.push(("lag", judge(world, &check_lag(1 << 20), "look", given).await.1));
    said.push(("writable", judge(world, &verify(target()), "write", given).await.1));
    let said: Vec<String> = said
        .into_iter()
        .map(|(what, judged)| {
            let makes = if judged.handover.is_some() { " with a handover" } else { "" };
            format!("{what}: {:?}{makes} {:?}", judged.standing, judged.remark)
        })
        .collect();
    said.join("; ")
}

/// What a call said: the whole reason where the guard of one statement gives it, else whether it was done.
fn said(reply: &Reply) -> String {
    match reply {
        Reply::Acknowledged { .. } => "done".into(),
        Reply::Refused { why } => format!("refused: {}", why.split(" up to ").next().unwrap_or_default()),
        other => format!("{other:?}"),
    }
}

/// Writes down what is so.
struct Story<'a, S: Stage> {
    stage: &'a S,
    system: String,
    given: Option<Handover>,
    lines: Vec<String>,
}

impl<'a, S: Stage> Story<'a, S> {
    async fn of(stage: &'a S) -> Self {
        let system = facts(&*stage.world().postgres, &source()).await.system;
        let mut story = Self { stage, system, given: None, lines: vec![] };
        story.line("in the beginning", "").await;
        story
    }

    /// What is so once this is so.
    async fn line(&mut self, what: &str, said: &str) {
        let world = self.stage.world();
        let (from, to, judged) = until(&format!("quiet: {what}"), || async {
            let from = look(world, &source()).await;
            let to = look(world, &target()).await;
            let judged = judged(world, self.given.as_ref()).await;
            let after = look(world, &source()).await;
            // A real server writes a record of its own now and then; a line is about a moment in which it does not.
            (quiet(&from, &to) && quiet(&after, &to)).then_some((from, to, judged))
        })
        .await;
        self.lines.push(format!(
            "{what}: {said}\n  source: {}\n  target: {}\n  {judged}",
            essence(&from, &self.system),
            essence(&to, &self.system)
        ));
    }

    /// Waits until a server shows it, as the engine does.
    async fn seen(&self, at: &Member, what: &str, test: impl Fn(&ServerFacts) -> bool) {
        until(what, || async { look(self.stage.world(), at).await.is(&test).then_some(()) }).await;
    }

    /// Waits until the target has everything that the source has on disk.
    async fn caught_up(&self) {
        let flushed = facts(&*self.stage.world().postgres, &source()).await.primary().map(|p| p.flushed);
        self.seen(&target(), "replay", |facts| {
            facts.standby().is_some_and(|s| s.replayed.is(|to| Some(*to) >= flushed))
        })
        .await;
    }

    async fn promote(&self, handover: Handover) -> String {
        said(&self.stage.world().postgres.promote(&permit("promote", 1), &target(), &handover).await)
    }
}

/// A switch from the beginning to the end, with everything that is refused on the way.
async fn switch<S: Stage>(stage: &S) -> Vec<String> {
    let mut story = Story::of(stage).await;
    let port = &*stage.world().postgres;
    let system = story.system.clone();
    let told = stage.write(false).await;
    story.caught_up().await;
    story.line("a write", &told.to_string()).await;

    let reply = port.freeze(&permit("read_only", 1), &source(), "1", None).await;
    story.line("a freeze of another cluster", &said(&reply)[..7]).await;
    let reply = port.freeze(&permit("read_only", 1), &target(), &system, None).await;
    story.line("a freeze of the standby", &said(&reply)[..7]).await;
    let reply = port.freeze(&permit("read_only", 1), &source(), &system, None).await;
    story.seen(&source(), "frozen", |facts| facts.read_only.on).await;
    story.caught_up().await;
    story.line("the freeze", &said(&reply)).await;
    let reply = port.unfreeze(&permit("read_only", 2), &source(), "1", &Altered::Unset).await;
    story.line("a thaw of another cluster", &said(&reply)[..7]).await;
    let reply = port.unfreeze(&permit("read_only", 2), &source(), &system, &Altered::Unset).await;
    story.seen(&source(), "thawed", |facts| !facts.read_only.on).await;
    story.line("the thaw", &said(&reply)).await;
    let reply = port.freeze(&permit("read_only", 3), &source(), &system, None).await;
    story.seen(&source(), "frozen", |facts| facts.read_only.on).await;
    story.line("the freeze again", &said(&reply)).await;

    let plain = stage.write(false).await;
    let hostile = stage.write(true).await;
    story.caught_up().await;
    story.line("a plain write and a hostile one", &format!("{plain} {hostile}")).await;
    let reply = port.end_sessions(&permit("sessions", 1), &source(), &system, &scope()).await;
    story.seen(&source(), "no session", |facts| facts.sessions.is(|s| s.clients.is_empty())).await;
    story.line("the end of sessions", &said(&reply)).await;

    let before = facts(port, &source()).await.primary().map(|p| p.next_transaction);
    let reply = port.mark(&permit("mark", 1), &source(), &system).await;
    let after = facts(port, &source()).await.primary().map(|p| p.next_transaction);
    story.caught_up().await;
    story.line("the mark", &format!("{} {:?}", said(&reply), before.map(|n| n + 1) == after)).await;
    let good = handover(port).await;
    story.given = Some(good.clone());
    story.line("with a handover", "").await;

    for handover in [
        Handover { system: "1".into(), ..good.clone() },
        Handover { timeline: 7, ..good.clone() },
        Handover { target_started: "0".into(), ..good.clone() },
        Handover { position: "FF/0".parse().unwrap(), ..good.clone() },
        Handover { position: "FF/0".parse().unwrap(), by: HandoverBy::Shutdown, ..good.clone() },
    ] {
        let reply = story.promote(handover).await;
        story.line("a promotion that does not fit", &reply).await;
    }
    let reply = port.promote(&permit("promote", 1), &source(), &good).await;
    story.line("a promotion of the primary", &said(&reply)).await;
    stage.pause_replay(true).await;
    let reply = story.promote(good.clone()).await;
    story.line("a promotion while replay is paused", &reply).await;
    stage.pause_replay(false).await;
    let reply = story.promote(good.clone()).await;
    story.seen(&target(), "promoted", |facts| !facts.in_recovery()).await;
    story.seen(&source(), "no sender", |f| f.primary().is_some_and(|p| p.senders.is(Vec::is_empty))).await;
    story.line("the promotion", &reply).await;
    let reply = story.promote(good.clone()).await;
    story.line("the promotion again", &reply).await;

    for at in [source(), target()] {
        let reply = port.write_probe(&permit("write", 1), &at, "mrctl.probe").await;
        let there = port.read_probe(&at, "mrctl.probe", RUN).await;
        let done = matches!(reply, Reply::Acknowledged { .. });
        story.line("a probe row", &format!("{done} {there:?}")).await;
    }
    let starts = Default::default();
    let now = freeze().observe("read_only", Sight { world: stage.world(), run: RUN, starts: &starts }).await;
    let mut prior = now.clone();
    if let Known::Known(source) = &mut prior.source {
        (source.read_only.on, source.read_only.altered) = (false, Known::Known(Altered::Unset));
    }
    let standing = freeze().judge("read_only", &now, Aim::Restored(&prior), None).standing;
    let reply = freeze().undo("read_only", &permit("read_only", 4), &prior, stage.world()).await;
    story.line("the undo of the freeze", &format!("{standing:?} {}", said(&reply))).await;
    assert_eq!(standing, Standing::Blocked);
    assert!(stage.write(true).await);
    story.line("a hostile write on the old primary", "").await;
    story.lines
}

/// What ends a handover, and what makes a target unfit.
async fn decay<S: Stage>(stage: &S) -> Vec<String> {
    let mut story = Story::of(stage).await;
    let port = &*stage.world().postgres;
    let system = story.system.clone();
    for at in [source(), target()] {
        let (held, taken) = (port.lock_held(&at).await, port.lock(&at, RUN).await);
        let said =
            format!("{held:?} {taken:?} {:?} {:?}", port.lock(&at, RUN).await, port.lock_held(&at).await);
        story.line("a lock", &said).await;
    }
    let reply = port.freeze(&permit("read_only", 1), &source(), &system, Some(&scope())).await;
    story.seen(&source(), "frozen", |facts| facts.read_only.on).await;
    story.seen(&source(), "no session", |facts| facts.sessions.is(|s| s.clients.is_empty())).await;
    story.caught_up().await;
    let good = handover(port).await;
    story.given = Some(good.clone());
    story.line("frozen", &said(&reply)).await;
    stage.restart_target().await;
    let streams = |facts: &ServerFacts| facts.standby().is_some_and(|s| s.receiver.get().is_some());
    story.seen(&target(), "it streams", streams).await;
    story.seen(&source(), "a sender", |f| f.primary().is_some_and(|p| p.senders.is(|s| s.len() == 1))).await;
    story.caught_up().await;
    let reply = story.promote(good).await;
    story.line("a restart of the target", &reply).await;
    let held = port.lock_held(&target()).await;
    story.line("the lock of the target", &format!("{held:?}")).await;
    stage.cut().await;
    story.seen(&source(), "no sender", |f| f.primary().is_some_and(|p| p.senders.is(Vec::is_empty))).await;
    story.given = None;
    story.line("the receiver is cut", "").await;
    stage.stop_source().await;
    until("it stopped", || async { look(stage.world(), &source()).await.get().is_none().then_some(()) })
        .await;
    story.line("the source is stopped", "").await;
    story.lines
}

#[tokio::test]
async fn a_switch_is_the_same_story_on_real_and_simulated_servers() {
    let simulated = switch(&simulated()).await;
    same(&switch(&real().await).await, &simulated);
}

#[tokio::test]
async fn what_ends_a_handover_is_the_same_story_on_real_and_simulated_servers() {
    let simulated = decay(&simulated()).await;
    same(&decay(&real().await).await, &simulated);
}
