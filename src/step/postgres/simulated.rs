//! The kinds against simulated servers: every call ready in one poll, every fault met once.

mod gone;
mod guards;

use super::catch_up::CatchUp;
use super::control_data::stopped;
use super::freeze::Freeze;
use super::preflight::Preflight;
use super::promote::Promote;
use super::stop::Stop;
use super::verify_writable::VerifyWritable;
use super::{Pair, examples};
use crate::journal::memory::MemoryJournal;
use crate::journal::{IntentKey, Permit, Storage};
use crate::step::{Aim, Judgement, Kind, Sight, Standing};
use crate::world::postgres::{Altered, Handover, HandoverBy, Lsn};
use crate::world::sim::exec::{Act, Means, Script};
use crate::world::sim::postgres::Session;
use crate::world::sim::postgres_isolated::Isolated;
use crate::world::sim::{Fault, Sim, two_regions};
use crate::world::{Answer, Member, Reply, World};
use futures_util::FutureExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const RUN: &str = "0193a5b0-0000-7000-8000-00000000feed";

struct Stage {
    sim: Sim,
    world: World,
    handover: Option<Handover>,
    attempts: u32,
}

/// A simulated port answers at once, and so must every kind.
fn once<T>(answer: Answer<'_, T>) -> T {
    answer.now_or_never().expect("ready in one poll")
}

impl Stage {
    fn new() -> Self {
        let sim = two_regions();
        Self { world: sim.world(), sim, handover: None, attempts: 0 }
    }

    fn observe<K: Kind>(&self, kind: &K, effect: &str) -> K::Facts {
        let starts = BTreeMap::new();
        once(kind.observe(effect, Sight { world: &self.world, run: RUN, starts: &starts }))
    }

    fn judge<K: Kind>(&mut self, kind: &K, effect: &str) -> Judgement {
        let facts = self.observe(kind, effect);
        let judged = kind.judge(effect, &facts, Aim::Applied, self.handover.as_ref());
        if let Some(handover) = &judged.handover {
            self.handover = Some(handover.clone());
        }
        judged
    }

    fn permit(&mut self, effect: &str, undo: bool) -> Permit {
        self.attempts += 1;
        let key = IntentKey {
            run: RUN.into(),
            step: "step".into(),
            effect: effect.into(),
            attempt: self.attempts,
            undo,
        };
        MemoryJournal::default().append_intent(key, serde_json::Map::new()).expect("memory never fails").1
    }

    /// Applies under a permit of its own and returns the prior facts and the reply.
    fn apply<K: Kind>(&mut self, kind: &K, effect: &str) -> (K::Facts, Reply) {
        let prior = self.observe(kind, effect);
        let permit = self.permit(effect, false);
        let reply = once(kind.apply(effect, &permit, &prior, self.handover.as_ref(), "", &self.world));
        (prior, reply)
    }

    /// Applies what is not reached yet and expects to see it then.
    fn step<K: Kind>(&mut self, kind: &K) {
        for effect in kind.effects() {
            if self.judge(kind, &effect.id).standing != Standing::Reached {
                let (_, reply) = self.apply(kind, &effect.id);
                assert!(matches!(reply, Reply::Acknowledged { .. }), "{}: {reply:?}", effect.id);
            }
            let judged = self.judge(kind, &effect.id);
            assert_eq!(judged.standing, Standing::Reached, "{}: {}", effect.id, judged.evidence);
        }
    }

    fn frozen(&mut self) {
        self.step(&freeze());
    }

    fn caught_up(&mut self) {
        self.frozen();
        self.step(&catch_up());
        assert!(self.handover.is_some());
    }

    /// Commands that end well; what they do to the server, the test does.
    fn with_commands() -> Self {
        let stage = Self::new();
        for command in ["stop", "start"] {
            stage.sim.exec.script(command, Script::default());
        }
        stage
    }

    /// The source has stopped, and its control file says where.
    fn source_stops(&self) {
        self.sim.postgres.stop("orders", "eu-west");
        let (system, position) = self
            .sim
            .postgres
            .with("orders", "eu-west", |server| (server.system.clone(), server.position))
            .expect("it is there");
        // The control file names the start of the last record.
        let text = stopped(&system, &Lsn(position - 0x100).to_string());
        self.sim.exec.script("control", Script { stdout: text, ..Script::default() });
    }

    fn promoted(&mut self) -> Judgement {
        self.judge(&promote(), "promote")
    }
}

/// Kinds as a plan holds them: what they are made of is their own business.
fn kind<K: Kind>(value: serde_json::Value) -> K {
    serde_json::from_value(value).expect("the kind's own form")
}

fn pair() -> Pair {
    examples::pair()
}

fn freeze() -> Freeze {
    let mut pair = pair();
    pair.others = vec![pair.target.clone()];
    kind(json!({ "pair": pair, "keep": ["monitoring"] }))
}

fn catch_up() -> CatchUp {
    kind(json!({ "pair": pair(), "keep": [] }))
}

