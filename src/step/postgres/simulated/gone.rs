//! A source that is gone, half gone, or only out of sight: what is seen of it, and what a fence does and proves.

use super::super::evidence::{Says, evidence};
use super::super::fence::Fence;
use super::*;
use crate::world::Known;
use crate::world::clock::{Clock as _, Moment};

const AT: (&str, &str) = ("orders", "eu-west");

/// What becomes of the source.
#[derive(Clone, Copy, Debug)]
enum Source {
    Dead,
    Lost,
    Hung,
    Hidden,
    Parted,
}

fn fence() -> Fence {
    let command = |name: &str| json!({ "argv": [name], "env": {}, "pass": [], "timeout_ms": 1000 });
    kind(json!({
        "pair": pair(), "keep": [], "rungs": [command("end"), command("close")], "fenced": command("reach"),
    }))
}

/// Of an unplanned run.
fn promotion() -> Promote {
    let reach = json!({ "argv": ["reach"], "env": {}, "pass": [], "timeout_ms": 1000 });
    kind(json!({ "pair": pair(), "keep": [], "fenced": reach, "unplanned": true }))
}

fn look_behind() -> CatchUp {
    kind(json!({ "pair": pair(), "keep": [], "unplanned": true }))
}

impl Stage {
    /// The source has been like this for an hour.
    fn with_source(source: Source) -> Self {
        let stage = Self::new();
        let since = Moment(stage.sim.clock.now().0 - 3_600_000);
        let postgres = &stage.sim.postgres;
        let all = Isolated::from_all(since);
        if matches!(source, Source::Dead | Source::Lost) {
            postgres.crash(AT.0, AT.1);
        }
        postgres.isolate(
            AT.0,
            AT.1,
            match source {
                Source::Dead => Isolated::default(),
                Source::Lost | Source::Hung => all,
                Source::Hidden => Isolated { us: true, ..Isolated::default() },
                Source::Parted => Isolated { applications: false, ..all },
            },
        );
        let at = Member::new(AT.0, AT.1);
        for (command, act) in [
            ("end", Act::Fence(at.clone(), Means::End)),
            ("close", Act::Fence(at.clone(), Means::Close)),
            ("reach", Act::Fenced(at)),
        ] {
            stage.sim.exec.script(command, Script { acts: Some(act), ..Script::default() });
        }
        stage
    }

    /// The whole ladder, as the engine goes it: each rung is a slice.
    fn ladder(&mut self) -> Vec<&'static str> {
        let (prior, permit) = (self.observe(&fence(), "fence"), self.permit("fence", false));
        let (mut cursor, mut said) = (String::new(), Vec::new());
        loop {
            match once(fence().apply("fence", &permit, &prior, None, &cursor, &self.world)) {
                Reply::More { cursor: next, .. } => {
                    cursor = next;
                    said.push("more");
                }
                Reply::Acknowledged { .. } => said.push("acknowledged"),
                Reply::Refused { .. } => said.push("refused"),
                Reply::Lost { .. } => said.push("lost"),
            }
            if said.last() != Some(&"more") {
                return said;
            }
        }
    }

    fn standing(&mut self, effect: &str) -> Standing {
        self.judge(&fence(), effect).standing
    }

    /// What each vantage point says: mrctl, the standby, users.
    fn says(&self) -> Vec<&'static str> {
        let facts = self.observe(&fence(), "missed");
        let says = evidence(&pair(), &facts.source, &facts.standbys, &facts.fenced);
        let word = |says: &Says| match says {
            Says::Alive(_) => "alive",
            Says::Dead(_) => "dead",
            Says::Unknown(_) => "unknown",
        };
        says.iter().map(word).collect()
    }

    fn open(&self) -> Vec<String> {
        self.sim.postgres.writable(AT.0)
    }
}

#[test]
fn everyone_who_could_know_says_what_they_see() {
    for (source, says, standing) in [
        (Source::Dead, ["unknown", "dead", "dead"], Standing::Reached),
        (Source::Lost, ["unknown", "dead", "unknown"], Standing::Reached),
        (Source::Hung, ["unknown", "dead", "unknown"], Standing::Reached),
        (Source::Hidden, ["unknown", "alive", "alive"], Standing::Blocked),
        (Source::Parted, ["unknown", "dead", "alive"], Standing::Blocked),
    ] {
        let mut stage = Stage::with_source(source);
        assert_eq!(stage.says(), says, "{source:?}");
        assert_eq!(stage.standing("missed"), standing, "{source:?}");
    }
}

#[test]
fn a_receiver_that_hears_nothing_says_less_and_less_until_it_gives_up() {
    let mut stage = Stage::with_source(Source::Hung);
    stage.sim.postgres.isolate(AT.0, AT.1, Isolated::from_all(stage.sim.clock.now()));
    for (seconds, says, standing) in
        [(0, "alive", Standing::Blocked), (31, "unknown", Standing::Unknown), (61, "dead", Standing::Reached)]
    {
        stage.sim.postgres.isolate(
            AT.0,
            AT.1,
            Isolated::from_all(Moment(stage.sim.clock.now().0 - seconds * 1000)),
        );
        assert_eq!(stage.says()[1], says, "{seconds} s");
        assert_eq!(stage.standing("missed"), standing, "{seconds} s");
    }
}

