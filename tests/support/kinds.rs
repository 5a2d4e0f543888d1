//! Kinds for a pair of servers, and one step of them as the engine does it.

use super::pg::PATIENCE;
use super::world::{RUN, permit, source, target};
use mrctl::step::postgres::catch_up::CatchUp;
use mrctl::step::postgres::check_lag::CheckLag;
use mrctl::step::postgres::freeze::Freeze;
use mrctl::step::postgres::preflight::Preflight;
use mrctl::step::postgres::promote::Promote;
use mrctl::step::postgres::verify_writable::VerifyWritable;
use mrctl::step::{Aim, Judgement, Kind, Sight, Standing};
use mrctl::world::postgres::Handover;
use mrctl::world::{Member, Reply, World};
use serde_json::json;
use std::time::{Duration, Instant};

pub fn kind<K: Kind>(value: serde_json::Value) -> K {
    serde_json::from_value(value).unwrap()
}

pub fn both() -> serde_json::Value {
    json!({ "cluster": "orders", "source": source(), "target": target(), "others": [] })
}

pub fn freeze() -> Freeze {
    let mut pair = both();
    pair["others"] = json!([target()]);
    kind(json!({ "pair": pair, "keep": ["monitoring", "postgres"] }))
}

pub fn catch_up() -> CatchUp {
    kind(json!({ "pair": both(), "keep": [] }))
}

pub fn promote() -> Promote {
    kind(json!({ "pair": both(), "keep": [] }))
}

/// At most this many bytes behind.
pub fn check_lag(max_bytes: u64) -> CheckLag {
    kind(json!({ "pair": both(), "max_bytes": max_bytes }))
}

/// At most this long behind, however many bytes that are.
pub fn check_lag_time(max_ms: u64) -> CheckLag {
    kind(json!({ "pair": both(), "max_bytes": u64::MAX, "max_ms": max_ms }))
}

pub fn preflight() -> Preflight {
    kind(json!({ "pair": both(), "table": "mrctl.probe" }))
}

pub fn verify(at: Member) -> VerifyWritable {
    kind(json!({ "at": at, "table": "mrctl.probe" }))
}

/// One look, judged.
pub async fn judge<K: Kind>(
    world: &World,
    kind: &K,
    effect: &str,
    handover: Option<&Handover>,
) -> (K::Facts, Judgement) {
    let starts = Default::default();
    let facts = kind.observe(effect, Sight { world, run: RUN, starts: &starts }).await;
    let judged = kind.judge(effect, &facts, Aim::Applied, handover);
    (facts, judged)
}

/// As the engine does it: look, apply what is not reached, look until it is.
pub async fn step<K: Kind>(
    world: &World,
    kind: &K,
    handover: &mut Option<Handover>,
) -> Result<(), Judgement> {
    for effect in kind.effects() {
        let begun = Instant::now();
        let (prior, mut judged) = judge(world, kind, &effect.id, handover.as_ref()).await;
        if judged.standing != Standing::Reached {
            if judged.standing != Standing::NotReached {
                return Err(judged);
            }
            let permit = permit(&effect.id, 1);
            let reply = kind.apply(&effect.id, &permit, &prior, handover.as_ref(), "", world).await;
            assert!(!matches!(reply, Reply::Refused { .. }), "{}: {reply:?}", effect.id);
            while judged.standing != Standing::Reached {
                if judged.standing == Standing::Blocked || begun.elapsed() > PATIENCE {
                    return Err(judged);
                }
                tokio::time::sleep(Duration::from_millis(effect.pace.every_ms)).await;
                judged = judge(world, kind, &effect.id, handover.as_ref()).await.1;
            }
        }
        if judged.handover.is_some() {
            *handover = judged.handover;
        }
    }
    Ok(())
}