/// Stopped, started and asked by commands of these names.
fn stop() -> Stop {
    let mut pair = pair();
    pair.others = vec![pair.target.clone()];
    let command = |name: &str| json!({ "argv": [name], "env": {}, "pass": [], "timeout_ms": 1000 });
    kind(
        json!({ "pair": pair, "keep": [], "stop": command("stop"), "start": command("start"), "control_data": command("control") }),
    )
}

fn promote() -> Promote {
    let control = json!({ "argv": ["control"], "env": {}, "pass": [], "timeout_ms": 1000 });
    kind(json!({ "pair": pair(), "keep": [], "control_data": control }))
}

fn verify() -> VerifyWritable {
    kind(json!({ "at": Member::new("orders", "us-east"), "table": "mrctl.probe" }))
}

#[test]
fn a_planned_switch_loses_nothing_and_never_has_two_writers() {
    let mut stage = Stage::new();
    let preflight: Preflight = kind(json!({ "pair": pair(), "table": "mrctl.probe" }));
    assert_eq!(stage.judge(&preflight, "look").standing, Standing::Reached);
    for name in ["a", "b", "c"] {
        assert!(stage.sim.postgres.write("orders", "eu-west", name, false));
    }
    stage.sim.postgres.with("orders", "eu-west", |server| server.unflushed = 0x80);
    stage.caught_up();
    assert!(stage.sim.postgres.writable("orders").is_empty());
    assert!(!stage.sim.postgres.write("orders", "eu-west", "late", false));
    stage.step(&promote());
    assert_eq!(stage.sim.postgres.writable("orders"), ["us-east"]);
    stage.step(&verify());
    let log = stage.sim.postgres.with("orders", "us-east", |server| server.log.clone()).unwrap();
    assert_eq!(log[..3], ["a", "b", "c"]);
}

#[test]
fn a_lost_answer_to_a_freeze_is_settled_by_looking() {
    for (fault, then) in [
        (Fault::LostApplied, Standing::Reached),
        (Fault::LostAbsent, Standing::NotReached),
        (Fault::Refuse, Standing::NotReached),
    ] {
        let mut stage = Stage::new();
        stage.sim.postgres.faults.push(fault.clone());
        stage.apply(&freeze(), "read_only");
        assert_eq!(stage.judge(&freeze(), "read_only").standing, then, "{fault:?}");
    }
    let mut stage = Stage::new();
    stage.sim.postgres.faults.push(Fault::Late(Duration::from_secs(2)));
    stage.apply(&freeze(), "read_only");
    assert_eq!(stage.judge(&freeze(), "read_only").standing, Standing::NotReached);
    stage.sim.clock.advance(Duration::from_secs(3));
    assert_eq!(stage.judge(&freeze(), "read_only").standing, Standing::Reached);
}

#[test]
fn what_stood_before_the_freeze_is_put_back() {
    for before in [Altered::Unset, Altered::To("off".into())] {
        let mut stage = Stage::new();
        stage.sim.postgres.with("orders", "eu-west", |server| {
            (server.altered, server.loaded) = (before.clone(), before.clone());
        });
        let (prior, _) = stage.apply(&freeze(), "read_only");
        let permit = stage.permit("read_only", true);
        let reply = once(freeze().undo("read_only", &permit, &prior, &stage.world));
        assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
        let facts = stage.observe(&freeze(), "read_only");
        let judged = freeze().judge("read_only", &facts, Aim::Restored(&prior), None);
        assert_eq!((judged.standing, judged.remark), (Standing::Reached, None), "{}", judged.evidence);
        assert_eq!(
            stage.sim.postgres.with("orders", "eu-west", |server| server.altered.clone()),
            Some(before)
        );
    }
}

#[test]
fn sessions_that_cannot_be_ended_keep_the_freeze_open() {
    let mut stage = Stage::new();
    let root = Session { superuser: true, role: "postgres".into(), ..Session::app() };
    let kept = Session { role: "monitoring".into(), ..Session::app() };
    stage.sim.postgres.with("orders", "eu-west", |server| server.sessions.extend([root, kept]));
    stage.apply(&freeze(), "read_only");
    stage.apply(&freeze(), "sessions");
    let judged = stage.judge(&freeze(), "sessions");
    assert_eq!(judged.standing, Standing::NotReached);
    assert!(judged.evidence.contains("only a superuser can end"), "{}", judged.evidence);
}

#[test]
fn a_write_through_the_freeze_kills_the_handover() {
    let mut stage = Stage::new();
    stage.caught_up();
    assert!(stage.sim.postgres.write("orders", "eu-west", "through", true));
    let judged = stage.promoted();
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
}

#[test]
fn a_standby_that_is_behind_or_cut_off_is_never_promoted() {
    let mut stage = Stage::new();
    stage.frozen();
    stage.sim.postgres.with("orders", "us-east", |server| server.follows = None);
    stage.apply(&catch_up(), "mark");
    let judged = stage.judge(&catch_up(), "mark");
    assert_eq!(judged.standing, Standing::NotReached, "{}", judged.evidence);
    // Even with a handover of a time when it was whole: the guard at the target reads the position again.
    let mut stage = Stage::new();
    stage.caught_up();
    stage.sim.postgres.with("orders", "us-east", |server| (server.follows, server.position) = (None, 0));
    let (_, reply) = stage.apply(&promote(), "promote");
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("replayed only")), "{reply:?}");
}

