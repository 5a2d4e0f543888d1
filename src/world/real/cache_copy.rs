//! One slice of copying keys between two servers: `SCAN`, `PTTL` and `DUMP`, `RESTORE` without `REPLACE`.

use super::cache::{info, words};
use crate::world::Reply;
use crate::world::cache::Pace;
use redis::Value;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long a slice lasts. It ends with the batch during which this is reached.
const SLICE: Duration = Duration::from_millis(900);
/// Keys in one batch: values stay in memory for its length.
const BATCH: u64 = 100;
/// Percent of the target's memory limit from which we stop: beyond it we would push out what we just copied.
const FULL: u64 = 85;

/// Where the copy stands; this is the cursor's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// Position of `SCAN` in the source.
    scan: u64,
    /// Keys read from the source.
    read: u64,
    /// Keys written.
    copied: u64,
    /// Keys that were in the target already.
    present: u64,
    /// Keys left out by prefix, or gone before they could be read.
    skipped: u64,
    /// Keys in the source at the start.
    total: u64,
    /// Milliseconds spent copying so far, for the ramp.
    spent_ms: u64,
    /// Evicted keys of the target at the start.
    evicted: u64,
    /// Run identities of source and target: a cursor means nothing to another process.
    source: String,
    target: String,
}

impl Progress {
    fn words(&self) -> String {
        format!(
            "{} of about {} keys read: {} copied, {} there already, {} left out",
            self.read,
            self.total.max(self.read),
            self.copied,
            self.present,
            self.skipped
        )
    }
}

/// Keys per second after so much time of the ramp: from a tenth to the full rate.
fn speed(pace: &Pace, spent_ms: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "rates and milliseconds are far below 2^52")]
    let (rate, done) = (pace.rate.max(1) as f64, spent_ms as f64 / pace.ramp_ms.max(1) as f64);
    (rate * (0.1 + 0.9 * done.min(1.0))).max(1.0)
}

/// Copies for about a second.
pub(super) async fn slice(
    source: &mut MultiplexedConnection,
    target: &mut MultiplexedConnection,
    pace: &Pace,
    cursor: &str,
) -> Reply {
    let mut progress = match begin(source, target, cursor).await {
        Ok(progress) => progress,
        Err(why) => return Reply::refused(why),
    };
    let begun = Instant::now();
    let spent_before = progress.spent_ms;
    loop {
        let speed = speed(pace, progress.spent_ms);
        let batch = Instant::now();
        let before = progress.read;
        if let Err(reply) = step(source, target, pace, speed, &mut progress).await {
            return reply;
        }
        if progress.scan == 0 {
            return Reply::acknowledged(progress.words());
        }
        #[allow(clippy::cast_precision_loss, reason = "a batch has at most some hundred keys")]
        let due = Duration::from_secs_f64((progress.read - before) as f64 / speed);
        tokio::time::sleep(due.saturating_sub(batch.elapsed())).await;
        progress.spent_ms =
            spent_before.saturating_add(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        if begun.elapsed() >= SLICE {
            return match serde_json::to_string(&progress) {
                Ok(cursor) => Reply::More { cursor, progress: progress.words() },
                Err(error) => Reply::lost(error.to_string()),
            };
        }
    }
}

/// Checks both servers and reads the cursor.
async fn begin(
    source: &mut MultiplexedConnection,
    target: &mut MultiplexedConnection,
    cursor: &str,
) -> Result<Progress, String> {
    let (from, to) = (info(source).await?, info(target).await?);
    if from.facts.server == to.facts.server {
        return Err("source and target are the same server".into());
    }
    if from.clustered || to.clustered {
        return Err(
            "a cluster's node holds only a part of the keys; warming works between single servers".into()
        );
    }
    if to.facts.role != "master" {
        return Err(format!("the target is a replica (role {})", to.facts.role));
    }
    let progress = if cursor.is_empty() {
        Progress {
            scan: 0,
            read: 0,
            copied: 0,
            present: 0,
            skipped: 0,
            total: from.facts.keys,
            spent_ms: 0,
            evicted: to.facts.evicted,
            source: from.facts.server.clone(),
            target: to.facts.server.clone(),
        }
    } else {
        serde_json::from_str(cursor).map_err(|error| format!("the cursor cannot be read: {error}"))?
    };
    if progress.source != from.facts.server {
        return Err("the source restarted meanwhile".into());
    }
    if progress.target != to.facts.server {
        return Err("the target restarted meanwhile".into());
    }
    if to.facts.evicted > progress.evicted {
        return Err(format!(
            "the target evicts: {} keys since the start; {}",
            to.facts.evicted - progress.evicted,
            progress.words()
        ));
    }
    if to.facts.limit_bytes > 0
        && to.facts.used_bytes.saturating_mul(100) > to.facts.limit_bytes.saturating_mul(FULL)
    {
        return Err(format!(
            "the target is nearly full: {} of {} bytes; {}",
            to.facts.used_bytes,
            to.facts.limit_bytes,
            progress.words()
        ));
    }
    Ok(progress)
}

/// One batch. An error is the reply that ends the slice.
async fn step(
    source: &mut MultiplexedConnection,
    target: &mut MultiplexedConnection,
    pace: &Pace,
    speed: f64,
    progress: &mut Progress,
) -> Result<(), Reply> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and clamped at once"
    )]
    let count = ((speed / 10.0) as u64).clamp(1, BATCH);
    let reading = |error: redis::RedisError| Reply::lost(format!("the source: {}", words(&error)));
    let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
        .arg(progress.scan)
        .arg("COUNT")
        .arg(count)
        .query_async(source)
        .await
        .map_err(reading)?;
    progress.read += keys.len() as u64;
    let wanted: Vec<_> = keys
        .iter()
        .filter(|key| !pace.skip.iter().any(|prefix| key.starts_with(prefix.as_bytes())))
        .collect();
    progress.skipped += (keys.len() - wanted.len()) as u64;
    // A small count may still give many keys (a small set is given whole): memory is bounded here.
    for chunk in wanted.chunks(BATCH as usize) {
        let mut pipe = redis::pipe();
        for key in chunk {
            pipe.cmd("PTTL").arg(key.as_slice()).cmd("DUMP").arg(key.as_slice());
        }
        let found: Vec<Value> = pipe.query_async(source).await.map_err(reading)?;
        restore(target, chunk, &found, progress).await?;
    }
    progress.scan = next;
    Ok(())
}

