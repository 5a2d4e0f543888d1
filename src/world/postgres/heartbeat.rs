//! Heartbeats: what a source acknowledged, what of it a standby has, and so what is lost.

use super::Lsn;
use crate::world::Known;
use serde::{Deserialize, Serialize};

/// One that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who writes, on which timeline: the key of its row. What was written before a promotion stays as it was.
    pub writer: String,
    /// Its number.
    pub number: u64,
    /// When it is sent, by the writer's clock. Milliseconds since the epoch.
    pub at_ms: i64,
    /// Only into this system,
    pub system: String,
    /// and only on this timeline.
    pub timeline: u32,
}

/// Why one was not acknowledged. It may have been committed all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The server takes no writes: frozen, or a standby.
    ReadOnly,
    /// The server is of another system or timeline by now.
    Another,
    /// Its row has a number that is not smaller: one was committed that is not remembered, or the memory was copied.
    Behind,
    /// Anything else, in words.
    Failed(String),
}

/// A heartbeat that a source acknowledged, as its writer remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beat {
    /// Who writes, on which timeline: the key of its row.
    pub writer: String,
    /// Its number. Every one is greater than the one before.
    pub number: u64,
    /// Numbers before it that were not acknowledged, as ranges from and to. Each of them may have been committed.
    pub missed: Vec<(u64, u64)>,
    /// When it was sent, by the writer's clock. Milliseconds since the epoch.
    pub at_ms: i64,
    /// `system_identifier` of the cluster.
    pub system: String,
    /// Region of the primary.
    pub region: String,
    /// Timeline that it wrote.
    pub timeline: u32,
    /// What was on its disk, after the commit.
    pub flushed: Lsn,
    /// Which transactions had ended, after the commit.
    pub ended: Ended,
}

impl Beat {
    /// Of the numbers behind this one, up to the last: how many were acknowledged, and how many were not.
    fn since(&self, number: u64) -> (u64, u64) {
        let all = self.number.saturating_sub(number);
        let missed = self.missed.iter().map(|(from, to)| (to + 1).saturating_sub((number + 1).max(*from)));
        let missed = missed.sum::<u64>().min(all);
        (all - missed, missed)
    }
}

/// Which transactions have ended, committed or rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ended {
    /// All below this one have (`xmin`).
    pub below: u64,
    /// None from this one on has (`xmax`).
    pub until: u64,
    /// Those between that have not, subtransactions too. Unknown where there are too many to ask for each.
    pub running: Option<Vec<u64>>,
}

impl Ended {
    /// How many of these had not ended there: at least and at most.
    fn missing_in(&self, there: &Self) -> Range {
        // Ended here for sure: below this, without those.
        let (sure, still) = match &self.running {
            Some(running) => (self.until, running.as_slice()),
            None => (self.below, &[][..]),
        };
        let between = |from: u64, to: u64| {
            let running = still.iter().filter(|one| (from..to).contains(one)).count() as u64;
            to.saturating_sub(from).saturating_sub(running)
        };
        match &there.running {
            Some(running) => {
                let across = |to: u64| {
                    let missing = |one: &&u64| **one < there.until && **one < to && !still.contains(one);
                    running.iter().filter(missing).count() as u64
                };
                Range {
                    least: between(there.until, sure) + across(sure),
                    most: between(there.until, self.until) + across(self.until),
                }
            }
            None => Range { least: between(there.until, sure), most: between(there.below, self.until) },
        }
    }
}

/// What a server has of a writer's heartbeats.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Arrived {
    /// Number of the last one and when it was sent; none if there is no row of this writer.
    pub last: Option<(u64, i64)>,
    /// What only a standby tells; a primary goes on counting.
    pub standby: Option<Replayed>,
}

/// How far a standby was when its row was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Replayed {
    /// Which transactions it had seen end.
    pub ended: Ended,
    /// Received up to here.
    pub received: Lsn,
    /// Replayed up to here.
    pub replayed: Lsn,
    /// Whether replay stood still for a moment.
    pub at_rest: bool,
}

/// The last heartbeat that is remembered, and what a server has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heartbeat {
    /// As remembered.
    pub last: Beat,
    /// As found there.
    pub arrived: Arrived,
    /// When that was asked, by this host's clock. Milliseconds since the epoch.
    pub asked_ms: i64,
}

/// A number that is known to lie between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Range {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.least == self.most {
            write!(f, "{}", self.least)
        } else {
            write!(f, "{} to {}", self.least, self.most)
        }
    }
}

