//! Heartbeats: what a source acknowledged, what of it a standby has, and so what is lost.

use super::Lsn;
use crate::world::Known;
use serde::{Deserialize, Serialize};

/// One that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who writes: the key of its row.
    pub writer: String,
    /// Its number.
    pub number: u64,
    /// When it is sent, by the writer's clock. Milliseconds since the epoch.
    pub at_ms: i64,
}

/// Why one was not acknowledged. It may have been committed all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The server takes no writes: frozen, or a standby.
    ReadOnly,
    /// Its row has a number that is not smaller: the writer is not who it believes to be.
    Behind,
    /// Anything else, in words.
    Failed(String),
}

/// A heartbeat that a source acknowledged, as its writer remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beat {
    /// Who writes: the key of its row.
    pub writer: String,
    /// Its number. Every one is greater than the one before.
    pub number: u64,
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

/// Which transactions have ended, committed or rolled back, as a snapshot tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ended {
    /// All below this one have (`xmin`).
    pub below: u64,
    /// None from this one on has (`xmax`).
    pub until: u64,
    /// Those between that have not. Unknown where the server lists none, as a standby does, and there are too many to ask for each.
    pub running: Option<Vec<u64>>,
}

impl Ended {
    /// As `pg_current_snapshot` writes it on a primary: `733:739:733,736`.
    pub fn of_primary(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (below, until) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let running: Option<Vec<u64>> =
            parts.next()?.split(',').filter(|one| !one.is_empty()).map(|one| one.parse().ok()).collect();
        Some(Self { below, until, running: Some(running?) })
    }

    /// How many of these had not ended there: at least and at most.
    fn missing_in(&self, there: &Self) -> Range {
        let ended_here = |number: u64| {
            number < self.until && !self.running.as_ref().is_some_and(|running| running.contains(&number))
        };
        let beyond = |from: u64| {
            let all = self.until.saturating_sub(from);
            let running = self.running.iter().flatten().filter(|one| **one >= from).count() as u64;
            all.saturating_sub(running)
        };
        match &there.running {
            Some(running) => {
                let across =
                    running.iter().filter(|one| **one < there.until && ended_here(**one)).count() as u64;
                let exact = beyond(there.until) + across;
                Range { least: exact, most: exact }
            }
            None => Range { least: beyond(there.until), most: beyond(there.below) },
        }
    }
}

/// What a server has of a writer's heartbeats.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Arrived {
    /// Number of the last one and when it was sent; none if there is no row of this writer.
    pub last: Option<(u64, i64)>,
    /// Which transactions it has seen end; only of a standby, for a primary goes on counting.
    pub ended: Option<Ended>,
    /// Whether its replay stood still while that was read: what it has received and not replayed will arrive.
    pub at_rest: bool,
}

/// The last heartbeat that is remembered, and what a server has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heartbeat {
    /// As remembered.
    pub last: Beat,
    /// As found there.
    pub arrived: Arrived,
}

/// A number that is known to lie between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Range {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

impl Range {
    fn less(self, known: u64) -> Self {
        Self { least: self.least.saturating_sub(known), most: self.most.saturating_sub(known) }
    }
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
    /// Heartbeats.
    pub heartbeats: u64,
    /// Transactions of others that wrote, those that were rolled back too.
    pub transactions: Range,
    /// Write-ahead log. Bytes.
    pub bytes: u64,
    /// Everything that was committed when this heartbeat was sent is there. Milliseconds since the epoch, the writer's clock.
    pub from_ms: i64,
    /// Until when it is counted: when the last heartbeat was sent.
    pub until_ms: i64,
}

impl Counted {
    /// Whether nothing of what was counted is lost.
    pub fn nothing(&self) -> bool {
        self.heartbeats == 0 && self.transactions.most == 0
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let until = moment(self.until_ms);
        if self.nothing() {
            return write!(f, "nothing is lost until the last heartbeat at {until}");
        }
        let s = |count: u64| if count == 1 { "" } else { "s" };
        write!(
            f,
            "lost until the last heartbeat at {until}: {} heartbeat{}, {} transaction{} of others and {} bytes of log, from {} on",
            self.heartbeats,
            s(self.heartbeats),
            self.transactions,
            s(self.transactions.most),
            self.bytes,
            moment(self.from_ms)
        )
    }
}

