//! The advisory lock of a run at each member, on a session of its own that our freeze spares.

use super::session::{Sessions as Connections, Trouble, look_name};
use super::sql;
use crate::journal::permit::short_run;
use crate::world::postgres::LockSight;
use crate::world::{Known, Member};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Deadline of the question whether the session that holds the lock is alive; who takes longer to be found absent is not asked again.
const PING: Duration = Duration::from_secs(1);

/// How long a server may take to let go of what a session of ours held that it has ended, and how often it is asked.
const RELEASE: Duration = Duration::from_secs(1);
const RELEASE_PACE: Duration = Duration::from_millis(50);

pub(super) async fn lock(connections: &Connections, at: &Member, run: &str) -> Known<bool> {
    // Asked twice, our own session would be the somebody else who holds it.
    let _asking = connections.asking.lock().await;
    if lock_held(connections, at).await == Known::Known(true) {
        return Known::Known(true);
    }
    let begun = Instant::now();
    let mut taken = take_lock(connections, at, run).await;
    // A server tells a session that it is ended before it lets go of what that session held: ours may still be in our own way.
    let had = connections.had.borrow().contains(at);
    while had && taken == Known::Known(false) && begun.elapsed() < RELEASE {
        tokio::time::sleep(RELEASE_PACE).await;
        taken = take_lock(connections, at, run).await;
    }
    // Asking a silent one again before every effect would cost the connection's deadline each time. One that says at once that it is not
    // there, such as a server that we have stopped, costs nothing: it is asked again, because once it runs another may have its lock.
    let silent = taken.get().is_none() && begun.elapsed() >= PING;
    let mut out = connections.out_of_reach.borrow_mut();
    if silent {
        out.insert(at.clone())
    } else {
        out.remove(at)
    };
    taken
}

async fn take_lock(connections: &Connections, at: &Member, run: &str) -> Known<bool> {
    let session = match connections.open(at, &format!("mrctl/{}/lock", short_run(run))).await {
        Ok(session) => session,
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    // Our own freeze and the servers' idle timeouts must not end the session that holds the lock.
    match session.value("SET idle_session_timeout = 0; SELECT 1", session.call).await {
        Ok(_) | Err(Trouble::Server(..)) => {}
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    }
    match session.value(&format!("{}{}", sql::lock(&at.resource), connections.says), session.call).await {
        Ok(Some(held)) if held == "true" => {
            connections.locks.borrow_mut().insert(at.clone(), Rc::new(session));
            connections.had.borrow_mut().insert(at.clone());
            Known::Known(true)
        }
        Ok(_) => Known::Known(false),
        Err(trouble) => Known::Unknown(trouble.to_string()),
    }
}

pub(super) async fn lock_held(connections: &Connections, at: &Member) -> Known<bool> {
    // It stays where it is while it is asked: steps that run together ask at the same time.
    let session = connections.locks.borrow().get(at).map(Rc::clone);
    let Some(session) = session else {
        let out = connections.out_of_reach.borrow().contains(at);
        return if out { Known::unknown("the lock could not be taken") } else { Known::Known(false) };
    };
    // Whoever is refused reads the last statement: it says who holds the lock.
    match session.value(&format!("SELECT 1{}", connections.says), PING).await {
        Ok(_) => Known::Known(true),
        // Told why it ends, the client may not have noticed yet that it has.
        Err(trouble) if session.closed() || matches!(trouble, Trouble::Broken(_)) => {
            let mut locks = connections.locks.borrow_mut();
            if locks.get(at).is_some_and(|held| Rc::ptr_eq(held, &session)) {
                locks.remove(at);
            }
            Known::Known(false)
        }
        Err(trouble) => Known::Unknown(trouble.to_string()),
    }
}

/// Who holds the lock, and whose sessions could still change something.
pub(super) async fn sight(connections: &Connections, at: &Member, run: &str) -> Known<LockSight> {
    let session = match connections.open(at, &look_name(run)).await {
        Ok(session) => session,
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    let text = match session.value(&sql::lock_sight(&at.resource, run), session.call).await {
        Ok(Some(text)) => text,
        Ok(None) => return Known::unknown("the server said nothing"),
        Err(trouble) => return Known::Unknown(trouble.to_string()),
    };
    serde_json::from_str(&text).map_or_else(|error| Known::Unknown(error.to_string()), Known::Known)
}
