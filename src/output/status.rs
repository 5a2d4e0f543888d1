//! `status` and `runs`: rows of plain values in, lines out.

use super::paint::{Text, Tone, wrap};
use super::streams::Style;
use super::table::Table;
use super::words::{stamp, time};
use crate::engine::Verdict;

/// A run in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Identity as commands take it: its shortest unique prefix.
    pub run: String,
    /// Name of the runbook.
    pub runbook: String,
    /// Source region.
    pub from: String,
    /// Target region.
    pub to: String,
    /// `real` or the kind of drill.
    pub drill: String,
    /// When it began. Milliseconds since the epoch.
    pub began: i64,
    /// When its last process ended; none while one drives it, or if it died.
    pub ended: Option<i64>,
    /// How it stands.
    pub state: RunNow,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunNow {
    /// A process drives it, with this number on this host.
    Driven(String),
    /// Its last process died without a verdict: it is open, and only a resume tells what is so.
    Died,
    /// It ended.
    Ended(Verdict),
    /// A person closed it.
    Abandoned,
    /// Its journal cannot be read.
    Damaged(String),
}

impl RunNow {
    fn text(&self) -> Text {
        match self {
            Self::Driven(by) => Text::of(Tone::Strong, format!("running ({by})")),
            Self::Died => Text::of(Tone::Bad, "open: its process died"),
            Self::Ended(verdict) => {
                let word = verdict.word().replace('_', " ");
                match verdict {
                    Verdict::Completed => Text::of(Tone::Good, word),
                    Verdict::RolledBack | Verdict::Refused => Text::of(Tone::Plain, word),
                    Verdict::Failed => Text::of(Tone::Bad, word),
                    Verdict::Paused | Verdict::Unknown | Verdict::RollbackFailed => {
                        Text::of(Tone::Bad, format!("open: {word}"))
                    }
                }
            }
            Self::Abandoned => Text::of(Tone::Plain, "abandoned"),
            Self::Damaged(why) => Text::of(Tone::Bad, format!("damaged: {why}")),
        }
    }
}

/// The list of runs, in the order given.
pub fn runs(rows: &[RunRow], style: Style, width: usize) -> Vec<Text> {
    let mut table = Table::new(&["run", "state", "runbook", "direction", "began", "took"]);
    for row in rows {
        let drill = if row.drill == "real" { String::new() } else { format!(" ({})", row.drill) };
        table.row(vec![
            Text::of(Tone::Strong, &row.run),
            row.state.text(),
            Text::of(Tone::Plain, format!("{}{drill}", row.runbook)),
            Text::of(Tone::Plain, format!("{} → {}", row.from, row.to)),
            Text::of(Tone::Dim, stamp(row.began)),
            Text::of(Tone::Dim, took(row)),
        ]);
    }
    table.draw(style, width)
}

/// How long a run took, if it has ended. The clock may have been set back meanwhile.
fn took(row: &RunRow) -> String {
    match row.ended.map(|ended| ended - row.began) {
        None => String::new(),
        Some(..0) => "unknown".into(),
        Some(ms) => time(ms),
    }
}

/// How good or bad a line of the status is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Fine,
    /// Wants attention.
    Warn,
    /// Writes are stopped, data is unprotected, two primaries.
    Bad,
    /// Could not be seen. Never fine.
    Unknown,
}

/// One thing in one region, as seen now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRow {
    /// Its name in the inventory, with its type if that is not clear.
    pub resource: String,
    /// The region; empty for a thing that is in none.
    pub region: String,
    /// What it is, in a word or two: `primary`, `standby`, `FROZEN`, `unknown`.
    pub is: String,
    /// Numbers and reasons.
    pub detail: String,
    /// How good that is.
    pub health: Health,
}

/// What is so now: the loudest first in a line of its own, then a row for each thing.
pub fn status(alarms: &[String], rows: &[ResourceRow], style: Style, width: usize) -> Vec<Text> {
    let mut lines = Vec::new();
    for alarm in alarms {
        let wrapped = wrap(alarm, width.saturating_sub(2), 6, style).into_iter().enumerate();
        lines.extend(wrapped.map(|(index, line)| {
            Text::of(Tone::Bad, if index == 0 { "! " } else { "  " }).and(Tone::Bad, line)
        }));
    }
    if !alarms.is_empty() {
        lines.push(Text::new());
    }
    let mut table = Table::new(&["resource", "region", "is", "detail"]);
    for row in rows {
        let tone = match row.health {
            Health::Fine => Tone::Good,
            Health::Warn => Tone::Warn,
            Health::Bad | Health::Unknown => Tone::Bad,
        };
        table.row(vec![
            Text::of(Tone::Plain, &row.resource),
            Text::of(Tone::Plain, &row.region),
            Text::of(tone, &row.is),
            Text::of(Tone::Dim, &row.detail),
        ]);
    }
    lines.extend(table.draw(style, width));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::sample::BEGIN;
    use super::*;

    const PLAIN: Style = Style { colour: false, unicode: true };

    fn shown(lines: Vec<Text>) -> String {
        lines.iter().map(|line| line.paint(PLAIN)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn runs_stand_side_by_side_or_beneath() {
        let row = |run: &str, state, ended| RunRow {
            run: run.into(),
            runbook: "orders-failover".into(),
            from: "eu-west".into(),
            to: "us-east".into(),
            drill: "real".into(),
            began: BEGIN,
            ended,
            state,
        };
        let rows = [
            row("0197f3", RunNow::Ended(Verdict::Completed), Some(BEGIN + 42_000)),
            row("0197f4", RunNow::Ended(Verdict::Unknown), Some(BEGIN + 57_000)),
            row("0197f5", RunNow::Died, None),
        ];
        for width in [100, 40] {
            insta::assert_snapshot!(format!("runs_{width}"), shown(runs(&rows, PLAIN, width)));
        }
    }

    #[test]
    fn status_says_the_worst_first() {
        let row = |region: &str, is: &str, detail: &str, health| ResourceRow {
            resource: "orders".into(),
            region: region.into(),
            is: is.into(),
            detail: detail.into(),
            health,
        };
        let rows = [
            row("eu-west", "FROZEN", "refuses new writes since 10:00:20", Health::Bad),
            row("us-east", "unknown", "connection timed out", Health::Unknown),
        ];
        let alarms =
            ["orders is FROZEN: no region takes writes; run 0197f4 froze it: mrctl resume 0197f4"
                .to_string()];
        for width in [80, 40] {
            insta::assert_snapshot!(format!("status_{width}"), shown(status(&alarms, &rows, PLAIN, width)));
        }
    }
}
