//! Database servers as they were seen.

use super::sessions::sessions;
use super::{Missing, ServerSeen};
use crate::plan::Plan;
use crate::rehearse::start::Start;
use crate::world::Known;
use crate::world::postgres::{Altered, Finding, PrimaryFacts, Role, Sender, ServerFacts, StandbyFacts};
use crate::world::sim::Sim;
use crate::world::sim::postgres::Server;

/// A write from before, where somebody has it and somebody has not.
const BEFORE: &str = "before";

/// The members of one cluster.
pub(super) fn cluster(plan: &Plan, members: &[&ServerSeen], sim: &Sim, start: &mut Start) {
    let group = Group::of(plan, members);
    for one in members {
        let (cluster, region) = (&one.at.resource, &one.at.region);
        // What the scene made there.
        let Some(mut server) = sim.postgres.read(cluster, region, Server::clone) else { continue };
        match &one.facts {
            Known::Known(facts) => {
                let told = Told { one, facts, group: &group };
                if let Some(why) = told.fill(plan, &mut server, start) {
                    sim.postgres.faults.silence(&one.at.to_string());
                    start.lacks(format!(
                        "{} was seen, but not {why}: in the model it does not answer",
                        one.at
                    ));
                }
            }
            Known::Unknown(why) => {
                if group.unseen(one, why, &mut server, start) {
                    sim.postgres.faults.silence(&one.at.to_string());
                }
            }
        }
        sim.postgres.put(cluster, region, server);
    }
}

/// Whether a standby's name is that of its region.
fn named(sender: &Sender, region: &str) -> bool {
    sender.name.replace('_', "-") == region.replace('_', "-")
}

/// What is known of the cluster as a whole.
struct Group<'a> {
    members: &'a [&'a ServerSeen],
    /// Regions with a primary that was seen.
    primaries: Vec<(&'a str, &'a ServerFacts, &'a PrimaryFacts)>,
    /// The region that is taken for the primary, where none was seen.
    taken: Option<&'a str>,
    /// Senders of the one primary that belong to no member.
    strangers: Vec<&'a Sender>,
}

impl<'a> Group<'a> {
    fn of(plan: &'a Plan, members: &'a [&'a ServerSeen]) -> Self {
        let primaries: Vec<_> = members
            .iter()
            .filter_map(|one| {
                let facts = one.facts.get()?;
                Some((one.at.region.as_str(), facts, facts.primary()?))
            })
            .collect();
        let unseen = |one: &&&ServerSeen| one.at.region == plan.from && one.facts.get().is_none();
        let taken = members.iter().find(unseen).filter(|_| primaries.is_empty());
        let mut group =
            Self { members, primaries, taken: taken.map(|one| one.at.region.as_str()), strangers: vec![] };
        group.strangers = group.strangers();
        group
    }

    /// The server that a standby follows, if it follows one.
    fn upstream(&self, facts: &ServerFacts, standby: &StandbyFacts) -> Option<&'a str> {
        let receiver = standby.receiver.get()?;
        let of_system = || self.primaries.iter().filter(|(_, primary, _)| primary.system == facts.system);
        let same = of_system().find(|(_, _, primary)| primary.timeline == receiver.timeline);
        same.or_else(|| of_system().next()).map(|(region, _, _)| *region).or(self.taken)
    }

