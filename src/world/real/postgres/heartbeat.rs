//! Heartbeats at a server: one row written as an application writes it, and what a member has of it.

use super::session::{Sessions as Connections, Trouble};
use super::sql::{identifier, literal};
use crate::world::postgres::heartbeat::{Arrived, Beat, Ended, Missed, Turn};
use crate::world::{Known, Member};
use serde::Deserialize;
use std::time::Duration;

/// The name of its connections: ours, so that a freeze leaves them alone, and of no change of a run.
const NAME: &str = "mrctl/heartbeat";
/// How long a commit may take to be acknowledged. One that waits for an absent synchronous standby is none.
const COMMIT: Duration = Duration::from_secs(3);
/// Replay that has not moved for so long stands still.
const REST: Duration = Duration::from_millis(250);
/// Most transactions that are asked for one by one.
const MOST: u32 = 10_000;

/// As an application writes: nothing of the session is set. Only ever upward.
fn write(table: &str, turn: &Turn) -> String {
    format!(
        "INSERT INTO {} AS h (writer, number, at_ms) VALUES ({}, {}, {}) \
         ON CONFLICT (writer) DO UPDATE SET number = EXCLUDED.number, at_ms = EXCLUDED.at_ms WHERE h.number < EXCLUDED.number \
         RETURNING number",
        identifier(table),
        literal(&turn.writer),
        turn.number,
        turn.at_ms
    )
}

/// What was on disk and had ended, behind the commit.
const AFTER: &str = "SELECT json_build_object(\
    'system', (SELECT system_identifier::text FROM pg_control_system()),\
    'timeline', ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,\
    'flushed', pg_current_wal_flush_lsn()::text,\
    'ended', pg_current_snapshot()::text)::text";

/// The row, and which transactions have ended, in one snapshot. A standby lists none of those that run (measured on version 15), and
/// answers for each.
fn read(table: &str, writer: &str) -> String {
    format!(
        "SELECT json_build_object(\
         'recovery', s.recovery,\
         'replayed', CASE WHEN s.recovery THEN pg_last_wal_replay_lsn()::text END,\
         'last', (SELECT json_build_array(number, at_ms) FROM {} WHERE writer = {}),\
         'below', s.below, 'until', s.until,\
         'running', CASE WHEN s.recovery AND s.until - s.below <= {MOST} THEN \
             (SELECT coalesce(json_agg(x), '[]'::json) FROM generate_series(s.below, s.until - 1) x \
              WHERE pg_xact_status(x::text::xid8) = 'in progress') END)::text \
         FROM (SELECT pg_is_in_recovery() AS recovery, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS below, \
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS until) s",
        identifier(table),
        literal(writer)
    )
}

#[derive(Deserialize)]
struct After {
    system: String,
    timeline: u32,
    flushed: String,
    ended: String,
}

#[derive(Deserialize)]
struct Seen {
    recovery: bool,
    replayed: Option<String>,
    last: Option<(u64, i64)>,
    below: u64,
    until: u64,
    running: Option<Vec<u64>>,
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
    // A connection of its own each time, as short as the write: what was there before a freeze would have to be looked after in it.
    let session = connections.open(at, NAME).await.map_err(|trouble| missed(&trouble))?;
    let statement = write(table, turn);
    // Sent together; the second is its own transaction, behind the commit of the first.
    let (written, after) =
        futures_util::future::join(session.value(&statement, COMMIT), session.value(AFTER, COMMIT)).await;
    if written.map_err(|trouble| missed(&trouble))?.is_none() {
        return Err(Missed::Behind);
    }
    let unread = || Missed::Failed("the server's answer cannot be read".into());
    let text = after.map_err(|trouble| missed(&trouble))?.ok_or_else(unread)?;
    let after: After = serde_json::from_str(&text).map_err(|_| unread())?;
    Ok(Beat {
        writer: turn.writer.clone(),
        number: turn.number,
        at_ms: turn.at_ms,
        system: after.system,
        region: at.region.clone(),
        timeline: after.timeline,
        flushed: after.flushed.parse().map_err(|_| unread())?,
        ended: Ended::of_primary(&after.ended).ok_or_else(unread)?,
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
    let ask = async || -> Result<Seen, String> {
        let session = connections.open(at, NAME).await.map_err(|trouble| trouble.to_string())?;
        let text = session.value(&read(table, writer), connections.timeout(at)).await;
        let text = text.map_err(|trouble| trouble.to_string())?.ok_or("the server returned nothing")?;
        serde_json::from_str(&text).map_err(|error| format!("the server's answer cannot be read: {error}"))
    };
    let first = match ask().await {
        Ok(seen) => seen,
        Err(why) => return Known::Unknown(why),
    };
    let (seen, at_rest) = if first.recovery && settled {
        tokio::time::sleep(REST).await;
        match ask().await {
            Ok(second) => {
                let at_rest = second.recovery && second.replayed == first.replayed;
                (second, at_rest)
            }
            Err(why) => return Known::Unknown(why),
        }
    } else {
        let at_rest = !first.recovery;
        (first, at_rest)
    };
    let Seen { recovery, last, below, until, running, .. } = seen;
    let ended = recovery.then_some(Ended { below, until, running });
    Known::Known(Arrived { last, ended, at_rest })
}
