//! Acknowledged against present: what was lost, and for how long nobody could write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::journal::{Acknowledged, Journal};
use super::writer::World;
use crate::lab::Region;
use crate::lab::error::{DatabaseContext, LabError, Result};
use crate::lab::wait;

/// What became of the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// Orders tried.
    pub attempted: u64,
    /// Orders acknowledged, of which `acknowledged_long` in long transactions.
    pub acknowledged: usize,
    /// Orders acknowledged to writers with long transactions.
    pub acknowledged_long: usize,
    /// Acknowledged orders by region.
    pub by_region: BTreeMap<Region, usize>,
    /// Ids that were acknowledged and are not on the primary now.
    pub lost: Vec<String>,
    /// Orders on the primary that were never acknowledged: the answer got lost, not the order.
    pub unacknowledged_present: usize,
    /// Longest time between two acknowledged orders, or between the last one and the end, in milliseconds.
    pub longest_gap_ms: u64,
    /// When that gap began, in milliseconds since the load's begin.
    pub longest_gap_at_ms: u64,
    /// Failed attempts by kind.
    pub errors: BTreeMap<String, u64>,
    /// The region of the primary that was asked.
    pub primary: Region,
    /// How long the load ran, in milliseconds.
    pub ran_ms: u64,
}

/// Reads the primary's table and compares.
pub(super) async fn verify(world: &World, journal: &Journal, until: Instant) -> Result<LoadReport> {
    let (primary, session) = wait::until("a primary answers", Duration::from_secs(30), || async {
        world.primary().await.ok_or_else(|| "no primary answers".to_owned())
    })
    .await?;
    let pattern = format!("{}-%", journal.load);
    let query = async { session.query("SELECT id FROM orders WHERE id LIKE $1", &[&pattern]).await };
    let rows = tokio::time::timeout(Duration::from_secs(30), query)
        .await
        .map_err(|_| LabError::Service("the primary did not answer within 30 s".into()))?
        .of(primary)?;
    let present: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let told = journal.read();
    let mut by_region = BTreeMap::new();
    for order in &told.acknowledged {
        *by_region.entry(order.region).or_default() += 1;
    }
    let known: BTreeSet<&str> = told.acknowledged.iter().map(|order| order.id.as_str()).collect();
    let (gap, gap_at) = longest_gap(journal.began, until, &told.acknowledged);
    Ok(LoadReport {
        attempted: told.attempted,
        acknowledged: told.acknowledged.len(),
        acknowledged_long: told.acknowledged.iter().filter(|order| order.long).count(),
        by_region,
        lost: known.iter().filter(|id| !present.contains(**id)).map(|id| (*id).to_owned()).collect(),
        unacknowledged_present: present.iter().filter(|id| !known.contains(id.as_str())).count(),
        longest_gap_ms: milliseconds(gap),
        longest_gap_at_ms: milliseconds(gap_at.saturating_duration_since(journal.began)),
        errors: told.errors,
        primary,
        ran_ms: milliseconds(until.saturating_duration_since(journal.began)),
    })
}

/// The longest gap and when it began. Before the first acknowledgement counts too, and after the last.
fn longest_gap(began: Instant, until: Instant, acknowledged: &[Acknowledged]) -> (Duration, Instant) {
    let mut longest = (Duration::ZERO, began);
    let mut last = began;
    for at in acknowledged.iter().map(|order| order.at).chain([until]) {
        let gap = at.saturating_duration_since(last);
        if gap > longest.0 {
            longest = (gap, last);
        }
        last = at;
    }
    longest
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |ms: u64| format!("{}.{:03} s", ms / 1000, ms % 1000);
        writeln!(f, "orders acknowledged   {} of {} tried", self.acknowledged, self.attempted)?;
        for (region, count) in &self.by_region {
            writeln!(f, "  through {region:<11} {count}")?;
        }
        writeln!(f, "acknowledged, lost    {}", self.lost.len())?;
        for id in self.lost.iter().take(5) {
            writeln!(f, "  {id}")?;
        }
        if self.lost.len() > 5 {
            writeln!(f, "  … and {} more", self.lost.len() - 5)?;
        }
        writeln!(f, "longest write gap     {}", seconds(self.longest_gap_ms))?;
        writeln!(f, "primary now           {}", self.primary)?;
        for (kind, count) in &self.errors {
            writeln!(f, "not taken             {count} × {kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_until_the_end_is_a_gap() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let order = |ms| Acknowledged { id: String::new(), at: at(ms), region: Region::EuWest, long: false };
        let orders = [order(10), order(40), order(50)];
        assert_eq!(longest_gap(began, at(60), &orders), (Duration::from_millis(30), at(10)));
        assert_eq!(longest_gap(began, at(500), &orders), (Duration::from_millis(450), at(50)));
        assert_eq!(longest_gap(began, at(5), &[]), (Duration::from_millis(5), began));
    }
}