async fn restore(
    target: &mut MultiplexedConnection,
    keys: &[&Vec<u8>],
    found: &[Value],
    progress: &mut Progress,
) -> Result<(), Reply> {
    let mut pipe = redis::pipe();
    pipe.ignore_errors();
    for (key, pair) in keys.iter().zip(found.chunks(2)) {
        let (ttl, dump) = match pair {
            [Value::Int(ttl), Value::BulkString(dump)] => (*ttl, dump),
            // Gone between the commands.
            _ => {
                progress.skipped += 1;
                continue;
            }
        };
        let ttl = match ttl {
            -1 => 0,
            // 0 means "less than a millisecond left" to PTTL, but "for ever" to RESTORE.
            left @ 1.. => left,
            _ => {
                progress.skipped += 1;
                continue;
            }
        };
        pipe.cmd("RESTORE").arg(key.as_slice()).arg(ttl).arg(dump.as_slice());
    }
    if pipe.is_empty() {
        return Ok(());
    }
    let results: Vec<Result<Value, redis::RedisError>> = pipe
        .query_async(target)
        .await
        .map_err(|error| Reply::lost(format!("the target: {}", words(&error))))?;
    for result in results {
        match result {
            Ok(_) => progress.copied += 1,
            Err(error) if error.code() == Some("BUSYKEY") => progress.present += 1,
            Err(error) => {
                return Err(Reply::refused(format!("the target: {}; {}", words(&error), progress.words())));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_ramps_from_a_tenth_to_the_full_rate() {
        let pace = Pace { rate: 500, ramp_ms: 10_000, skip: Vec::new() };
        let at = |ms| speed(&pace, ms).round();
        assert_eq!((at(0), at(5_000), at(10_000), at(60_000)), (50.0, 275.0, 500.0, 500.0));
        let unramped = Pace { ramp_ms: 0, ..pace };
        assert_eq!(speed(&unramped, 1).round(), 500.0);
    }
}
