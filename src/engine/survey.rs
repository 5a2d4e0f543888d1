//! Looks at everything once: for the ending of a run, for `status`, for a dry run.

use super::record::Record;
use super::state::{Intent, RunState};
use crate::plan::Plan;
use crate::step::Class;
use crate::step::contract::Part;
use crate::world::dns::{RecordFacts, RecordName, Shares};
use crate::world::postgres::{Commits, Glance, GlanceRole, HandoverBy, Scope, ServerFacts};
use crate::world::{Known, Member, World};
use std::collections::BTreeMap;

mod fenced;

use fenced::{closed_off, fenced};

/// A cluster as seen now.
#[derive(Clone, Debug)]
pub struct ClusterNow {
    /// Facts by region.
    pub members: BTreeMap<String, Known<ServerFacts>>,
}

impl ClusterNow {
    /// Regions observed as primaries.
    pub fn primaries(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, facts)| facts.is(|facts| !facts.in_recovery()))
            .map(|(region, _)| region.as_str())
            .collect()
    }

    /// Primaries with what tells them apart: "eu-west (frozen) and us-east".
    pub fn primaries_in_words(&self) -> String {
        let writable = self.writable();
        let word = |region: &&str| match writable.contains(region) {
            true => region.to_string(),
            false => format!("{region} (frozen)"),
        };
        self.primaries().iter().map(word).collect::<Vec<_>>().join(" and ")
    }

    /// Regions from which new transactions can write: primaries that are not frozen.
    pub fn writable(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter(|(_, facts)| facts.is(|facts| !facts.in_recovery() && !facts.read_only.on))
            .map(|(region, _)| region.as_str())
            .collect()
    }

    /// Regions whose server could not be seen.
    pub fn unseen(&self) -> Vec<&str> {
        let unseen = self.members.iter().filter(|(_, facts)| facts.get().is_none());
        unseen.map(|(region, _)| region.as_str()).collect()
    }

    /// Whether a primary exists but none accepts writes by default.
    pub fn frozen(&self) -> bool {
        !self.primaries().is_empty() && self.writable().is_empty()
    }
}

/// Looks at the members of a cluster, all at once.
pub async fn cluster(world: &World, name: &str, regions: &[String], run: &str) -> ClusterNow {
    let scope = Scope { keep: Vec::new(), run: run.to_string() };
    let looks = regions.iter().map(|region| {
        let (member, scope) = (Member::new(name, region), &scope);
        async move { (region.clone(), world.postgres.look(&member, scope).await) }
    });
    ClusterNow { members: futures_util::future::join_all(looks).await.into_iter().collect() }
}

/// What each of its servers has of a record.
async fn held(world: &World, name: &str, servers: &[String]) -> BTreeMap<String, Known<RecordFacts>> {
    let looks = servers.iter().map(|server| {
        let at = RecordName { record: name.to_string(), server: server.clone() };
        async move { (server.clone(), world.dns.look(&at).await) }
    });
    futures_util::future::join_all(looks).await.into_iter().collect()
}

/// Shares of a record at each of its servers.
pub async fn record(world: &World, name: &str, servers: &[String]) -> BTreeMap<String, Known<Shares>> {
    let held = held(world, name, servers).await;
    held.into_iter().map(|(server, facts)| (server, shares(facts))).collect()
}

fn shares(facts: Known<RecordFacts>) -> Known<Shares> {
    match facts {
        Known::Known(facts) => facts.shares,
        Known::Unknown(why) => Known::Unknown(why),
    }
}

/// Regions that a server sends users to, and that have no share by what it holds: whoever answers for it has not followed yet.
fn answered_otherwise(facts: &RecordFacts) -> Vec<&str> {
    let (Known::Known(shares), Known::Known(sampled)) = (&facts.shares, &facts.sampled) else {
        return Vec::new();
    };
    let none = |region: &&String| shares.get(*region).is_none_or(|share| *share == 0);
    sampled.keys().filter(none).map(String::as_str).collect()
}

