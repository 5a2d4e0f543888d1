//! Sessions of a server, made from how many there were.

use super::ServerSeen;
use crate::rehearse::start::Start;
use crate::world::Known;
use crate::world::postgres::{ServerFacts, Sessions};
use crate::world::sim::postgres::{Server, Session};

/// Sessions of one role in the model: more would only take longer.
const EACH: u32 = 20;

/// Fills in a server's sessions.
pub(super) fn sessions(one: &ServerSeen, facts: &ServerFacts, server: &mut Server, start: &mut Start) {
    let at = &one.at;
    let all = match &facts.sessions {
        Known::Known(all) => all,
        Known::Unknown(why) => {
            server.still.sessions_hidden = Some(why.clone());
            start.differs(format!("sessions on {at} cannot be seen: {why}"));
            return;
        }
    };
    server.still.workers = all.workers;
    let spared = one.spared.get().and_then(|facts| facts.sessions.get()).unwrap_or(all);
    server.sessions = made(all, spared);
    for (role, count) in all.clients.iter().filter(|(_, count)| *count > EACH) {
        start.lacks(format!("{at} has {count} sessions of {role}; in the model {EACH}"));
    }
    if all.workers > 0 {
        start.differs(format!("{} subscriptions on {at} write through a freeze", all.workers));
    }
    if spared.writing > 0 {
        start.differs(format!("{} transactions on {at} have written and are open", spared.writing));
    }
    if spared.superusers > 0 {
        start.differs(format!("{} sessions on {at} are of superusers", spared.superusers));
        if spared.superusers < spared.total() {
            start.lacks(format!(
                "{at}: which sessions are of superusers; taken for those that are the oldest"
            ));
        }
    }
    let writing = u32::try_from(server.sessions.iter().filter(|one| one.writing).count()).unwrap_or(u32::MAX);
    if writing < spared.writing.min(EACH) {
        start.lacks(format!("{at}: {} transactions that write are of no client", spared.writing - writing));
    }
}

/// Which session has which property was not seen, only how many have it: one that has one is taken to have the others too, which
/// makes it the hardest to end.
fn made(all: &Sessions, spared: &Sessions) -> Vec<Session> {
    let counted = |role: &String| spared.clients.iter().find(|(other, _)| other == role).is_some();
    let group = |kept: bool, older: u32, writing: u32, superusers: u32| {
        let roles = all.clients.iter().filter(move |(role, _)| counted(role) != kept);
        let each = roles.flat_map(|(role, count)| (0..(*count).min(EACH)).map(move |_| role.clone()));
        let sessions = (0_u32..).zip(each).map(move |(n, role)| Session {
            role,
            older: n < older,
            writing: n < writing,
            superuser: n < superusers,
            hostile: false,
        });
        sessions.collect::<Vec<_>>()
    };
    let mut made = group(false, spared.older, spared.writing, spared.superusers);
    let writing = u32::try_from(made.iter().filter(|one| one.writing).count()).unwrap_or(u32::MAX);
    made.extend(group(
        true,
        all.older.saturating_sub(spared.older),
        spared.writing.saturating_sub(writing),
        all.superusers.saturating_sub(spared.superusers),
    ));
    made
}
