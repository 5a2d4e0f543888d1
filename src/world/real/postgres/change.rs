//! Changing: each on a connection of its own under the intent's name, identity checked on that connection, the reply told apart:
//! refused only where the server proves that nothing happened.

use super::session::{self, Session, Sessions as Connections, Trouble, look_name};
use super::sql;
use crate::journal::Permit;
use crate::world::postgres::{Altered, Handover, Scope};
use crate::world::{Member, Reply};
use std::time::Duration;

/// How long a promotion is waited for before its request is reported; what takes longer is for looks to find.
const PROMOTION: Duration = Duration::from_secs(1);
/// Time between the questions.
const PROMOTION_PACE: Duration = Duration::from_millis(3);
/// How long the configuration may take to be loaded before sessions are left to the effect that comes next.
const LOADING: Duration = Duration::from_secs(1);
/// How long sessions that were told to go are waited for, and the time between the questions.
const GOING: Duration = Duration::from_millis(250);
const GOING_PACE: Duration = Duration::from_millis(1);
/// Deadline of the write probe, after which its commit counts as hanging.
const PROBE: Duration = Duration::from_secs(3);

/// What a failed statement proves. Nothing was sent, or the server refused it before it began (no right, wrong form, wrong state):
/// it had no effect. Any other error may have come after half of the work.
pub(super) fn failed(trouble: &Trouble) -> Reply {
    match trouble {
        Trouble::NotConnected(_) => Reply::refused(trouble.to_string()),
        Trouble::Server(state, _) if ["42", "22", "25", "28", "0A"].iter().any(|c| state.starts_with(c)) => {
            Reply::refused(trouble.to_string())
        }
        Trouble::Server(..) | Trouble::Late(_) | Trouble::Broken(_) => Reply::lost(trouble.to_string()),
    }
}

/// A connection on which the cluster's identity was checked; `primary` demands that it is not in recovery.
pub(super) async fn identified(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
    primary: bool,
) -> Result<Session, Reply> {
    identified_with_version(connections, permit, at, system, primary).await.map(|(session, _)| session)
}

/// The same, with the server's version, as in `150004`; 0 if it did not say.
async fn identified_with_version(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
    primary: bool,
) -> Result<(Session, u32), Reply> {
    // Nothing was changed yet, whatever the trouble.
    let (session, seen) = connections
        .for_change(at, &permit.session(), sql::IDENTITY)
        .await
        .map_err(|trouble| Reply::refused(trouble.to_string()))?;
    let seen = seen.unwrap_or_default();
    let (seen, version) = seen.rsplit_once(' ').unwrap_or_default();
    match seen.split_once(' ') {
        Some((found, _)) if found != system => Err(Reply::refused(format!(
            "{at} belongs to system {found}, not to {system}: the address points elsewhere"
        ))),
        Some((_, "true")) if primary => {
            Err(Reply::refused(format!("{at} is in recovery: it is not the primary")))
        }
        Some(_) => Ok((session, version.parse().unwrap_or(0))),
        None => Err(Reply::refused(format!("{at} did not say which cluster it is"))),
    }
}

/// `ALTER SYSTEM` cannot stand in a transaction, and the reload is a statement of its own: a setting that is written and not loaded
/// would be seen by no look, and would freeze the server whenever somebody loads the configuration. So both are sent together: what loses
/// one loses both, except that a connection that is reset in the midst ends the session before it reads the second.
async fn alter_and_reload(session: &Session, version: u32, statement: &str, note: &str) -> Reply {
    let reload = sql::reload(version);
    // With them, for a distant server: the session loads what the postmaster told it of between two messages. That it has is not
    // proof, a look is; but a look that is made too early has to be made again, in the midst of all the other loading.
    let (altered, reloaded, _, _) = futures_util::future::join4(
        session.value(statement, session.call),
        session.value(&reload, session.call),
        session.value(sql::MOMENT, session.call),
        session.value(sql::NOTHING, session.call),
    )
    .await;
    match (altered, reloaded) {
        (Err(trouble), reloaded) => refused_alone(failed(&trouble), &reloaded),
        (Ok(_), Ok(Some(_))) => Reply::acknowledged(note),
        (Ok(_), other) => written_alone(other),
    }
}

/// A setting that was written, and whose reload is not known.
fn written_alone(reloaded: Result<Option<String>, Trouble>) -> Reply {
    let why =
        reloaded.err().map_or_else(|| "the server did not reload".into(), |trouble| trouble.to_string());
    Reply::lost(format!("the setting was written, the reload was not confirmed: {why}"))
}

