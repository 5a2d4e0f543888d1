//! What makes a primary ready for a standby: looked at, and made.

use super::change::{failed, identified};
use super::session::{Sessions as Connections, look_name};
use super::sql;
use crate::journal::Permit;
use crate::world::postgres::{Protection, Slot};
use crate::world::{Known, Member, Reply};
use serde::Deserialize;

#[derive(Deserialize)]
struct Raw {
    system: String,
    recorded: Option<u32>,
    slots: Vec<Slot>,
    may_checkpoint: bool,
    may_replicate: bool,
}

pub(super) async fn look(connections: &Connections, at: &Member) -> Known<Protection> {
    let session = match connections.open(at, &look_name("")).await {
        Ok(session) => session,
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    match session.value(sql::PROTECTION, connections.timeout(at)).await {
        Ok(Some(text)) => read(&text),
        Ok(None) => Known::unknown("the server returned nothing"),
        Err(trouble) => Known::Unknown(trouble.to_string()),
    }
}

fn read(text: &str) -> Known<Protection> {
    let raw: Raw = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(error) => return Known::Unknown(format!("the server's answer cannot be read: {error}")),
    };
    let Some(recorded) = raw.recorded else { return Known::unknown("the control file names no timeline") };
    let Raw { system, slots, may_checkpoint, may_replicate, .. } = raw;
    Known::Known(Protection { system, recorded, slots, may_checkpoint, may_replicate })
}

pub(super) async fn checkpoint(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
) -> Reply {
    let session = match identified(connections, permit, at, system, true).await {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    match session.value(sql::CHECKPOINT, session.call).await {
        Ok(_) => Reply::acknowledged("checkpoint done"),
        // The checkpointer goes on with it, whatever becomes of the session that asked.
        Err(trouble) => failed(&trouble),
    }
}

pub(super) async fn create_slot(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
    slot: &str,
) -> Reply {
    let session = match identified(connections, permit, at, system, true).await {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    match session.value(&sql::create_slot(slot), session.call).await {
        Ok(_) => Reply::acknowledged(format!("slot {slot} made")),
        Err(trouble) => failed(&trouble),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_without_a_timeline_is_unknown() {
        let text = r#"{"system":"7","recorded":2,"slots":[{"name":"a","active":false,"physical":true,"reserved":true,"lost":false,"sender":null}],"may_checkpoint":true,"may_replicate":true}"#;
        let Known::Known(seen) = read(text) else { panic!("unreadable") };
        assert_eq!((seen.recorded, seen.idle()), (2, vec!["a"]));
        let unknown =
            read(r#"{"system":"7","recorded":null,"slots":[],"may_checkpoint":true,"may_replicate":true}"#);
        assert_eq!(unknown, Known::unknown("the control file names no timeline"));
    }
}
