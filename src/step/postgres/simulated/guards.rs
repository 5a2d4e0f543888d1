//! What is asked once more right before a change: of the source, of third members, of the system that an address leads to.

use super::*;

#[test]
fn a_stopped_source_is_proved_to_be_stopped_right_before_the_promotion() {
    let stage = || {
        let mut stage = Stage::with_commands();
        stage.apply(&stop(), "stop");
        stage.source_stops();
        stage.step(&stop());
        stage
    };
    let refused = |stage: &mut Stage, with: &str| {
        let (_, reply) = stage.apply(&promote(), "promote");
        assert!(matches!(&reply, Reply::Refused { why } if why.contains(with)), "{with}: {reply:?}");
        assert_eq!(stage.sim.postgres.with("orders", "us-east", |server| server.recovery), Some(true));
    };
    // Started again, and it lets nobody in: that it does not answer proves nothing.
    let mut full = stage();
    full.sim.postgres.restart("orders", "eu-west");
    full.sim.postgres.faults.silence("orders in eu-west");
    let running = stopped("system-of-orders", "0/5000100").replace("shut down", "in production");
    full.sim.exec.script("control", Script { stdout: running, ..Script::default() });
    refused(&mut full, "in production");
    let mut again = stage();
    let later = stopped("system-of-orders", "0/6000000");
    again.sim.exec.script("control", Script { stdout: later, ..Script::default() });
    refused(&mut again, "ran again");
    let mut unknown = stage();
    unknown.sim.exec.script("control", Script { code: 3, ..Script::default() });
    refused(&mut unknown, "still stopped is unknown");
    // A person vouches for it: that covers what nobody can see, and nothing that is seen.
    unknown.world.fenced = std::rc::Rc::new([Member::new("orders", "eu-west")].into());
    unknown
        .sim
        .exec
        .script("control", Script { stdout: stopped("system-of-orders", "0/6000000"), ..Script::default() });
    refused(&mut unknown, "ran again");
    unknown.sim.exec.script("control", Script { code: 3, ..Script::default() });
    unknown.step(&promote());
    let mut good = stage();
    good.step(&promote());
}

#[test]
fn nothing_is_promoted_beside_a_third_member_that_takes_writes() {
    let mut stage = Stage::new();
    stage.sim.postgres.add("orders", &["eu-west", "us-east", "ap-south"]);
    stage.caught_up();
    stage.sim.postgres.with("orders", "ap-south", |server| (server.recovery, server.timeline) = (false, 2));
    let mut three = pair();
    three.others = vec![Member::new("orders", "ap-south")];
    let promote: Promote = kind(json!({ "pair": three, "keep": [] }));
    let (_, reply) = stage.apply(&promote, "promote");
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("ap-south is a primary")), "{reply:?}");
    assert_eq!(stage.sim.postgres.writable("orders"), ["ap-south"]);
    // Its address leads to another cluster: that one's primary is none of this one's.
    stage.sim.postgres.with("orders", "ap-south", |server| server.system = "another".into());
    let (_, reply) = stage.apply(&promote, "promote");
    assert!(matches!(&reply, Reply::Acknowledged { .. }), "{reply:?}");
}

#[test]
fn a_standby_of_another_cluster_does_not_make_a_thaw_harmless() {
    let mut stage = Stage::new();
    let (prior, _) = stage.apply(&freeze(), "read_only");
    // The name of the target leads somewhere else.
    stage.sim.postgres.with("orders", "us-east", |server| server.system = "another".into());
    let facts = stage.observe(&freeze(), "read_only");
    let judged = freeze().judge("read_only", &facts, Aim::Restored(&prior), None);
    assert_eq!(judged.standing, Standing::Unknown, "{}", judged.evidence);
    let permit = stage.permit("read_only", true);
    let reply = once(freeze().undo("read_only", &permit, &prior, &stage.world));
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("another cluster")), "{reply:?}");
    assert!(stage.sim.postgres.writable("orders").is_empty());
}

#[test]
fn a_row_that_was_written_on_the_other_side_proves_nothing_here() {
    let mut stage = Stage::new();
    let there: VerifyWritable =
        kind(json!({ "at": Member::new("orders", "eu-west"), "table": "mrctl.probe" }));
    stage.step(&there);
    stage.caught_up();
    stage.step(&promote());
    assert_eq!(stage.judge(&verify(), "write").standing, Standing::NotReached);
}

