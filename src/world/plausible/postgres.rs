//! What a PostgreSQL server can never show.

use crate::world::postgres::{Lsn, Role, ServerFacts};

/// What was seen of the same server before, if it was not restarted since: most things may change with a restart.
fn running<'a>(before: Option<&'a ServerFacts>, now: &ServerFacts) -> Option<&'a ServerFacts> {
    before.filter(|before| before.started == now.started)
}

pub(super) fn system(before: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let before = before.filter(|before| before.system != now.system)?;
    Some(format!("its system identifier was {}, and is {}", before.system, now.system))
}

pub(super) fn started(before: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let microseconds = |facts: &ServerFacts| facts.started.parse::<u64>().ok();
    let (then, at) = (microseconds(before?)?, microseconds(now)?);
    (at < then).then(|| {
        format!("it was started {} ms before it was last seen to have started", (then - at).div_ceil(1000))
    })
}

pub(super) fn version(before: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let before = running(before, now).filter(|before| before.version != now.version)?;
    Some(format!("its version was {}, and is {}, without a restart", before.version, now.version))
}

pub(super) fn role(before: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let before = running(before, now)?;
    (!before.in_recovery() && now.in_recovery())
        .then(|| "it was a primary, and is a standby, without a restart".into())
}

pub(super) fn timeline(before: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    match (&running(before, now)?.role, &now.role) {
        (Role::Primary(before), Role::Primary(now)) => (before.timeline != now.timeline).then(|| {
            format!("it wrote timeline {}, and writes {}, without a restart", before.timeline, now.timeline)
        }),
        (Role::Standby(before), Role::Primary(now)) => {
            // Where only the control file says which, it may be older than the truth, and in the midst of a promotion it has the new one
            // already (seen on version 15, where the disk was slow).
            let followed = *before.timeline.get()?;
            let promoting = before.receiver.get().is_none() && now.timeline == followed;
            (now.timeline <= followed && !promoting).then(|| {
                format!("it followed timeline {followed}, was promoted, and writes timeline {}", now.timeline)
            })
        }
        (Role::Standby(before), Role::Standby(now)) => {
            // Only what the receiver says: the control file, which is asked while none runs, lags behind.
            let (then, at) = (before.receiver.get()?.timeline, now.receiver.get()?.timeline);
            (at < then).then(|| format!("it received timeline {then}, and receives {at}, without a restart"))
        }
        // See `role`.
        (Role::Primary(_), Role::Standby(_)) => None,
    }
}

pub(super) fn position(before: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let back = |what: &str, then: Lsn, at: Lsn| {
        (at < then).then(|| format!("{what} went back from {then} to {at} without a restart"))
    };
    match (&running(before, now)?.role, &now.role) {
        // Only what is on disk: a backend that dies (`kill -9`, out of memory) makes the postmaster recover without a new start time, and
        // what was inserted and not flushed is gone then. Measured on PostgreSQL 15.
        (Role::Primary(before), Role::Primary(now)) => {
            back("what it has flushed", before.flushed, now.flushed)
        }
        // A standby replays again from its last restart point then.
        (Role::Standby(_), Role::Standby(_)) => None,
        (Role::Standby(before), Role::Primary(now)) => {
            back("its position", *before.replayed.get()?, now.inserted)
        }
        (Role::Primary(_), Role::Standby(_)) => None,
    }
}

pub(super) fn unwritten(_: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let primary = now.primary()?;
    (primary.flushed > primary.inserted).then(|| {
        format!("it has flushed up to {}, and inserted only up to {}", primary.flushed, primary.inserted)
    })
}

pub(super) fn transaction(_: Option<&ServerFacts>, now: &ServerFacts) -> Option<String> {
    let primary = now.primary()?;
    // Not that the next one never goes back: numbers whose records were not flushed are given again after a crash of a backend.
    (primary.oldest_transaction > primary.next_transaction).then(|| {
        format!(
            "its oldest transaction is {}, beyond the next, {}",
            primary.oldest_transaction, primary.next_transaction
        )
    })
}