/// Shares in words: `100% us-east`, `90% eu-west, 10% us-east`.
pub fn shares_in_words(shares: &Shares) -> String {
    let parts: Vec<String> = shares
        .iter()
        .filter(|(_, share)| **share > 0)
        .map(|(region, share)| {
            if share % 100 == 0 {
                format!("{}% {region}", share / 100)
            } else {
                format!("{}.{:02}% {region}", share / 100, share % 100)
            }
        })
        .collect();
    parts.join(", ")
}

/// What a person sees before consenting to a promotion: of each member its role, timeline and lag.
pub async fn before_the_pivot(plan: &Plan, world: &World, run: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, regions) in &plan.clusters {
        let now = cluster(world, name, regions, run).await;
        let flushed = now.members.values().filter_map(Known::get).find_map(ServerFacts::primary);
        for (region, facts) in &now.members {
            let what = match facts {
                Known::Unknown(why) => format!("unknown: {why}"),
                Known::Known(facts) => match (facts.primary(), facts.standby()) {
                    (Some(primary), _) => {
                        let sessions = match &facts.sessions {
                            Known::Known(sessions) => format!("{} client sessions", sessions.total()),
                            Known::Unknown(why) => format!("sessions unknown: {why}"),
                        };
                        let frozen = if facts.read_only.on { ", FROZEN" } else { "" };
                        format!("primary on timeline {}{frozen}, {sessions}", primary.timeline)
                    }
                    (None, Some(standby)) => match (&standby.replayed, flushed) {
                        (Known::Known(replayed), Some(primary)) => {
                            format!("standby, {} bytes behind", primary.flushed.bytes_since(*replayed))
                        }
                        (Known::Unknown(why), _) => format!("standby, lag unknown: {why}"),
                        (Known::Known(_), None) => "standby, lag unknown: no primary was seen".into(),
                    },
                    (None, None) => "unknown".into(),
                },
            };
            lines.push(format!("{name} in {region}: {what}"));
        }
    }
    lines
}

/// Whether this run makes the source of this data set a standby, and moves nothing.
pub fn follows_up(plan: &Plan, set: &str) -> bool {
    let resource = format!("postgres/{set}");
    let mut rejoins = false;
    for (s, _, planned) in plan.effects() {
        if plan.steps[s].skipped.is_some() || !planned.action.resources().contains(&resource) {
            continue;
        }
        match planned.action.info().part {
            Part::Pivot | Part::Freeze | Part::Stop => return false,
            Part::Rejoin => rejoins = true,
            Part::Pause | Part::CatchUp | Part::Fence | Part::Probe | Part::Traffic | Part::Other => {}
        }
    }
    rejoins
}

/// Whether this run has stopped this data set's source, and has seen it stopped.
fn stopped(plan: &Plan, state: &RunState, set: &str) -> bool {
    plan.effects().any(|(s, e, planned)| {
        let stops =
            planned.action.info().part == Part::Stop && planned.effect.freezes.as_deref() == Some(set);
        let effect = state.steps.get(s).and_then(|step| step.effects.get(e));
        stops && effect.is_some_and(|effect| effect.landed() && effect.stands())
    })
}

/// What a server is now, in a word or two.
fn server_in_words(facts: &Known<ServerFacts>, stopped: bool, fenced: bool) -> String {
    match facts {
        // Not where it answers: then what is seen of it counts.
        Known::Unknown(_) if fenced => "fenced".into(),
        Known::Unknown(why) if why.contains("refused") && stopped => "stopped".into(),
        // A refused connection says nothing about the path of the application: it is told as what it is.
        Known::Unknown(why) if why.contains("refused") => "refuses connections from here".into(),
        Known::Unknown(_) => "unknown".into(),
        Known::Known(facts) if facts.in_recovery() => "standby".into(),
        Known::Known(facts) if facts.read_only.on => "frozen".into(),
        Known::Known(_) => "writable".into(),
    }
}

/// What is said of a freeze that is not in force, and may be written all the same.
fn half_frozen(plan: &Plan, world: &World, set: &str, (s, e, intent): (usize, usize, &Intent)) -> String {
    let planned = &plan.steps[s].effects[e];
    let by_hand = planned.action.by_hand(&planned.effect.id, &intent.prior, world).join(" ");
    format!(
        "{set} in {} takes writes, but the freeze may be written there and not loaded, which no look shows: the next reload or restart would stop writes. By hand: {by_hand}",
        plan.from
    )
}