/// What is lost of what a source had acknowledged until the last heartbeat that is remembered. What came after that is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counted {
    /// Heartbeats that were acknowledged.
    pub heartbeats: Range,
    /// Transactions of others that wrote, in all databases of the server, those that were rolled back and subtransactions too.
    pub transactions: Range,
    /// Write-ahead log. Bytes.
    pub bytes: u64,
    /// Everything that was committed when this heartbeat was sent is there. Milliseconds since the epoch, the writer's clock.
    pub from_ms: i64,
    /// Until when it is counted: when the last heartbeat was sent.
    pub until_ms: i64,
    /// When it was counted.
    pub asked_ms: i64,
}

impl Counted {
    /// Whether nothing of what was counted is lost.
    pub fn nothing(&self) -> bool {
        self.heartbeats.most == 0 && self.transactions.most == 0
    }
}

impl Counted {
    /// The time of day, with its date where that is not the day on which it was counted.
    fn shown(&self, ms: i64) -> String {
        let (at, counted) = (moment(ms), moment(self.asked_ms));
        match (at.split_once(' '), counted.split_once(' ')) {
            (Some((day, time)), Some((today, _))) if day == today => time.to_string(),
            _ => at,
        }
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let age = self.asked_ms.saturating_sub(self.until_ms);
        let age = match age / 1000 {
            _ if age < 0 => "at a time that this clock has not reached".into(),
            seconds @ 0..120 => format!("{seconds} s before the count"),
            seconds @ 120..7200 => format!("{} min before the count", seconds / 60),
            seconds => format!("{} h before the count", seconds / 3600),
        };
        let until = format!("until the last heartbeat at {}, {age}", self.shown(self.until_ms));
        if self.nothing() {
            return write!(f, "nothing is lost {until}");
        }
        let s = |count: Range| if count.most == 1 { "" } else { "s" };
        write!(
            f,
            "lost {until}: {} heartbeat{}, {} transaction{} of others and {} bytes of log, ",
            self.heartbeats,
            s(self.heartbeats),
            self.transactions,
            s(self.transactions),
            self.bytes
        )?;
        match self.from_ms <= self.until_ms {
            true => write!(f, "from {} on", self.shown(self.from_ms)),
            false => f.write_str("and the writer's clock went back meanwhile"),
        }
    }
}

/// A time of day with its date, for people.
pub fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| format!("{ms} ms"), |at| at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

/// A commit takes at least so much of the log: header, the record's own, and the header of its data (`xl_xact_commit`, version 15). Bytes.
const LEAST_COMMIT: u64 = 34;

impl Heartbeat {
    /// What is lost where a standby of this system and timeline, which has received up to here, is promoted.
    pub fn count(&self, system: &str, timeline: u32, received: Lsn) -> Known<Counted> {
        let (last, arrived) = (&self.last, &self.arrived);
        if last.system != system {
            return Known::Unknown(format!(
                "the last heartbeat was written to another cluster, {}",
                last.system
            ));
        }
        if last.timeline != timeline {
            return Known::Unknown(format!(
                "the last heartbeat was written on timeline {}, and this one is on {timeline}",
                last.timeline
            ));
        }
        let Some((number, at_ms)) = arrived.last else {
            return Known::unknown("no heartbeat of this writer has arrived there");
        };
        let Some(standby) = &arrived.standby else {
            return Known::unknown("which transactions have arrived is told by a standby only");
        };
        if !standby.at_rest || standby.received != received {
            return Known::unknown("it still receives or replays");
        }
        // What was received and is not replayed yet is replayed by the promotion, but for the rest of a record: so many may be in it.
        let slack = received.bytes_since(standby.replayed) / LEAST_COMMIT;
        let (acknowledged, missed) = last.since(number);
        let ended = last.ended.missing_in(&standby.ended);
        Known::Known(Counted {
            heartbeats: Range { least: acknowledged.saturating_sub(slack), most: acknowledged },
            // One that was not acknowledged may be among them.
            transactions: Range {
                least: ended.least.saturating_sub(acknowledged + missed + slack),
                most: ended.most.saturating_sub(acknowledged),
            },
            bytes: last.flushed.bytes_since(received),
            from_ms: at_ms,
            until_ms: last.at_ms,
            asked_ms: self.asked_ms,
        })
    }

    /// How many acknowledged heartbeats are not there.
    pub fn missing(&self) -> Known<u64> {
        match self.arrived.last {
            Some((number, _)) => Known::Known(self.last.since(number).0),
            None => Known::unknown("no heartbeat of this writer has arrived there"),
        }
    }
}

#[cfg(test)]
mod tests;
