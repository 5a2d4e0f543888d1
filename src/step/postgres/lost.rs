//! The handover of an unplanned run: what the target has, how sure it is that nobody has more, and what is lost.

use super::evidence::answers;
use super::{Pair, PairFacts, managed, unread};
use crate::step::contract::Judgement;
use crate::world::Known;
use crate::world::Member;
use crate::world::postgres::{Counted, Handover, HandoverBy, Lsn, NO_RECEIVER, ServerFacts};

/// How far a standby has come: timeline, then position. Unknown where it still receives, because then it still moves.
fn reach(facts: &ServerFacts) -> Result<(u32, Lsn), Box<Judgement>> {
    let Some(standby) = facts.standby() else {
        return Err(Box::new(Judgement::blocked("is a primary itself: there would be two")));
    };
    match &standby.receiver {
        Known::Unknown(why) if why == NO_RECEIVER => {}
        Known::Unknown(why) => return Err(Box::new(Judgement::unknown(why.clone()))),
        // A receiver gives up after `wal_receiver_timeout`, if nothing comes any more.
        Known::Known(receiver) => {
            return Err(Box::new(Judgement::not_reached(format!(
                "receives still ({}, heard {} s ago): the old primary lives, or another feeds it",
                receiver.status,
                receiver.silent_ms / 1000
            ))));
        }
    }
    match (&standby.timeline, &standby.received) {
        (Known::Known(timeline), Known::Known(received)) => Ok((*timeline, *received)),
        (Known::Unknown(why), _) | (_, Known::Unknown(why)) => Err(Box::new(Judgement::unknown(why.clone()))),
    }
}

fn at(region: &str, judged: Judgement) -> Judgement {
    Judgement { evidence: format!("{region}: {}", judged.evidence), ..judged }
}

/// Ranks the candidates, once nothing reaches any of them any more.
pub(super) fn judge(pair: &Pair, facts: &PairFacts) -> Judgement {
    if let Some(why) = answers(&facts.source) {
        return Judgement::blocked(format!("{} {why}: move it with a planned failover", pair.source));
    }
    let target = match &facts.target {
        Known::Known(target) => target,
        Known::Unknown(why) => return Judgement::unknown(unread("the target", &pair.target, why)),
    };
    let others = facts.others.iter().filter_map(|(region, other)| Some((region, other.get()?)));
    let all = others.chain([(&pair.target.region, target)]);
    if let Some(managed) =
        all.into_iter().find_map(|(region, facts)| managed(&Member::new(&pair.cluster, region), facts))
    {
        return managed;
    }
    let (timeline, received) = match reach(target) {
        Ok(reach) => reach,
        Err(judged) => return at(&pair.target.region, *judged),
    };
    let Some(standby) = target.standby() else {
        return Judgement::unknown("its role changed while it was read");
    };
    if standby.replay != "not paused" {
        return Judgement::blocked(format!("replay on the target is {}", standby.replay));
    }
    if let Some(target) = standby.recovery_targets.first() {
        return Judgement::blocked(format!(
            "{target} is set on the target: a promotion would end the server"
        ));
    }
    if standby.apply_delay_ms > 0 {
        return Judgement::blocked("the target replays late on purpose: recovery_min_apply_delay is set");
    }
    let mut unseen = Vec::new();
    for (region, other) in &facts.others {
        match other {
            Known::Unknown(_) => unseen.push(region.as_str()),
            Known::Known(other) if other.system != target.system => {
                return Judgement::blocked(format!("{region} is another cluster: {}", other.system));
            }
            Known::Known(other) => match reach(other) {
                Err(judged) => return at(region, *judged),
                Ok(theirs) if theirs > (timeline, received) => {
                    return Judgement::blocked(format!(
                        "{region} has more: up to {} on timeline {}, and {} up to {received} on timeline {timeline}; promote that one",
                        theirs.1, theirs.0, pair.target.region
                    ));
                }
                // What a control file says of a timeline may be older than the truth.
                Ok(theirs) if theirs.1 > received => {
                    return Judgement::unknown(format!(
                        "{region} is at {} on timeline {}, {} at {received} on timeline {timeline}: nobody can tell which has more",
                        theirs.1, theirs.0, pair.target.region
                    ));
                }
                Ok(_) => {}
            },
        }
    }
    let replayed = match &standby.replayed {
        Known::Known(replayed) => *replayed,
        Known::Unknown(why) => return Judgement::unknown(format!("replay position: {why}")),
    };
    // Not waited for: where the source died in the middle of a record, the rest of what was received is never replayed (measured on
    // version 15), and the promotion replays the rest first.
    let left = received.bytes_since(replayed);
    let counted = facts.heartbeat.as_ref().map(|heartbeat| match heartbeat {
        Known::Known(heartbeat) => heartbeat.count(&target.system, timeline, received),
        Known::Unknown(why) => Known::Unknown(why.clone()),
    });
    let words = in_words(target, (received, left), &unseen, counted.as_ref());
    Judgement::reached(words).with_handover(Handover {
        system: target.system.clone(),
        timeline,
        position: replayed,
        // Of a source that nobody can ask nothing is known.
        next_transaction: 0,
        activity: Default::default(),
        source_started: String::new(),
        target_started: target.started.clone(),
        by: HandoverBy::LossAccepted,
        counted: counted.and_then(|counted| counted.get().cloned()).map(Box::new),
    })
}