/// The last look before a verdict.
pub async fn survey(plan: &Plan, world: &World, state: &RunState) -> Record {
    let mut parts = Vec::new();
    let mut notes = Vec::new();
    let (mut frozen, mut diverged, mut promoted, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), false);
    let mut waiting = Vec::new();
    let any_passed = state.passed(plan);
    for (name, regions) in &plan.clusters {
        let now = cluster(world, name, regions, &state.run).await;
        // A run that only makes the old primary a standby comes after a promotion of another run.
        let passed = state.passed_for(plan, name) || follows_up(plan, name);
        let label =
            |what: &str| if plan.clusters.len() > 1 { format!("{what} of {name}") } else { what.to_string() };
        let mut writable = now.writable();
        let unseen = now.unseen();
        let closed = match writable.contains(&plan.from.as_str()) {
            true => closed_off(plan, world, state, name).await,
            false => None,
        };
        // Seen over our own path, behind its fence: users cannot write there.
        if writable.len() > 1 && closed == Some(Known::Known(())) {
            writable.retain(|region| *region != plan.from);
            notes.push(format!("{name} in {} answers behind its fence, where no user reaches it", plan.from));
        }
        let writes = match writable.as_slice() {
            [only] if *only == plan.from && closed == Some(Known::Known(())) => {
                "nowhere (FENCED)".to_string()
            }
            [only] if *only == plan.from && closed.is_some() => format!("unknown ({only} may be fenced)"),
            [] if now.frozen() && unseen.is_empty() => "nowhere (FROZEN)".to_string(),
            [] if now.frozen() => format!("nowhere seen (FROZEN; {} cannot be seen)", unseen.join(" and ")),
            [] if unseen.is_empty() => "nowhere".to_string(),
            [] => format!("unknown ({} cannot be seen)", unseen.join(" and ")),
            several => several.join(" and "),
        };
        unknown |= writable.is_empty() && !unseen.is_empty();
        match &closed {
            Some(Known::Known(())) if writable.contains(&plan.from.as_str()) => frozen.push(name.clone()),
            Some(Known::Known(())) => {}
            Some(Known::Unknown(why)) => {
                unknown = true;
                notes.push(format!(
                    "whether users can reach {name} in {}, which this run may have fenced, is unknown: {why}",
                    plan.from
                ));
            }
            None => {}
        }
        if !passed && now.primaries().contains(&plan.to.as_str()) {
            let whose = if state.settled(plan, Some(name)) { "" } else { ", and not by this run" };
            notes.push(format!("{name} in {} is a primary by now{whose}", plan.to));
            promoted.push(name.clone());
        }
        parts.push(format!("{}: {writes}", label("writes")));
        let old = if passed { &plan.from } else { &plan.to };
        if let Some(facts) = now.members.get(old) {
            let what = if passed { "old primary" } else { "standby" };
            let ours = old == &plan.from;
            let behind_a_fence = match (ours && passed, facts) {
                (true, Known::Unknown(_)) => fenced(plan, world, state, name).await,
                _ => None,
            };
            if let Some(Known::Unknown(why)) = &behind_a_fence {
                unknown = true;
                notes.push(format!("the old primary of {name} in {old} may be reached by users: {why}"));
            }
            let shut = ours && passed && closed == Some(Known::Known(()));
            let word = match shut {
                true => "fenced".to_string(),
                false => server_in_words(
                    facts,
                    ours && stopped(plan, state, name),
                    matches!(behind_a_fence, Some(Known::Known(()))),
                ),
            };
            // A word is no proof, and is not told as one.
            let vouched = word == "fenced" && !shut && state.fenced.contains(&Member::new(name, old));
            let whose = if vouched { ", says a person" } else { "" };
            parts.push(format!("{}: {word}{whose}", label(what)));
            if passed
                && let (Some(handover), Known::Unknown(why)) = (state.handovers.get(name), facts)
                && handover.by == HandoverBy::Soft
            {
                // Only frozen by a setting when it was last seen: what it took since is not known.
                unknown = true;
                notes.push(format!(
                    "whether the old primary of {name} in {old} took writes after the promotion is unknown: {why}"
                ));
            }
            let open = facts.get().map(Glance::from).filter(|glance| glance.role != GlanceRole::Standby);
            if passed && let Some(Known::Known(open @ 1..)) = open.map(|glance| glance.open_writes) {
                unknown = true;
                notes.push(format!(
                    "{open} transactions that write are still open on the old primary of {name} in {old}: what they commit is lost"
                ));
            }
            let accepted =
                state.handovers.get(name).is_some_and(|handover| handover.by == HandoverBy::LossAccepted);
            if passed && accepted && !shut && facts.is(|facts| !facts.in_recovery()) {
                notes.push(format!(
                    "the old primary of {name} in {old} answers again: what it has that the new one lacks is unknown; stop it before anybody writes there"
                ));
                unknown = true;
            }
            if passed && let Some(handover) = state.handovers.get(name).filter(|_| !accepted) {
                if let Some(primary) = facts.get().and_then(ServerFacts::primary) {
                    match handover.commits_since(primary) {
                        Commits::Writes(_) => diverged.push(name.clone()),
                        Commits::Upkeep(ended) => notes.push(format!(
                            "autovacuum ended {ended} transactions on the old primary of {name} in {old}; no written row was counted"
                        )),
                        Commits::None => {}
                    }
                }
                if facts.is(|facts| !facts.in_recovery()) {
                    notes.push(format!(
                        "the old primary of {name} in {old} is only frozen by its setting: stop it, or make it a standby"
                    ));
                }
            }
        }
        let ours = state.frozen_by_us(plan, name) && !passed;
        if now.frozen() || (ours && writable.is_empty()) {
            frozen.push(name.clone());
        }
        if ours && writable.is_empty() && !now.frozen() {
            notes.push(format!(
                "this run froze {name} in {}, which cannot be seen now: writes are stopped there until the freeze is taken back",
                plan.from
            ));
        }
        if writable.contains(&plan.from.as_str()) && !passed {
            let notes_before = notes.len();
            notes.extend(state.may_wait(plan, name).map(|freeze| half_frozen(plan, world, name, freeze)));
            if notes.len() > notes_before {
                waiting.push(name.clone());
            }
        }
        if let Known::Known(Some(why)) = now.exposed() {
            notes.push(format!("{name} is UNPROTECTED: {why}"));
        }
        if writable.len() > 1 {
            notes.push(format!("{name} can be written in {}: SPLIT BRAIN", writable.join(" and ")));
            diverged.push(name.clone());
        }
    }
    for (name, servers) in &plan.records {
        let held = held(world, name, servers).await;
        for (server, facts) in &held {
            let otherwise = facts.get().map(answered_otherwise).unwrap_or_default();
            if !otherwise.is_empty() {
                let regions = otherwise.join(" and ");
                notes.push(format!(
                    "{name} at {server} still answers with {regions}, whatever it holds: users are sent there"
                ));
            }
        }
        let mut words: Vec<String> = held
            .into_values()
            .map(|facts| match shares(facts) {
                Known::Known(shares) => shares_in_words(&shares),
                Known::Unknown(_) => "unknown".into(),
            })
            .collect();
        words.sort();
        words.dedup();
        let label = if plan.records.len() > 1 { format!("traffic of {name}") } else { "traffic".to_string() };
        parts.push(format!("{label}: {}", words.join(" or ")));
    }
    // A change that cannot be taken back (a warmed cache) does not make a rollback possible.
    let undoable = plan
        .effects()
        .filter(|(s, _, _)| plan.steps[*s].takes_back.is_none())
        .any(|(s, e, planned)| planned.effect.class == Class::Undoable && state.steps[s].effects[e].stands());
    let undo = if any_passed {
        "not possible"
    } else if state.armed(plan) {
        "not while the promotion is armed"
    } else if undoable {
        "possible"
    } else {
        "nothing to undo"
    };
    parts.push(format!("undo: {undo}"));
    Record::Surveyed { world: parts.join(" · "), notes, frozen, diverged, unknown, promoted, waiting }
}
