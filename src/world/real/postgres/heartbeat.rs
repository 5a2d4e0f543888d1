//! Heartbeats at a server: one row written as an application writes it, and what a member has of it.

use super::session::{Sessions as Connections, Trouble, look_name};
use super::sql::{identifier, literal};
use crate::world::postgres::Lsn;
use crate::world::postgres::heartbeat::{Arrived, Beat, Ended, Missed, Replayed, Turn};
use crate::world::{Known, Member};
use serde::Deserialize;
use std::time::Duration;

/// The name of its connections, not one of those that a freeze leaves alone: it writes like any client, and is ended and looked for like one.
const NAME: &str = "mrctl-heartbeat";
/// How long a commit may take to be acknowledged. One that waits for an absent synchronous standby is none.
const COMMIT: Duration = Duration::from_secs(3);
/// Replay that has not moved for so long stands still.
const REST: Duration = Duration::from_millis(250);
/// Most transactions that are asked for one by one.
const MOST: u32 = 10_000;

const SYSTEM: &str = "(SELECT system_identifier::text FROM pg_control_system())";
const TIMELINE: &str = "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int";

/// As an application writes: nothing of the session is set. Only ever upward, and only where it is meant to be.
fn write(table: &str, turn: &Turn) -> String {
    let Turn { writer, number, at_ms, system, timeline } = turn;
    format!(
        "INSERT INTO {} AS h (writer, number, at_ms) SELECT {}, {number}, {at_ms} WHERE {SYSTEM} = {} AND {TIMELINE} = {timeline} \
         ON CONFLICT (writer) DO UPDATE SET number = EXCLUDED.number, at_ms = EXCLUDED.at_ms WHERE h.number < EXCLUDED.number \
         RETURNING number",
        identifier(table),
        literal(writer),
        literal(system),
    )
}

/// Bounds of a snapshot, and which between them have not ended. A snapshot lists no subtransactions on a primary, and nothing on a standby
/// (measured on version 15); both answer for each.
fn ended() -> String {
    format!(
        "'below', s.below, 'until', s.until, 'running', CASE WHEN s.until - s.below <= {MOST} THEN \
             (SELECT coalesce(json_agg(x), '[]'::json) FROM generate_series(s.below, s.until - 1) x \
              WHERE pg_xact_status(x::text::xid8) = 'in progress') END"
    )
}

const SNAPSHOT: &str = "(SELECT pg_is_in_recovery() AS recovery, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS below, \
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS until) s";

/// What was on disk and had ended, behind the commit.
fn after() -> String {
    format!(
        "SELECT json_build_object('system', {SYSTEM}, 'timeline', {TIMELINE}, 'flushed', pg_current_wal_flush_lsn()::text, {})::text \
         FROM {SNAPSHOT}",
        ended()
    )
}

/// The row, and of a standby how far it is, in one statement.
fn read(table: &str, writer: &str, settled: bool) -> String {
    let ended = if settled { ended() } else { "'below', s.below, 'until', s.until".into() };
    format!(
        "SELECT json_build_object('recovery', s.recovery, \
         'received', CASE WHEN s.recovery THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text END, \
         'replayed', CASE WHEN s.recovery THEN pg_last_wal_replay_lsn()::text END, \
         'last', (SELECT json_build_array(number, at_ms) FROM {} WHERE writer = {}), {ended})::text FROM {SNAPSHOT}",
        identifier(table),
        literal(writer)
    )
}

#[derive(Deserialize)]
struct After {
    system: String,
    timeline: u32,
    flushed: String,
    #[serde(flatten)]
    ended: Ended,
}

#[derive(Deserialize)]
struct Seen {
    recovery: bool,
    received: Option<Lsn>,
    replayed: Option<Lsn>,
    last: Option<(u64, i64)>,
    #[serde(flatten)]
    ended: Ended,
}

fn missed(trouble: &Trouble) -> Missed {
    match trouble {
        // `read_only_sql_transaction`: frozen, or a standby.
        Trouble::Server(state, _) if state == "25006" => Missed::ReadOnly,
        trouble => Missed::Failed(trouble.to_string()),
    }
}

/// Writes one, and tells what the source had on disk once it was acknowledged.
pub(super) async fn beat(
    connections: &Connections,
    at: &Member,
    table: &str,
    turn: &Turn,
) -> Result<Beat, Missed> {
    // A connection of its own each time, as short as the write: one from before a freeze would have to be looked after in it.
    let session = connections.open(at, NAME).await.map_err(|trouble| missed(&trouble))?;
    let (statement, after) = (write(table, turn), after());
    // Sent together; the second is its own transaction, behind the commit of the first.
    let (written, after) =
        futures_util::future::join(session.value(&statement, COMMIT), session.value(&after, COMMIT)).await;
    let written = written.map_err(|trouble| missed(&trouble))?;
    let unread = || Missed::Failed("the server's answer cannot be read".into());
    let text = after.map_err(|trouble| missed(&trouble))?.ok_or_else(unread)?;
    let after: After = serde_json::from_str(&text).map_err(|_| unread())?;
    match written {
        Some(_) => {}
        None if after.system == turn.system && after.timeline == turn.timeline => return Err(Missed::Behind),
        None => return Err(Missed::Another),
    }
    Ok(Beat {
        writer: turn.writer.clone(),
        number: turn.number,
        missed: Vec::new(),
        at_ms: turn.at_ms,
        system: after.system,
        region: at.region.clone(),
        timeline: after.timeline,
        flushed: after.flushed.parse().map_err(|_| unread())?,
        ended: after.ended,
    })
}

/// What a member has of a writer's heartbeats. `settled`: replay is watched for a moment, to see whether it stands still.
pub(super) async fn arrived(
    connections: &Connections,
    at: &Member,
    table: &str,
    writer: &str,
    settled: bool,
) -> Known<Arrived> {
    let statement = read(table, writer, settled);
    let ask = async || -> Result<Seen, String> {
        let session = connections.open(at, &look_name("")).await.map_err(|trouble| trouble.to_string())?;
        let text = session.value(&statement, connections.timeout(at)).await;
        let text = text.map_err(|trouble| trouble.to_string())?.ok_or("the server returned nothing")?;
        serde_json::from_str(&text).map_err(|error| format!("the server's answer cannot be read: {error}"))
    };
    let seen = async {
        let first = ask().await?;
        if !(first.recovery && settled) {
            return Ok((first, false));
        }
        tokio::time::sleep(REST).await;
        let second = ask().await?;
        let at_rest = (second.received, second.replayed) == (first.received, first.replayed);
        Ok((second, at_rest))
    };
    let (seen, at_rest) = match seen.await {
        Ok(seen) => seen,
        Err(why) => return Known::Unknown(why),
    };
    let standby = match (seen.recovery, seen.received, seen.replayed) {
        (true, Some(received), Some(replayed)) => {
            Some(Replayed { ended: seen.ended, received, replayed, at_rest })
        }
        _ => None,
    };
    Known::Known(Arrived { last: seen.last, standby })
}