/// What will be lost, as far as anybody can know it.
fn in_words(
    target: &ServerFacts,
    (received, left): (Lsn, u64),
    unseen: &[&str],
    counted: Option<&Known<Counted>>,
) -> String {
    let since = match target.standby().map(|standby| &standby.replayed_ms_ago) {
        Some(Known::Known(ago)) => format!("its last commit is {} s old", ago / 1000),
        Some(Known::Unknown(why)) => format!("the age of its last commit is unknown: {why}"),
        None => "the age of its last commit is unknown".into(),
    };
    let more = match unseen {
        [] => String::new(),
        unseen => format!("; {} cannot be seen, and may have more", unseen.join(" and ")),
    };
    let replay = match left {
        0 => String::new(),
        left => format!(" ({left} bytes of it not replayed yet, which the promotion does first)"),
    };
    let lost = match counted {
        None => "what the old primary committed after that is lost, how much is unknown".into(),
        Some(Known::Unknown(why)) => {
            format!("what the old primary committed after that is lost, how much is unknown: {why}")
        }
        Some(Known::Known(counted)) => {
            format!("{counted}; what came after that is lost, too, uncounted")
        }
    };
    format!("everything up to {received}{replay}, {since}; {lost}{more}")
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;
    use crate::world::postgres::REFUSES;

    fn left(change: impl Fn(&mut ServerFacts)) -> Known<ServerFacts> {
        let mut facts = examples::standby();
        examples::standby_of(&mut facts).receiver = Known::unknown(NO_RECEIVER);
        change(&mut facts);
        Known::Known(facts)
    }

    fn judged(target: Known<ServerFacts>, others: Vec<Known<ServerFacts>>) -> Judgement {
        let others = others.into_iter().map(|other| ("ap-south".to_string(), other)).collect();
        judge(
            &examples::pair(),
            &PairFacts { source: Known::unknown("no answer"), target, others, heartbeat: None },
        )
    }

    #[test]
    fn the_target_is_taken_when_nothing_reaches_anyone_and_nobody_has_more() {
        let judged = judged(left(|_| {}), vec![left(|_| {}), Known::unknown("no answer")]);
        assert_eq!(judged.standing, Standing::Reached, "{}", judged.evidence);
        assert!(judged.evidence.contains("how much is unknown; ap-south cannot be seen, and may have more"));
        let handover = judged.handover.unwrap();
        assert_eq!(
            (handover.by, handover.position.to_string()),
            (HandoverBy::LossAccepted, "0/5000100".into())
        );
    }

    #[test]
    fn what_heartbeats_counted_is_in_the_handover_and_in_what_a_person_reads() {
        let judged = |heartbeat| {
            let target = left(|_| {});
            let (source, others) = (Known::unknown("no answer"), vec![]);
            judge(&examples::pair(), &PairFacts { source, target, others, heartbeat: Some(heartbeat) })
        };
        let counted = judged(Known::Known(examples::heartbeat(12, Some(10))));
        let words = "lost until the last heartbeat at 00:00:05.000Z, 0 s before the count: 2 heartbeats, 8 transactions";
        assert!(counted.evidence.contains(words), "{}", counted.evidence);
        assert!(counted.evidence.contains("lost, too, uncounted"), "{}", counted.evidence);
        let count = counted.handover.unwrap().counted.unwrap();
        assert_eq!((count.heartbeats.most, count.transactions.least, count.from_ms), (2, 8, 3_000));
        for unknown in [Known::Known(examples::heartbeat(12, None)), Known::unknown("no file")] {
            let judged = judged(unknown);
            assert_eq!(judged.standing, Standing::Reached);
            assert!(judged.evidence.contains("how much is unknown: no"), "{}", judged.evidence);
            assert_eq!(judged.handover.unwrap().counted, None);
        }
    }

    #[test]
    fn whoever_still_receives_or_has_more_or_answers_forbids_it() {
        let further = left(|facts| {
            examples::standby_of(facts).received = Known::Known("0/5000200".parse().unwrap());
        });
        let newer = left(|facts| examples::standby_of(facts).timeline = Known::Known(2));
        for (target, others, word) in [
            (left(|_| {}), vec![Known::Known(examples::primary())], "primary itself"),
            (left(|_| {}), vec![further], "ap-south has more"),
            (left(|_| {}), vec![newer], "ap-south has more"),
            (left(|facts| examples::standby_of(facts).replay = "paused".into()), vec![], "paused"),
            (left(|facts| examples::standby_of(facts).apply_delay_ms = 1), vec![], "late on purpose"),
            (left(|facts| facts.managers = vec!["Patroni".into()]), vec![], "another manager"),
            (left(|_| {}), vec![left(|facts| facts.managers = vec!["repmgrd".into()])], "another manager"),
        ] {
            let judged = judged(target, others);
            assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
            assert!(judged.evidence.contains(word), "{}", judged.evidence);
        }
        let source = Known::Known(examples::primary());
        let facts = PairFacts { source, target: left(|_| {}), others: vec![], heartbeat: None };
        assert_eq!(judge(&examples::pair(), &facts).standing, Standing::Blocked);
    }

    #[test]
    fn positions_count_once_nothing_is_received_any_more() {
        let receives = || Known::Known(examples::standby());
        assert_eq!(judged(receives(), vec![]).standing, Standing::NotReached);
        assert_eq!(judged(left(|_| {}), vec![receives()]).standing, Standing::NotReached);
        let hidden = left(|facts| {
            examples::standby_of(facts).receiver = Known::unknown("the role lacks pg_monitor");
        });
        assert_eq!(judged(hidden.clone(), vec![]).standing, Standing::Unknown);
        assert_eq!(judged(left(|_| {}), vec![hidden]).standing, Standing::Unknown);
        // Ahead in numbers, and on an older timeline, as far as its control file knows.
        let newer = left(|facts| examples::standby_of(facts).timeline = Known::Known(2));
        let further = left(|facts| {
            examples::standby_of(facts).received = Known::Known("0/5000200".parse().unwrap());
        });
        assert_eq!(judged(newer, vec![further]).standing, Standing::Unknown);
        let refuses = Known::Unknown(format!("{REFUSES}too many clients (53300)"));
        let facts = PairFacts { source: refuses, target: left(|_| {}), others: vec![], heartbeat: None };
        assert_eq!(judge(&examples::pair(), &facts).standing, Standing::Blocked);
    }

    #[test]
    fn half_a_record_is_not_waited_for_and_what_is_unknown_is_no_position() {
        let behind =
            left(|facts| examples::standby_of(facts).replayed = Known::Known("0/5000000".parse().unwrap()));
        let judged_behind = judged(behind, vec![]);
        assert_eq!(judged_behind.standing, Standing::Reached);
        assert!(
            judged_behind.evidence.contains("256 bytes of it not replayed yet"),
            "{}",
            judged_behind.evidence
        );
        assert_eq!(judged_behind.handover.unwrap().position.to_string(), "0/5000000");
        let unknown =
            left(|facts| examples::standby_of(facts).received = Known::unknown("nothing was received"));
        assert_eq!(judged(unknown, vec![]).standing, Standing::Unknown);
    }
}