#[test]
fn a_restart_of_either_server_kills_the_handover() {
    for region in ["eu-west", "us-east"] {
        let mut stage = Stage::new();
        stage.caught_up();
        stage.sim.postgres.restart("orders", region);
        if region == "eu-west" {
            assert_eq!(stage.promoted().standing, Standing::Blocked);
        } else {
            let (_, reply) = stage.apply(&promote(), "promote");
            assert!(matches!(reply, Reply::Refused { .. }), "{reply:?}");
        }
    }
}

#[test]
fn an_acknowledged_promotion_is_believed_only_when_seen() {
    let mut stage = Stage::new();
    stage.caught_up();
    stage.sim.postgres.with("orders", "us-east", |server| server.slow = true);
    let (_, reply) = stage.apply(&promote(), "promote");
    assert!(matches!(reply, Reply::Acknowledged { .. }));
    assert_eq!(stage.promoted().standing, Standing::NotReached);
    stage.sim.postgres.finish_promotion("orders", "us-east");
    assert_eq!(stage.promoted().standing, Standing::Reached);
}

#[test]
fn a_late_promotion_still_lands_and_is_found() {
    let mut stage = Stage::new();
    stage.caught_up();
    stage.sim.postgres.faults.push(Fault::Late(Duration::from_secs(30)));
    let (_, reply) = stage.apply(&promote(), "promote");
    assert!(matches!(reply, Reply::Lost { .. }));
    assert_eq!(stage.promoted().standing, Standing::Moving);
    stage.sim.clock.advance(Duration::from_secs(31));
    assert_eq!(stage.promoted().standing, Standing::Reached);
}

#[test]
fn a_silent_source_is_never_promoted_over_in_a_planned_run() {
    let mut stage = Stage::new();
    stage.caught_up();
    stage.sim.postgres.faults.silence("orders in eu-west");
    assert_eq!(stage.promoted().standing, Standing::Unknown);
}

#[test]
fn it_stays_frozen_once_the_target_is_promoted_or_silent() {
    let mut stage = Stage::new();
    let (prior, _) = stage.apply(&freeze(), "read_only");
    let restored = |stage: &Stage| {
        let facts = stage.observe(&freeze(), "read_only");
        freeze().judge("read_only", &facts, Aim::Restored(&prior), None).standing
    };
    assert_eq!(restored(&stage), Standing::NotReached);
    stage.sim.postgres.faults.silence("orders in us-east");
    assert_eq!(restored(&stage), Standing::Unknown);
    stage.sim.postgres.faults.unsilence("orders in us-east");
    stage.sim.postgres.with("orders", "us-east", |server| server.recovery = false);
    assert_eq!(restored(&stage), Standing::Blocked);
}

#[test]
fn a_stop_is_believed_only_when_the_control_file_says_so() {
    let mut stage = Stage::with_commands();
    assert!(stage.sim.postgres.write("orders", "eu-west", "last", false));
    let (_, reply) = stage.apply(&stop(), "stop");
    assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
    assert_eq!(stage.judge(&stop(), "stop").standing, Standing::NotReached, "it still runs");
    // It does not answer any more: that may be anything.
    stage.sim.postgres.faults.silence("orders in eu-west");
    assert_eq!(stage.judge(&stop(), "stop").standing, Standing::Unknown);
    stage.sim.postgres.faults.unsilence("orders in eu-west");
    stage.source_stops();
    let judged = stage.judge(&stop(), "stop");
    assert_eq!(judged.standing, Standing::Reached, "{}", judged.evidence);
    assert!(stage.handover.as_ref().is_some_and(|handover| handover.by == HandoverBy::Shutdown));
    stage.step(&promote());
    assert_eq!(stage.sim.postgres.writable("orders"), ["us-east"]);
    let log = stage.sim.postgres.with("orders", "us-east", |server| server.log.clone());
    assert_eq!(log.as_deref(), Some(&["last".to_string()][..]));
}

#[test]
fn every_answer_of_the_stop_command_is_settled_by_looking() {
    for (fault, stops) in [
        (Fault::Refuse, false),
        (Fault::LostAbsent, false),
        (Fault::LostApplied, true),
        (Fault::Late(Duration::from_secs(2)), true),
    ] {
        let mut stage = Stage::with_commands();
        stage.sim.exec.faults.push(fault.clone());
        let (_, reply) = stage.apply(&stop(), "stop");
        assert!(matches!(reply, Reply::Refused { .. } | Reply::Lost { .. }), "{fault:?}: {reply:?}");
        assert_eq!(stage.judge(&stop(), "stop").standing, Standing::NotReached, "{fault:?}");
        if stops {
            stage.source_stops();
            assert_eq!(stage.judge(&stop(), "stop").standing, Standing::Reached, "{fault:?}");
        }
    }
}
