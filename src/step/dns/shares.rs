//! Giving a record certain shares at all its servers: judging, writing, putting back. Used by `dns.shift` and `dns.restore`.

use super::{Facts, Silent, Target, kept_ttl, left, unread};
use crate::journal::Permit;
use crate::step::contract::{Aim, Judgement, Remark};
use crate::world::dns::{RecordAim, RecordFacts, RecordSet, Shares};
use crate::world::record_content::{WHOLE, in_words, normalised, wanted, words};
use crate::world::{Known, Reply, World};
use std::collections::BTreeMap;

/// Whether a sample fits shares: a region that should get nothing gets none, one that should get everything gets all, and between
/// them the count is within 3.29 standard deviations (99.9 %) of its expectation, and one more. Otherwise, what is wrong.
pub(super) fn fits(sampled: &BTreeMap<String, u32>, shares: &Shares) -> Result<(), String> {
    let total: u32 = sampled.values().sum();
    if total == 0 {
        return Err("answers nothing".into());
    }
    let count = f64::from(total);
    for (place, seen) in sampled {
        if *seen > 0 && shares.get(place).copied().unwrap_or(0) == 0 {
            return Err(format!("answers {place} in {seen} of {total} answers"));
        }
    }
    for (region, share) in normalised(shares) {
        let seen = f64::from(sampled.get(&region).copied().unwrap_or(0));
        let p = f64::from(share) / f64::from(WHOLE);
        let bound = if share == WHOLE { 0.5 } else { 3.29 * (count * p * (1.0 - p)).sqrt() + 1.0 };
        if (seen - count * p).abs() > bound {
            return Err(format!("answers {region} in {seen} of {total} answers"));
        }
    }
    Ok(())
}

/// Whether one server holds any of these shares, and what its answers say of that. `None`: it holds others.
fn holds(seen: &RecordFacts, aims: &[Shares]) -> Option<(Shares, Result<(), Known<String>>)> {
    let shares = normalised(seen.shares.get()?);
    if !aims.iter().any(|aim| normalised(aim) == shares) {
        return None;
    }
    let answered = match &seen.sampled {
        Known::Known(sampled) => fits(sampled, &shares).map_err(Known::Known),
        Known::Unknown(why) => Err(Known::Unknown(why.clone())),
    };
    Some((shares, answered))
}

/// Judges shares. The first of `aims` is what this effect writes; the others are what later effects of the same step write, which
/// count as reached too: a resumed run must not go back to an earlier stage. `steady` are regions whose share must not change.
pub(super) fn judge(
    target: &Target,
    aims: &[Shares],
    steady: &[String],
    silent: Silent,
    facts: &Facts,
    aim: Aim<'_, Facts>,
) -> Judgement {
    match aim {
        Aim::Applied => applied(target, aims, steady, silent, facts),
        Aim::Restored(prior) => match aims.first() {
            Some(ours) => restored(target, ours, facts, prior),
            None => Judgement::unknown("there is nothing to judge"),
        },
    }
}

fn applied(target: &Target, aims: &[Shares], steady: &[String], silent: Silent, facts: &Facts) -> Judgement {
    if let Some(why) = unread(facts, silent) {
        return Judgement::unknown(why);
    }
    let Some(aim) = aims.first() else { return Judgement::unknown("there is nothing to judge") };
    let known = || facts.servers.iter().filter_map(|(server, seen)| seen.get().map(|seen| (server, seen)));
    let mut behind = Vec::new();
    for (server, seen) in known() {
        if holds(seen, aims).is_some() {
            continue;
        }
        let shares = match &seen.shares {
            Known::Known(shares) => shares,
            Known::Unknown(why) => return Judgement::blocked(format!("{server}: {why}")),
        };
        if let Some(region) =
            steady.iter().find(|region| shares.get(*region).unwrap_or(&0) != aim.get(*region).unwrap_or(&0))
        {
            return Judgement::blocked(format!(
                "{server} gives {}, and the step would change the share of {region}, which it neither leaves nor enters; say \
                 `shares`",
                words(shares)
            ));
        }
        if let Err(why) = wanted(&target.spec, &seen.sets, &RecordAim::Shares(aim.clone())) {
            return Judgement::blocked(format!("{server}: {why}"));
        }
        behind.push(format!("{server} gives {}", words(shares)));
    }
    if !behind.is_empty() {
        return Judgement::not_reached(format!("{}{}", behind.join(", "), left(facts)));
    }
    let mut evidence = Vec::new();
    for (server, seen) in known() {
        let Some((shares, answered)) = holds(seen, aims) else { continue };
        match answered {
            Err(Known::Unknown(why)) => {
                return Judgement::unknown(format!("{server} holds {}, but by DNS: {why}", words(&shares)));
            }
            Err(Known::Known(what)) => {
                return Judgement::moving(format!("{server} holds {}, but {what}", words(&shares)));
            }
            Ok(()) => {
                let total: u32 = seen.sampled.get().map_or(0, |sampled| sampled.values().sum());
                evidence.push(format!("{server} answers {} ({total} answers)", words(&shares)));
            }
        }
    }
    Judgement::reached(format!("{}{}", evidence.join(", "), left(facts)))
}

