//! What a look at the source means for a freeze: whether its setting is in force, and whether anybody is left whom it does not bind.
//!
//! What nobody can see is a session that came in after the freeze and lifts it for itself (`options=-c …`, `SET`, `BEGIN READ WRITE`). It
//! is ended only in the midst of a write. What it has committed shows in the transaction numbers, and holds the promotion back.

use super::super::managed;
use super::Freeze;
use crate::step::contract::Judgement;
use crate::world::Known;
use crate::world::postgres::{ServerFacts, Sessions};

/// Roles and databases that lift the freeze for their sessions.
fn through(source: &ServerFacts) -> Option<Judgement> {
    let off = source.overrides.iter().map(String::as_str).filter(|set| set.ends_with("=off"));
    let off: Vec<&str> = off.collect();
    (!off.is_empty())
        .then(|| Judgement::blocked(format!("these would write through the freeze: {}", off.join(", "))))
}

impl Freeze {
    pub(super) fn judge_read_only(&self, source: &ServerFacts) -> Judgement {
        let Some(primary) = source.primary() else {
            return Judgement::blocked(format!("{} is in recovery: it is not the primary", self.pair.source));
        };
        if source.read_only.hidden() {
            return Judgement::unknown(format!(
                "default_transaction_read_only is set for mrctl's own {}: what others get cannot be seen behind it; take that setting back",
                source.read_only.source
            ));
        }
        if source.read_only.on {
            return Judgement::reached(format!(
                "new transactions are read-only ({})",
                source.read_only.source
            ));
        }
        if source.read_only.altered.why().is_some() {
            return Judgement::unknown(
                "what undo would restore cannot be seen: default_transaction_read_only has no visible source",
            );
        }
        if !primary.prepared.is_empty() {
            return Judgement::blocked(format!(
                "prepared transactions could still commit: {}",
                primary.prepared.join(", ")
            ));
        }
        if let Some(through) = through(source) {
            return through;
        }
        if let Some(managed) = managed(&self.pair.source, source) {
            return managed;
        }
        if let Some(why) = source.sessions.get().and_then(Sessions::ignore_freeze) {
            return Judgement::blocked(why);
        }
        let clients = source.sessions.get().map_or(0, Sessions::total);
        let superusers = match source.sessions.get().map_or(0, |sessions| sessions.superusers) {
            0 => String::new(),
            some => format!(", {some} of superusers, which only a superuser can end"),
        };
        Judgement::not_reached(format!("writable, {clients} client sessions{superusers}"))
    }

    pub(super) fn judge_sessions(source: &ServerFacts) -> Judgement {
        let Some(primary) = source.primary() else {
            return Judgement::blocked("it is in recovery");
        };
        let sessions = match &source.sessions {
            Known::Known(sessions) => sessions,
            Known::Unknown(why) => return Judgement::unknown(format!("sessions cannot be seen: {why}")),
        };
        if !source.read_only.binds() {
            return Judgement::blocked("the source is not frozen");
        }
        if !primary.prepared.is_empty() {
            return Judgement::blocked(format!("prepared transactions: {}", primary.prepared.join(", ")));
        }
        // Set since: whoever comes in with it writes as if nothing were frozen.
        if let Some(through) = through(source) {
            return through;
        }
        if let Some(why) = sessions.ignore_freeze() {
            return Judgement::blocked(why);
        }
        if sessions.older == 0 && sessions.writing == 0 {
            return Judgement::reached("frozen: no session from before, no writing transaction");
        }
        let mut who: Vec<String> =
            sessions.clients.iter().map(|(role, count)| format!("{role}: {count}")).collect();
        if sessions.superusers > 0 {
            who.push(format!("{} of superusers, which only a superuser can end", sessions.superusers));
        }
        Judgement::not_reached(format!(
            "{} sessions from before, {} writing transactions ({})",
            sessions.older,
            sessions.writing,
            who.join(", ")
        ))
    }
}