/// A time of day with its date, for people.
pub fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| format!("{ms} ms"), |at| at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

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
        if !arrived.at_rest {
            return Known::unknown("replay still goes on there");
        }
        let Some(ended) = &arrived.ended else {
            return Known::unknown("which transactions have arrived is told by a standby only");
        };
        let heartbeats = last.number.saturating_sub(number);
        Known::Known(Counted {
            heartbeats,
            transactions: last.ended.missing_in(ended).less(heartbeats),
            bytes: last.flushed.bytes_since(received),
            from_ms: at_ms.min(last.at_ms),
            until_ms: last.at_ms,
        })
    }

    /// How many acknowledged heartbeats are not there.
    pub fn missing(&self) -> Known<u64> {
        match self.arrived.last {
            Some((number, _)) => Known::Known(self.last.number.saturating_sub(number)),
            None => Known::unknown("no heartbeat of this writer has arrived there"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(below: u64, until: u64, running: Option<&[u64]>) -> Ended {
        Ended { below, until, running: running.map(<[u64]>::to_vec) }
    }

    fn heartbeat(source: Ended, target: Ended) -> Heartbeat {
        let last = Beat {
            writer: "w".into(),
            number: 12,
            at_ms: 5_000,
            system: "7".into(),
            region: "eu-west".into(),
            timeline: 1,
            flushed: "0/5000100".parse().unwrap(),
            ended: source,
        };
        Heartbeat { last, arrived: Arrived { last: Some((10, 3_000)), ended: Some(target), at_rest: true } }
    }

    fn counted(source: Ended, target: Ended) -> Counted {
        let counted = heartbeat(source, target).count("7", 1, "0/5000000".parse().unwrap());
        counted.get().cloned().unwrap()
    }

    #[test]
    fn what_ended_at_the_source_and_not_at_the_target_is_lost() {
        // 100 to 109 ended at the source after the target's last; two of them are heartbeats.
        let lost = counted(ended(110, 110, Some(&[])), ended(100, 100, Some(&[])));
        assert_eq!((lost.heartbeats, lost.transactions, lost.bytes), (2, Range { least: 8, most: 8 }, 0x100));
        assert_eq!((lost.from_ms, lost.until_ms), (3_000, 5_000));
        // What still ran at the source was never acknowledged.
        let lost = counted(ended(104, 110, Some(&[104, 108])), ended(100, 100, Some(&[])));
        assert_eq!(lost.transactions, Range { least: 6, most: 6 });
        // What ran at the target and ended at the source is lost, what ran at both is not.
        let lost = counted(ended(96, 110, Some(&[96])), ended(95, 100, Some(&[95, 96])));
        assert_eq!(lost.transactions, Range { least: 9, most: 9 });
        // Those that run there are not listed: bounds.
        let lost = counted(ended(110, 110, Some(&[])), ended(95, 100, None));
        assert_eq!(
            (lost.transactions, lost.transactions.to_string().as_str()),
            (Range { least: 8, most: 13 }, "8 to 13")
        );
    }

    #[test]
    fn a_target_that_has_all_lost_nothing_and_is_never_less_than_nothing() {
        let mut all = heartbeat(ended(110, 110, Some(&[])), ended(120, 120, Some(&[])));
        all.arrived.last = Some((13, 6_000));
        let lost = all.count("7", 1, "0/6000000".parse().unwrap()).get().cloned().unwrap();
        assert!(lost.nothing() && lost.bytes == 0 && lost.from_ms <= lost.until_ms, "{lost:?}");
        assert_eq!(all.missing(), Known::Known(0));
    }

    #[test]
    fn another_history_or_no_row_counts_nothing() {
        let received = || "0/5000000".parse().unwrap();
        let good = || heartbeat(ended(110, 110, Some(&[])), ended(100, 100, Some(&[])));
        assert!(good().count("8", 1, received()).get().is_none(), "another cluster");
        assert!(good().count("7", 2, received()).get().is_none(), "another timeline");
        let mut none = good();
        none.arrived.last = None;
        assert!(none.count("7", 1, received()).get().is_none() && none.missing().get().is_none());
        let mut primary = good();
        primary.arrived.ended = None;
        assert!(primary.count("7", 1, received()).get().is_none(), "a primary goes on counting");
        let mut moving = good();
        moving.arrived.at_rest = false;
        assert!(moving.count("7", 1, received()).get().is_none(), "what it replays later is not lost");
    }

    #[test]
    fn a_snapshot_is_read_whole_or_not_at_all() {
        assert_eq!(Ended::of_primary("733:739:733,736"), Some(ended(733, 739, Some(&[733, 736]))));
        assert_eq!(Ended::of_primary("740:740:"), Some(ended(740, 740, Some(&[]))));
        for text in ["", "740", "740:741", "740:741:x", "a:b:"] {
            assert_eq!(Ended::of_primary(text), None, "{text}");
        }
    }
}