/// What we wrote over these sets.
fn ours(target: &Target, prior: &RecordFacts, aim: &Shares) -> Option<Vec<RecordSet>> {
    wanted(&target.spec, &prior.sets, &RecordAim::Shares(aim.clone())).ok()
}

/// The same but for the time to live, which is no part of the shares: another step of the same run may have put it back meanwhile.
fn same_contents(one: &[RecordSet], other: &[RecordSet]) -> bool {
    let bare = |sets: &[RecordSet]| -> Vec<RecordSet> {
        sets.iter().map(|set| RecordSet { ttl: 0, ..set.clone() }).collect()
    };
    bare(one) == bare(other)
}

fn restored(target: &Target, aim: &Shares, facts: &Facts, prior: &Facts) -> Judgement {
    let (mut remain, mut foreign, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for (server, before) in &prior.servers {
        // A server that was left has nothing of ours.
        let Known::Known(before) = before else { continue };
        let now = match facts.servers.get(server) {
            Some(Known::Known(now)) => now,
            Some(Known::Unknown(why)) => {
                return Judgement::unknown(format!("{server} cannot be read: {why}"));
            }
            None => return Judgement::unknown(format!("{server} was not read")),
        };
        if same_contents(&now.sets, &before.sets) {
            if let (Known::Known(shares), Known::Known(sampled)) = (&before.shares, &now.sampled)
                && let Err(what) = fits(sampled, shares)
            {
                return Judgement::moving(format!("{server} holds {} again, but {what}", words(shares)));
            }
            back.push(format!("{server} gives {}{}", in_words(&now.sets), kept_ttl(&before.sets, &now.sets)));
        } else if ours(target, before, aim).is_some_and(|ours| same_contents(&ours, &now.sets)) {
            remain.push(format!("{server} still gives {}", in_words(&now.sets)));
        } else {
            foreign.push(format!("{server} gives {}", in_words(&now.sets)));
        }
    }
    if !remain.is_empty() {
        return Judgement::not_reached(remain.join(", "));
    }
    if foreign.is_empty() {
        return Judgement::reached(format!("as before: {}", back.join(", ")));
    }
    Judgement::reached(format!(
        "somebody else changed it since, and it was left alone: {}",
        foreign.join(", ")
    ))
    .with_remark(Remark::ForeignChange)
}

/// Writes the shares at every server that was read.
pub(super) async fn apply(
    target: &Target,
    aim: &Shares,
    permit: &Permit,
    prior: &Facts,
    world: &World,
) -> Reply {
    let aim = RecordAim::Shares(aim.clone());
    let mut replies = Vec::new();
    for (server, before) in &prior.servers {
        let Known::Known(before) = before else { continue };
        let at = target.at(server);
        let reply = world.dns.swap(permit, &at, &before.sets, &aim).await;
        let stop = !matches!(reply, Reply::Acknowledged { .. });
        replies.push((server.clone(), reply));
        if stop {
            break;
        }
    }
    together(replies)
}

/// Puts back what stood at every server, where it is still ours.
pub(super) async fn undo(
    target: &Target,
    aim: &Shares,
    permit: &Permit,
    prior: &Facts,
    world: &World,
) -> Reply {
    let mut replies = Vec::new();
    for (server, before) in &prior.servers {
        let Known::Known(before) = before else { continue };
        let Some(ours) = ours(target, before, aim) else { continue };
        let at = target.at(server);
        let now = world.dns.look(&at).await;
        // The time to live stays as it is now: it is not ours to put back.
        let (ours, back) = match now {
            Known::Known(now) if same_contents(&now.sets, &ours) => {
                let ttl = now.sets.first().map_or(target.spec.ttl, |set| set.ttl);
                let back = before.sets.iter().map(|set| RecordSet { ttl, ..set.clone() }).collect();
                (now.sets, back)
            }
            Known::Known(_) | Known::Unknown(_) => (ours, before.sets.clone()),
        };
        let back = RecordAim::Sets(back);
        // A refusal at one server (somebody else wrote there) must not keep the others from being put back.
        let reply = world.dns.swap(permit, &at, &ours, &back).await;
        replies.push((server.clone(), reply));
    }
    together(replies)
}

/// One reply for several servers. Only if every server refused is it proof that nothing was changed.
pub(super) fn together(replies: Vec<(String, Reply)>) -> Reply {
    let (mut done, mut refused, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for (server, reply) in replies {
        match reply {
            Reply::Acknowledged { note } => done.push(format!("{server}: {note}")),
            Reply::Refused { why } => refused.push(format!("{server}: {why}")),
            Reply::Lost { why } => lost.push(format!("{server}: {why}")),
            Reply::More { progress, .. } => lost.push(format!("{server}: only {progress}")),
        }
    }
    if !lost.is_empty() || (!done.is_empty() && !refused.is_empty()) {
        return Reply::lost([lost, refused, done].concat().join("; "));
    }
    match (done.is_empty(), refused.is_empty()) {
        (false, _) => Reply::acknowledged(done.join("; ")),
        (true, false) => Reply::refused(refused.join("; ")),
        (true, true) => Reply::refused("no server was read"),
    }
}

/// What a dry run prints.
pub(super) fn would(target: &Target, aim: &Shares, facts: &Facts) -> Vec<String> {
    let aim = RecordAim::Shares(aim.clone());
    facts
        .servers
        .iter()
        .map(|(server, seen)| match seen {
            Known::Unknown(why) => format!("{} at {server}: cannot be read: {why}", target.spec.domain),
            Known::Known(seen) => match wanted(&target.spec, &seen.sets, &aim) {
                Ok(goal) => target.line(server, &seen.sets, &goal),
                Err(why) => format!("{} at {server}: not possible: {why}", target.spec.domain),
            },
        })
        .collect()
}

/// What a person consents to: who has the traffic now.
pub(super) fn substance(facts: &Facts) -> String {
    let of = |seen: &Known<RecordFacts>| match seen {
        Known::Known(seen) => seen.shares.as_ref().map(words).to_string(),
        Known::Unknown(_) => "unknown".into(),
    };
    facts
        .servers
        .iter()
        .map(|(server, seen)| format!("{server}: {}", of(seen)))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The contents that undo would restore. Not the time to live: a step of the same run may shorten it first.
pub(super) fn identity(target: &Target, facts: &Facts) -> Vec<(String, String)> {
    let known = facts.servers.iter().filter_map(|(server, seen)| seen.get().map(|seen| (server, seen)));
    known
        .map(|(server, seen)| {
            let contents: Vec<_> =
                seen.sets.iter().map(|set| format!("{} {}", set.kind, set.contents.join(", "))).collect();
            (format!("{} at {server}", target.resource()), contents.join("; "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::examples::{alike, both, of_sets, server, shares, target};
    use super::*;
    use crate::step::Standing;

    const EU: &[(&str, u32)] = &[("eu-west", 10_000)];
    const US: &[(&str, u32)] = &[("us-east", 10_000)];
    const TENTH: &[(&str, u32)] = &[("eu-west", 9_000), ("us-east", 1_000)];

    fn steady() -> Vec<String> {
        vec!["ap-south".into()]
    }

    fn judged(facts: &Facts, silent: Silent) -> Judgement {
        judge(&target(), &[shares(US)], &steady(), silent, facts, Aim::Applied)
    }

    #[test]
    fn applied_is_judged_by_what_stands_and_by_what_is_answered() {
        let known = |list| Known::Known(server(list));
        let silent = || Known::unknown("no answer in time");
        let mut servfail = server(US);
        servfail.sampled = Known::unknown("the server answers SERVFAIL");
        let mut stale = server(US);
        stale.sampled = Known::Known([("eu-west".to_owned(), 12)].into());
        let foreign =
            of_sets(vec![RecordSet { kind: "A".into(), ttl: 60, contents: vec!["203.0.113.99".into()] }]);
        let cases = [
            (alike(EU), Standing::NotReached, "pdns-eu gives eu-west 100%"),
            (both(known(US), known(EU)), Standing::NotReached, "pdns-us gives eu-west 100%"),
            (alike(US), Standing::Reached, "pdns-eu answers us-east 100% (12 answers)"),
            (both(known(US), silent()), Standing::Unknown, "pdns-us cannot be read: no answer in time"),
            (both(known(US), Known::Known(servfail)), Standing::Unknown, "SERVFAIL"),
            (both(known(US), Known::Known(stale)), Standing::Moving, "answers eu-west in 12 of 12"),
            (both(known(EU), Known::Known(foreign)), Standing::Blocked, "203.0.113.99 is no target"),
            (alike(&[("ap-south", 5_000), ("eu-west", 5_000)]), Standing::Blocked, "the share of ap-south"),
        ];
        for (facts, standing, words) in cases {
            let judged = judged(&facts, Silent::Refuse);
            assert_eq!(judged.standing, standing, "{}", judged.evidence);
            assert!(judged.evidence.contains(words), "{} / {words}", judged.evidence);
        }
    }

    #[test]
    fn a_silent_server_is_left_only_when_the_step_says_so_and_another_one_answers() {
        let half = both(Known::unknown("no answer"), Known::Known(server(US)));
        assert_eq!(judged(&half, Silent::Refuse).standing, Standing::Unknown);
        let left = judged(&half, Silent::Leave);
        assert_eq!(left.standing, Standing::Reached);
        assert!(left.evidence.ends_with("silent and left: pdns-eu"), "{}", left.evidence);
        let none = both(Known::unknown("no answer"), Known::unknown("no answer"));
        assert_eq!(judged(&none, Silent::Leave).standing, Standing::Unknown);
    }

    #[test]
    fn restored_compares_with_the_prior_sets_and_leaves_what_is_foreign() {
        let prior = alike(EU);
        let judged = |facts: &Facts| {
            judge(&target(), &[shares(US)], &steady(), Silent::Refuse, facts, Aim::Restored(&prior))
        };
        assert_eq!(judged(&alike(EU)).standing, Standing::Reached);
        assert_eq!(judged(&alike(US)).standing, Standing::NotReached);
        let mixed = judged(&both(Known::Known(server(TENTH)), Known::Known(server(US))));
        assert_eq!(mixed.standing, Standing::NotReached, "ours first: {}", mixed.evidence);
        let foreign = judged(&both(Known::Known(server(TENTH)), Known::Known(server(EU))));
        assert_eq!((foreign.standing, foreign.remark), (Standing::Reached, Some(Remark::ForeignChange)));
        let silent = judged(&both(Known::unknown("no answer"), Known::Known(server(EU))));
        assert_eq!(silent.standing, Standing::Unknown);
    }

    #[test]
    fn a_later_stage_counts_as_reached_for_an_earlier_one() {
        let stages = [shares(TENTH), shares(US)];
        let judged = judge(&target(), &stages, &steady(), Silent::Refuse, &alike(US), Aim::Applied);
        assert_eq!(judged.standing, Standing::Reached);
    }

    #[test]
    fn samples_are_accepted_within_their_bounds() {
        let tenth = shares(TENTH);
        let seen = |us: u32| [("eu-west".to_owned(), 400 - us), ("us-east".to_owned(), us)].into();
        for (us, fine) in [(40, true), (25, true), (55, true), (10, false), (80, false), (0, false)] {
            assert_eq!(fits(&seen(us), &tenth).is_ok(), fine, "{us}");
        }
        assert!(fits(&[("us-east".to_owned(), 11), ("eu-west".to_owned(), 1)].into(), &shares(US)).is_err());
        assert!(fits(&BTreeMap::new(), &shares(US)).is_err());
    }

    #[test]
    fn only_when_every_server_refused_is_it_proof_that_nothing_happened() {
        let named = |reply| ("s".to_owned(), reply);
        let (done, no, lost) = (Reply::acknowledged("ok"), Reply::refused("no"), Reply::lost("late"));
        assert!(matches!(together(vec![named(no.clone()), named(no.clone())]), Reply::Refused { .. }));
        assert!(matches!(together(vec![named(done.clone()), named(no)]), Reply::Lost { .. }));
        assert!(matches!(together(vec![named(done.clone()), named(lost)]), Reply::Lost { .. }));
        assert!(matches!(together(vec![named(done.clone()), named(done)]), Reply::Acknowledged { .. }));
    }

    #[test]
    fn a_dry_run_shows_the_exact_record() {
        let lines = would(&target(), &shares(US), &alike(EU));
        assert_eq!(lines[0], "www.example.com. A 60 192.0.2.10 → 198.51.100.10 at pdns-eu");
        let lines = would(&target(), &shares(TENTH), &alike(EU));
        assert!(
            lines[1].starts_with(
                "www.example.com. A 60 192.0.2.10 → LUA 60 A \"pickwrandom({{90,'192.0.2.10'},{10,'198.51.100.10'}}) --"
            ) && lines[1].ends_with(" at pdns-us"),
            "{}",
            lines[1]
        );
    }
}