    fn followers(&self, of: &str) -> Vec<&'a ServerSeen> {
        let follows = |one: &&&ServerSeen| {
            let facts = one.facts.get();
            let standby = facts.and_then(|facts| Some((facts, facts.standby()?)));
            standby.is_some_and(|(facts, standby)| self.upstream(facts, standby) == Some(of))
        };
        self.members.iter().filter(follows).copied().collect()
    }

    /// How the server that a member follows lists it.
    fn sender(&self, member: &ServerSeen, upstream: &str) -> Option<&'a Sender> {
        let (_, _, primary) = self.primaries.iter().find(|(region, _, _)| *region == upstream)?;
        let senders = primary.senders.get()?;
        let named = |sender: &&Sender| named(sender, &member.at.region);
        let only = || match (senders.as_slice(), self.followers(upstream).as_slice()) {
            ([sender], [follower]) if follower.at == member.at => Some(sender),
            _ => None,
        };
        senders.iter().find(named).or_else(only)
    }

    fn strangers(&self) -> Vec<&'a Sender> {
        let [(region, _, primary)] = self.primaries.as_slice() else { return Vec::new() };
        let followers = self.followers(region);
        let known: Vec<&Sender> = followers.iter().filter_map(|one| self.sender(one, region)).collect();
        let senders = primary.senders.get().map(Vec::as_slice).unwrap_or_default();
        senders.iter().filter(|sender| !known.contains(sender)).collect()
    }

    /// Whether a standby hears from the server in this region.
    fn heard(&self, region: &str) -> bool {
        self.followers(region).iter().any(|one| {
            let standby = one.facts.get().and_then(ServerFacts::standby);
            standby.is_some_and(|standby| standby.receiver.is(|receiver| receiver.status == "streaming"))
        })
    }

    fn anyone_lacks(&self) -> bool {
        self.members.iter().any(|one| one.missing.is_some())
    }

    /// A server that was not seen: whether it is silent, and not down.
    fn unseen(&self, one: &ServerSeen, why: &str, server: &mut Server, start: &mut Start) -> bool {
        let region = one.at.region.as_str();
        let down = why.contains("refused") && !self.heard(region);
        let word = if down { "down" } else { "silent" };
        start.differs(format!("{} was not seen ({why}): it is {word}", one.at));
        let seen = self.members.iter().find_map(|one| one.facts.get());
        if let Some(seen) = seen {
            server.system.clone_from(&seen.system);
        }
        server.up = !down;
        let primary = self.primaries.first();
        server.recovery = self.taken != Some(region);
        let taken_for = match (server.recovery, primary) {
            (false, _) => {
                let standbys = || self.members.iter().filter_map(|one| one.facts.get()?.standby());
                server.timeline = standbys().filter_map(|one| one.timeline.get().copied()).max().unwrap_or(1);
                let replayed = standbys().filter_map(|one| one.replayed.get()).map(|lsn| lsn.0).max();
                server.position = replayed.unwrap_or(server.position);
                server.follows = None;
                "the primary, writable".to_owned()
            }
            (true, Some((upstream, _, facts))) => {
                (server.timeline, server.position) = (facts.timeline, facts.flushed.0);
                // By its own name, or by one that is nobody else's.
                let mut names = self.strangers.iter();
                let there = facts.senders.get().is_none()
                    || self.strangers.len() == 1
                    || names.any(|sender| named(sender, region));
                server.follows = (there && !down).then(|| (*upstream).to_owned());
                server.sessions.clear();
                match &server.follows {
                    Some(upstream) => format!("a standby that follows {upstream}"),
                    None => "a standby that follows nobody".to_owned(),
                }
            }
            (true, None) => {
                server.follows = self.taken.map(str::to_owned);
                server.sessions.clear();
                "a standby".to_owned()
            }
        };
        if self.anyone_lacks() {
            server.log = vec![BEFORE.into()];
        }
        start.lacks(format!("{}: what it is; taken for {taken_for}", one.at));
        !down
    }
}

/// A server that was seen.
struct Told<'a> {
    one: &'a ServerSeen,
    facts: &'a ServerFacts,
    group: &'a Group<'a>,
}