#[test]
fn a_stopped_source_is_started_only_while_every_other_member_is_a_standby() {
    let mut stage = Stage::with_commands();
    let (prior, _) = stage.apply(&stop(), "stop");
    stage.source_stops();
    let restored = |stage: &Stage| {
        let facts = stage.observe(&stop(), "stop");
        stop().judge("stop", &facts, Aim::Restored(&prior), None)
    };
    let started = |stage: &mut Stage| {
        let permit = stage.permit("stop", true);
        once(stop().undo("stop", &permit, &prior, &stage.world))
    };
    assert_eq!(restored(&stage).standing, Standing::NotReached);
    stage.sim.postgres.faults.silence("orders in us-east");
    assert_eq!(restored(&stage).standing, Standing::Unknown);
    assert!(matches!(started(&mut stage), Reply::Refused { .. }));
    stage.sim.postgres.faults.unsilence("orders in us-east");
    stage.sim.postgres.with("orders", "us-east", |server| server.recovery = false);
    assert_eq!(restored(&stage).standing, Standing::Blocked);
    assert!(matches!(started(&mut stage), Reply::Refused { .. }));
    assert_eq!(stage.sim.exec.ran().len(), 1, "only the stop was run");
    stage.sim.postgres.with("orders", "us-east", |server| server.recovery = true);
    // A command that ends well is no proof that it runs.
    assert!(matches!(started(&mut stage), Reply::Acknowledged { .. }));
    assert_eq!(restored(&stage).standing, Standing::NotReached);
    stage.sim.postgres.restart("orders", "eu-west");
    assert_eq!(restored(&stage).standing, Standing::Reached);
    // Promoted in the same moment by somebody else: it is said, not hidden behind a success.
    stage.sim.postgres.with("orders", "us-east", |server| server.recovery = false);
    let judged = restored(&stage);
    assert_eq!(judged.standing, Standing::Blocked);
    assert!(judged.evidence.starts_with("two primaries"), "{}", judged.evidence);
}

#[test]
fn neither_a_freeze_nor_its_undo_overwrites_what_others_have_set_since_the_look() {
    for undo in [false, true] {
        let mut stage = Stage::new();
        let prior = match undo {
            true => stage.apply(&freeze(), "read_only").0,
            false => stage.observe(&freeze(), "read_only"),
        };
        stage.sim.postgres.set_by_others("orders", "eu-west", Altered::To("off".into()));
        let permit = stage.permit("read_only", undo);
        let reply = match undo {
            true => once(freeze().undo("read_only", &permit, &prior, &stage.world)),
            false => once(freeze().apply("read_only", &permit, &prior, None, "", &stage.world)),
        };
        assert!(
            matches!(&reply, Reply::Refused { why } if why.contains("somebody else changed")),
            "{reply:?}"
        );
        let stands = stage.sim.postgres.read("orders", "eu-west", |server| server.altered.clone());
        assert_eq!(stands, Some(Altered::To("off".into())));
    }
}

#[test]
fn a_freeze_of_others_is_not_taken_for_ours_before_the_first_attempt() {
    let mut stage = Stage::new();
    let prior = stage.observe(&freeze(), "read_only");
    stage.sim.postgres.set_by_others("orders", "eu-west", Altered::To("on".into()));
    for (attempt, refused) in [(1, true), (2, false)] {
        let permit = stage.permit("read_only", false);
        assert_eq!(permit.key().attempt, attempt);
        let reply = once(freeze().apply("read_only", &permit, &prior, None, "", &stage.world));
        // Beside an attempt of our own nobody can say whose it is.
        assert_eq!(matches!(reply, Reply::Refused { .. }), refused, "attempt {attempt}: {reply:?}");
    }
}

#[test]
fn half_a_freeze_is_put_right_whatever_other_members_say_and_a_whole_one_is_not() {
    for (loaded, refused) in [(Altered::Unset, false), (Altered::To("on".into()), true)] {
        let mut stage = Stage::new();
        let prior = stage.apply(&freeze(), "read_only").0;
        let _ = stage.sim.postgres.with("orders", "eu-west", |server| server.loaded = loaded.clone());
        stage.sim.postgres.faults.silence("orders in us-east");
        let permit = stage.permit("read_only", true);
        let reply = once(freeze().undo("read_only", &permit, &prior, &stage.world));
        assert_eq!(matches!(reply, Reply::Refused { .. }), refused, "{loaded:?}: {reply:?}");
        let stands = stage.sim.postgres.read("orders", "eu-west", |server| server.altered.clone()).unwrap();
        assert_eq!(stands == Altered::Unset, !refused, "{loaded:?}");
    }
}

#[test]
fn a_freeze_is_not_sent_over_what_could_not_be_seen() {
    let mut stage = Stage::new();
    let prior = stage.observe(&freeze(), "read_only");
    stage.sim.postgres.faults.silence("orders in eu-west");
    let permit = stage.permit("read_only", false);
    let reply = once(freeze().apply("read_only", &permit, &prior, None, "", &stage.world));
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("nothing was sent")), "{reply:?}");
}