/// A setting that was refused was not written; should the configuration have been loaded all the same, that is said.
fn refused_alone(reply: Reply, reloaded: &Result<Option<String>, Trouble>) -> Reply {
    match reply {
        Reply::Refused { why } if matches!(reloaded, Ok(Some(_))) => Reply::refused(format!(
            "{why}; the setting was not written, and the configuration was reloaded as it is"
        )),
        other => other,
    }
}

/// As `alter_and_reload`, and ends the sessions from before in the same round trip, guarded by what that session itself has loaded:
/// between the freeze and its look every session that still writes costs a failed run, and every round trip time.
///
/// Says besides whether the session may go on as one that looks: it is renamed, and nothing that was asked on it is still open.
async fn freeze_and_end(session: &Session, version: u32, scope: &Scope, note: &str) -> (Reply, bool) {
    let reload = sql::reload_and_remember(version);
    let end = sql::end_sessions_if_frozen(&scope.keep);
    let (altered, reloaded, _, mut ended) = futures_util::future::join4(
        session.value(sql::FREEZE, session.call),
        session.value(&reload, session.call),
        session.value(sql::MOMENT, session.call),
        session.value(&end, session.call),
    )
    .await;
    if let Err(trouble) = altered {
        return (refused_alone(failed(&trouble), &reloaded), false);
    }
    if !matches!(reloaded, Ok(Some(_))) {
        return (written_alone(reloaded), false);
    }
    // The postmaster may need longer.
    let begun = tokio::time::Instant::now();
    while matches!(ended, Ok(None)) && begun.elapsed() < LOADING {
        tokio::time::sleep(GOING_PACE).await;
        ended = session.value(&end, session.call).await;
    }
    // Renamed behind its work, so that it is not taken for a change that is still under way.
    let rename = sql::rename(&look_name(&scope.run));
    let waits = async {
        match &ended {
            Ok(Some(_)) => gone(session, scope).await,
            Ok(None) => true,
            Err(_) => false,
        }
    };
    let (idle, renamed) = futures_util::future::join(waits, session.value(&rename, session.call)).await;
    let reply = match ended {
        Ok(Some(ended)) => Reply::acknowledged(format!("{note}, {ended}")),
        // Not in force for this session, or no right to end others: the effect that comes next sees who is left.
        Ok(None) | Err(_) => Reply::acknowledged(note),
    };
    (reply, idle && renamed.is_ok())
}

/// Waits a moment for those who were told to go. It proves nothing, a look does; one that is made too early has to be made again.
/// Says whether every question was answered: one that is dropped in the middle is cancelled, whatever the session does by then.
async fn gone(session: &Session, scope: &Scope) -> bool {
    let left = sql::sessions_left(&scope.keep);
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < GOING {
        match session.value(&left, session.call).await {
            Ok(Some(count)) if count == "0" => return true,
            Ok(_) => tokio::time::sleep(GOING_PACE).await,
            Err(_) => return false,
        }
    }
    true
}

pub(super) async fn freeze(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
    ending: Option<&Scope>,
) -> Reply {
    let note = "read-only by default, configuration reloaded";
    let reply = match identified_with_version(connections, permit, at, system, true).await {
        Ok((session, version)) => {
            let (reply, idle) = match ending {
                Some(scope) => freeze_and_end(&session, version, scope, note).await,
                None => (alter_and_reload(&session, version, sql::FREEZE, note).await, false),
            };
            if idle {
                connections.put_away(at, session);
            }
            reply
        }
        Err(reply) => reply,
    };
    connections.changed(at);
    reply
}

pub(super) async fn unfreeze(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
    prior: &Altered,
) -> Reply {
    let reply = match identified_with_version(connections, permit, at, system, false).await {
        Ok((session, version)) => {
            alter_and_reload(&session, version, &sql::unfreeze(prior), "put back, configuration reloaded")
                .await
        }
        Err(reply) => reply,
    };
    connections.changed(at);
    reply
}