#[test]
fn a_rung_is_believed_only_when_no_user_can_reach_the_source() {
    use Source::{Hung, Lost, Parted};
    let late = Fault::Late(Duration::from_secs(60));
    for (source, faults, said, standing) in [
        (Hung, vec![], &["acknowledged"][..], Standing::Reached),
        (Hung, vec![Fault::LostApplied], &["acknowledged"], Standing::Reached),
        // It says that it is done, and is not: the next one is for that.
        (Hung, vec![Fault::Claimed], &["more", "acknowledged"], Standing::Reached),
        (Hung, vec![Fault::Claimed, Fault::Claimed], &["more", "lost"], Standing::NotReached),
        (Hung, vec![Fault::Refuse, Fault::LostAbsent], &["more", "lost"], Standing::NotReached),
        (Hung, vec![late.clone(), Fault::Claimed], &["more", "lost"], Standing::NotReached),
        // There is nothing to end, and nobody who answers in its place.
        (Lost, vec![], &["more", "acknowledged"], Standing::Reached),
        (Lost, vec![Fault::None, Fault::Claimed], &["more", "lost"], Standing::NotReached),
        (Parted, vec![], &["acknowledged"], Standing::Reached),
        (Parted, vec![Fault::Claimed, Fault::Claimed], &["more", "lost"], Standing::Blocked),
    ] {
        let mut stage = Stage::with_source(source);
        for fault in &faults {
            stage.sim.exec.faults.push(fault.clone());
        }
        assert_eq!(stage.ladder(), said, "{source:?} {faults:?}");
        assert_eq!(stage.standing("fence"), standing, "{source:?} {faults:?}");
        if faults.contains(&late) {
            stage.sim.clock.advance(Duration::from_secs(61));
            assert_eq!(stage.standing("fence"), Standing::Reached, "it has come about");
        }
    }
}

#[test]
fn where_nobody_can_tell_the_ladder_is_gone_to_its_end_and_proves_nothing() {
    let mut stage = Stage::with_source(Source::Hung);
    stage.sim.exec.faults.silence("reach");
    assert_eq!(stage.ladder(), ["more", "lost"]);
    assert_eq!(stage.standing("fence"), Standing::NotReached);
    stage.sim.exec.faults.unsilence("reach");
    assert_eq!(stage.standing("fence"), Standing::Reached);
}

#[test]
fn a_source_that_was_ended_and_is_started_again_is_not_promoted_over() {
    for back in [true, false] {
        let mut stage = Stage::with_source(Source::Hung);
        assert_eq!(stage.ladder(), ["acknowledged"]);
        let seen = stage.judge(&look_behind(), "look");
        assert_eq!(seen.standing, Standing::Reached, "{}", seen.evidence);
        if back {
            stage.sim.postgres.come_back(AT.0, AT.1);
            assert_eq!(stage.standing("fence"), Standing::Blocked);
        }
        let (_, reply) = stage.apply(&promotion(), "promote");
        assert_eq!(matches!(reply, Reply::Refused { .. }), back, "{reply:?}");
        assert_eq!(stage.open(), [if back { "eu-west" } else { "us-east" }]);
    }
}

#[test]
fn what_is_closed_off_stays_so_when_it_is_in_sight_again() {
    let mut stage = Stage::with_source(Source::Hung);
    stage.sim.exec.faults.push(Fault::Claimed);
    assert_eq!(stage.ladder(), ["more", "acknowledged"]);
    assert_eq!(stage.judge(&look_behind(), "look").standing, Standing::Reached);
    let (_, reply) = stage.apply(&promotion(), "promote");
    assert!(matches!(reply, Reply::Acknowledged { .. }), "{reply:?}");
    stage.sim.postgres.in_sight_again(AT.0, AT.1);
    assert_eq!(stage.open(), ["us-east"]);
    let facts = stage.observe(&promotion(), "promote");
    assert!(matches!(facts.source, Known::Known(_)), "mrctl sees it");
    assert!(!stage.sim.postgres.write(AT.0, AT.1, "row", true), "no user gets there");
}

#[test]
fn a_promotion_whose_fence_nobody_can_see_is_refused() {
    let mut stage = Stage::with_source(Source::Hung);
    assert_eq!(stage.ladder(), ["acknowledged"]);
    assert_eq!(stage.judge(&look_behind(), "look").standing, Standing::Reached);
    stage.sim.exec.faults.silence("reach");
    let (_, reply) = stage.apply(&promotion(), "promote");
    assert!(matches!(&reply, Reply::Refused { why } if why.contains("is unknown")), "{reply:?}");
    assert_eq!(stage.open(), [""; 0]);
}