impl Told<'_> {
    /// Makes the server as it was seen; gives what is needed and not known of it.
    fn fill(&self, plan: &Plan, server: &mut Server, start: &mut Start) -> Option<String> {
        let (facts, at) = (self.facts, &self.one.at);
        server.system.clone_from(&facts.system);
        server.started = facts.started.parse().unwrap_or(server.started);
        server.still.version = facts.version;
        server.overrides.clone_from(&facts.overrides);
        server.synchronous_names.clone_from(&facts.synchronous_names);
        server.still.managers.clone_from(&facts.managers);
        server.still.waiting = facts.waiting_for_standby.get().copied().unwrap_or(0);
        server.still.waiting_hidden = facts.waiting_for_standby.why().map(str::to_owned);
        self.read_only(server, start);
        sessions(self.one, facts, server, start);
        if !facts.overrides.is_empty() {
            start.differs(format!("{at} has settings of its own: {}", facts.overrides.join(", ")));
        }
        if !facts.synchronous_names.is_empty() {
            start.differs(format!("{at} waits for synchronous standbys ({})", facts.synchronous_names));
        }
        if !facts.managers.is_empty() {
            start.differs(format!("another manager is in charge of {at}: {}", facts.managers.join(", ")));
        }
        match &facts.waiting_for_standby {
            Known::Known(0) => {}
            Known::Known(waiting) => start.differs(format!("{waiting} commits on {at} wait for a standby")),
            Known::Unknown(why) => start.differs(format!("commits that wait on {at} cannot be seen: {why}")),
        }
        self.findings(server, start);
        match &facts.role {
            Role::Primary(primary) => {
                if at.region != plan.from {
                    start.differs(format!("{at} is a primary"));
                }
                self.primary(primary, server, start);
                None
            }
            Role::Standby(standby) => {
                if at.region == plan.from {
                    start.differs(format!("{at} is a standby"));
                }
                self.standby(standby, server, start)
            }
        }
    }

    fn read_only(&self, server: &mut Server, start: &mut Start) {
        let (at, seen) = (&self.one.at, &self.facts.read_only);
        server.still.altered_hidden = seen.altered.why().map(str::to_owned);
        let altered = seen.altered.get().cloned().unwrap_or(Altered::Unset);
        (server.altered, server.loaded) = (altered.clone(), altered);
        if seen.hidden() {
            server.still.own = Some((seen.on, seen.source.clone()));
            start.differs(format!(
                "{at}: a setting of mrctl's own {} hides whether it is frozen",
                seen.source
            ));
            start.lacks(format!("{at}: whether it is frozen for others; taken for not frozen"));
            return;
        }
        server.still.default_on = seen.on && server.loaded == Altered::Unset;
        match (seen.on, self.facts.in_recovery()) {
            (true, false) => start.differs(format!("{at} is FROZEN: read-only by its {}", seen.source)),
            (true, true) => {
                start.differs(format!("{at} would come up read-only, by its {}", seen.source));
            }
            (false, _) => {}
        }
        if let Known::Unknown(why) = &seen.altered {
            start.differs(format!("what ALTER SYSTEM holds on {at} cannot be seen: {why}"));
        }
    }

    fn findings(&self, server: &mut Server, start: &mut Start) {
        let at = &self.one.at;
        server.findings = match &self.one.findings {
            None => return,
            Some(Known::Known(findings)) => findings.clone(),
            Some(Known::Unknown(why)) => vec![Finding {
                check: "preflight".into(),
                fine: Known::unknown(why),
                fatal: true,
                seen: why.clone(),
                remedy: "look again".into(),
            }],
        };
        for finding in server.findings.iter().filter(|finding| !finding.fine.is(|fine| *fine)) {
            start.differs(format!("{at}: {}: {}", finding.check, finding.seen));
        }
    }

    fn primary(&self, primary: &PrimaryFacts, server: &mut Server, start: &mut Start) {
        let at = &self.one.at;
        (server.recovery, server.follows) = (false, None);
        (server.timeline, server.position) = (primary.timeline, primary.flushed.0);
        server.unflushed = match primary.all_flushed() {
            true => 0,
            false => primary.inserted.bytes_since(primary.flushed),
        };
        (server.next_transaction, server.upkeep) = (primary.next_transaction, primary.activity.upkeep);
        server.still.counted = primary.activity;
        if self.group.anyone_lacks() && primary.activity.rows > 0 {
            server.log = vec![BEFORE.into()];
            server.still.counted.rows -= 1;
        }
        // Where nobody is connected, and yet not everything is counted, it never is.
        server.still.uncounted = server.sessions.is_empty() && !primary.activity.complete;
        server.prepared.clone_from(&primary.prepared);
        server.still.senders_hidden = primary.senders.why().map(str::to_owned);
        if !primary.prepared.is_empty() {
            start.differs(format!("{at} has prepared transactions: {}", primary.prepared.join(", ")));
        }
        let open = self.facts.sessions.is(|sessions| sessions.writing == 0);
        if open && primary.oldest_transaction < primary.next_transaction {
            start.lacks(format!("{at} has an open transaction that no client's session shows"));
        }
        match &primary.senders {
            Known::Unknown(why) => start.differs(format!("who follows {at} cannot be seen: {why}")),
            Known::Known(_) => {
                let unseen = |sender: &Sender| {
                    let mut members = self.group.members.iter().filter(|one| one.facts.get().is_none());
                    members.any(|one| named(sender, &one.at.region))
                };
                for sender in self.group.strangers.iter().filter(|sender| !unseen(sender)) {
                    start.lacks(format!("{at} also sends to `{}` ({})", sender.name, sender.state));
                }
                if self.group.followers(&at.region).is_empty() {
                    start.differs(format!("no standby that was seen follows {at}"));
                }
            }
        }
    }

    fn standby(&self, standby: &StandbyFacts, server: &mut Server, start: &mut Start) -> Option<String> {
        let at = &self.one.at;
        (server.recovery, server.quiet) = (true, true);
        server.recovery_targets.clone_from(&standby.recovery_targets);
        server.still.apply_delay_ms = standby.apply_delay_ms;
        server.still.replayed_ms_ago = standby.replayed_ms_ago.clone();
        let upstream = self.group.upstream(self.facts, standby);
        server.follows = upstream.map(str::to_owned);
        match &standby.receiver {
            Known::Known(receiver) => {
                server.still.receiver = (receiver.status.clone(), receiver.silent_ms);
                if receiver.status != "streaming" {
                    start.differs(format!("the receiver of {at} is {}", receiver.status));
                }
            }
            Known::Unknown(why) => start.differs(format!("{at} follows nobody: {why}")),
        }
        if let Some(sender) = upstream.and_then(|upstream| self.group.sender(self.one, upstream)) {
            server.still.sender = Some((sender.name.clone(), sender.sync.clone()));
            if sender.state != "streaming" {
                start.lacks(format!("{at} is told of as `{}` by the server that it follows", sender.state));
            }
        }
        server.paused = standby.replay != "not paused";
        if server.paused {
            start.differs(format!("replay on {at} is {}", standby.replay));
        }
        if !standby.recovery_targets.is_empty() {
            let targets = standby.recovery_targets.join(", ");
            start.differs(format!("{at} has recovery targets: {targets}"));
        }
        if standby.apply_delay_ms > 0 {
            start.differs(format!("{at} replays {} ms late, by its settings", standby.apply_delay_ms));
        }
        let (replayed, timeline) = match (&standby.replayed, &standby.timeline) {
            (Known::Known(replayed), Known::Known(timeline)) => (replayed.0, *timeline),
            (Known::Unknown(why), _) => return Some(format!("what it has replayed ({why})")),
            (_, Known::Unknown(why)) => return Some(format!("its timeline ({why})")),
        };
        server.timeline = timeline;
        self.position(replayed, server, start);
        None
    }

    fn position(&self, replayed: u64, server: &mut Server, start: &mut Start) {
        let at = &self.one.at;
        if self.group.anyone_lacks() && self.one.missing.is_none() {
            server.log = vec![BEFORE.into()];
        }
        let [(_, primary, had)] = self.group.primaries.as_slice() else {
            server.position = replayed;
            return;
        };
        if primary.system != self.facts.system {
            server.position = replayed;
            start.differs(format!("{at} is not of the primary's system, {}", primary.system));
            return;
        }
        if had.timeline != server.timeline {
            server.position = replayed;
            start.differs(format!(
                "{at} is not on the timeline of the primary: it stands at {}",
                server.timeline
            ));
            return;
        }
        server.position = had.flushed.0;
        if let Some(Missing { bytes, moving }) = self.one.missing {
            server.stay_behind(had.flushed.0, bytes);
            server.stuck = !moving && !server.paused && server.follows.is_some();
            let how = if moving { "and catching up" } else { "and replays nothing" };
            start.differs(format!("{at} is {bytes} bytes behind {how}"));
            if moving {
                start.lacks(format!("{at} catches up; in the model it stays as far behind for an hour"));
            }
        }
    }
}