pub(super) async fn end_sessions(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    system: &str,
    scope: &Scope,
) -> Reply {
    let session = match identified(connections, permit, at, system, true).await {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    match session.value(&sql::end_sessions(&scope.keep), session.call).await {
        // Connections for looks stay: what they see of other sessions is the server's, not theirs.
        Ok(note) => Reply::acknowledged(note.unwrap_or_default()),
        // Some sessions may have been ended before the error, whatever it is.
        Err(trouble) => {
            connections.changed(at);
            Reply::lost(trouble.to_string())
        }
    }
}

pub(super) async fn mark(connections: &Connections, permit: &Permit, at: &Member, system: &str) -> Reply {
    // Every client was just ended and comes back: the server may be full for a moment. Nothing was sent yet.
    let begun = tokio::time::Instant::now();
    let session = loop {
        match identified(connections, permit, at, system, true).await {
            Ok(session) => break session,
            Err(Reply::Refused { why })
                if why.starts_with("no connection") && begun.elapsed() < session::CALL =>
            {
                tracing::debug!(%why, "tried again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(reply) => return reply,
        }
    };
    match session.value(&sql::mark(&permit.idempotency_key()), session.call).await {
        Ok(lsn) => Reply::acknowledged(format!("marked at {}", lsn.unwrap_or_default())),
        Err(trouble) => {
            connections.changed(at);
            failed(&trouble)
        }
    }
}

pub(super) async fn promote(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    handover: &Handover,
) -> Reply {
    // Renamed and answered before the promotion is sent.
    let (session, _) = match connections.for_change(at, &permit.session(), sql::NOTHING).await {
        Ok(session) => session,
        Err(trouble) => return Reply::refused(trouble.to_string()),
    };
    let reply = match session.value(&sql::promote(handover), session.call).await {
        Ok(Some(said)) if said == "sent" => {
            let note = if promoted(&session).await { "promoted" } else { "promotion requested" };
            Reply::acknowledged(note)
        }
        Ok(Some(said)) => Reply::refused(said.strip_prefix("no: ").unwrap_or(&said).to_string()),
        Ok(None) => Reply::lost("the server returned nothing"),
        // No right to call it: nothing was sent. Any other error may have come after the signal.
        Err(trouble @ Trouble::NotConnected(_)) => failed(&trouble),
        Err(Trouble::Server(state, message)) if state == "42501" => Reply::refused(message),
        Err(trouble) => Reply::lost(trouble.to_string()),
    };
    connections.changed(at);
    reply
}

/// Waits for the end of recovery on the session that asked for it, for the rest of this call's slice. It proves nothing, a look
/// does; but one cheap question at a time leaves the server its processors for the promotion itself, which looks at both sides
/// do not.
async fn promoted(session: &Session) -> bool {
    let ended = async {
        while !matches!(session.value(sql::IN_RECOVERY, session.call).await, Ok(Some(text)) if text == "false")
        {
            if session.closed() {
                return false;
            }
            tokio::time::sleep(PROMOTION_PACE).await;
        }
        true
    };
    tokio::time::timeout(PROMOTION, ended).await.unwrap_or(false)
}

pub(super) async fn write_probe(
    connections: &Connections,
    permit: &Permit,
    at: &Member,
    table: &str,
) -> Reply {
    let session = match connections.open(at, &permit.session()).await {
        Ok(session) => session,
        Err(trouble) => return failed(&trouble),
    };
    // As an application: nothing of the session is set. The server's own timeouts do not end a commit that waits for a standby.
    let statement = sql::write_probe(table, permit.run(), &at.region);
    let call = session.value(&statement, PROBE * 2);
    tokio::pin!(call);
    let reply = match tokio::time::timeout(PROBE, &mut call).await {
        Ok(Ok(_)) => Reply::acknowledged("one row committed"),
        // An error of the server, also a late one, means that the transaction was rolled back.
        Ok(Err(trouble @ Trouble::Server(..))) => Reply::refused(trouble.to_string()),
        Ok(Err(trouble)) => failed(&trouble),
        Err(_) => {
            // Asked while it still hangs, cancelled after: a cancelled commit is committed here, and tells nothing any more.
            let why = hanging(connections, at, permit).await;
            session.cancel().await;
            Reply::lost(why)
        }
    };
    connections.changed(at);
    reply
}

/// Why the probe's commit hangs.
async fn hanging(connections: &Connections, at: &Member, permit: &Permit) -> String {
    let plain = format!("the write was not confirmed within {PROBE:?}");
    let name = look_name(permit.run());
    let Ok(session) = connections.open(at, &name).await else { return plain };
    match session.value(&sql::waiting(&permit.session()), session.call).await {
        Ok(Some(seen)) => match seen.split_once(' ') {
            Some(("SyncRep", names)) => format!(
                "{plain}: its commit waits for a synchronous standby ({names}); set synchronous_standby_names to those that exist"
            ),
            Some((event, _)) => format!("{plain}: it waits for {event}"),
            None => plain,
        },
        _ => plain,
    }
}
