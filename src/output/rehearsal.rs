//! A rehearsal for reading: what was tried, what went wrong as a story, what was not covered.

use super::paint::{Text, Tone};
use super::streams::Style;
use super::words::count;
use crate::rehearse::report::{Counterexample, Report};
use crate::rehearse::start::{Start, StartFrom};

/// Counterexamples that are shown, unless all are asked for.
const SHOWN: usize = 5;

/// How much is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The first counterexamples, in short.
    Short,
    /// All of them, in short.
    All,
    /// One of them by its identity, with everything that happened.
    One(String),
}

/// A report in lines.
pub fn render(report: &Report, detail: &Detail, style: Style, width: usize) -> Vec<Text> {
    let width = width.clamp(40, 160);
    let mut lines =
        vec![Text::of(Tone::Strong, format!("{} · {} → {}", report.runbook, report.from, report.to))];
    lines.extend(beginning(&report.start));
    if let Some(why) = &report.fails_alone {
        let live = report.start.from == StartFrom::Live;
        let what = if live {
            "it would not even complete now: "
        } else {
            "it does not complete even when nothing goes wrong: "
        };
        lines.push(sign(style, false).plain(what).plain(why));
        if !live {
            lines.push(Text::of(Tone::Plain, "  In the simulated world everything is well at the start; numbers that conditions ask for are 0."));
        }
    }
    let shown = match detail {
        Detail::Short => SHOWN,
        Detail::All | Detail::One(_) => usize::MAX,
    };
    let wanted = |one: &&Counterexample| match detail {
        Detail::One(id) => one.id == *id,
        Detail::Short | Detail::All => true,
    };
    let whole = matches!(detail, Detail::One(_));
    for one in report.counterexamples.iter().filter(wanted).take(shown) {
        lines.extend(story(one, whole, style));
    }
    let more = report.counterexamples.len().saturating_sub(shown);
    if more > 0 {
        lines.push(Text::of(Tone::Dim, format!("  {more} more: --all")));
    }
    lines.extend(footer(report, style));
    let spelled = lines.into_iter().map(|line| line.spelled(style));
    spelled.flat_map(|line| line.broken(width, "      ")).collect()
}

/// What was seen at the start; nothing where nothing was looked at.
fn beginning(start: &Start) -> Vec<Text> {
    let (Some(seen_at), Some(environment)) = (&start.seen_at, &start.environment) else { return Vec::new() };
    let mut lines =
        vec![Text::of(Tone::Strong, "start: ").plain(format!("as seen at {seen_at} in {environment}"))];
    if start.differs.is_empty() {
        lines.push(Text::of(Tone::Dim, "  everything is well, and the source serves"));
    }
    lines.extend(start.differs.iter().map(|line| Text::of(Tone::Warn, format!("  {line}"))));
    let lacks = |line: &String| Text::of(Tone::Dim, "  not represented: ").plain(line);
    lines.extend(start.not_represented.iter().map(lacks));
    lines
}

fn sign(style: Style, good: bool) -> Text {
    match (good, style.unicode) {
        (true, true) => Text::of(Tone::Good, "✓ "),
        (true, false) => Text::of(Tone::Good, "ok "),
        (false, true) => Text::of(Tone::Bad, "✗ "),
        (false, false) => Text::of(Tone::Bad, "!! "),
    }
}

fn story(one: &Counterexample, whole: bool, style: Style) -> Vec<Text> {
    let mut lines = vec![
        sign(style, false).and(Tone::Strong, format!("{} {}", one.invariant, one.title)).and(
            Tone::Dim,
            format!(
                "  {} · {} · {}",
                one.id,
                count(one.faults.len(), "fault"),
                count(as_usize(one.schedules), "schedule")
            ),
        ),
        Text::of(Tone::Plain, format!("  {}", one.what)),
    ];
    if !whole {
        let mut usual: Vec<&str> = Vec::new();
        for line in one.story.iter().filter(|line| line.usual && !line.step.is_empty()) {
            if usual.last() != Some(&line.step.as_str()) {
                usual.push(&line.step);
            }
        }
        if !usual.is_empty() {
            lines.push(Text::of(Tone::Dim, format!("    as planned: {}", usual.join(", "))));
        }
    }
    for line in one.story.iter().filter(|line| whole || !line.usual) {
        lines.push(match line.fault {
            true => Text::of(Tone::Warn, format!("  > {}", line.text)),
            false => Text::of(Tone::Plain, format!("    {}", line.text)),
        });
    }
    lines.push(Text::of(Tone::Strong, "    true now:     ").plain(&one.truth));
    lines.push(Text::of(Tone::Strong, "    the run says: ").plain(&one.belief));
    lines
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn footer(report: &Report, style: Style) -> Vec<Text> {
    let mut lines = Vec::new();
    match report.complete_for {
        _ if report.counts.cut => lines.push(
            sign(style, false).plain(format!("given up after {} states: not complete", report.counts.states)),
        ),
        Some(faults) if faults > 0 || report.clean() => lines.push(sign(style, true).plain(format!(
            "complete for up to {} of {} kinds, in every step, rollback and resume of a planned run without a terminal",
            count(as_usize(u64::from(faults)), "fault"),
            report.alphabet
        ))),
        Some(_) | None => {}
    }
    let ends: Vec<String> =
        report.counts.ends.iter().map(|(verdict, number)| format!("{number} {verdict}")).collect();
    lines.push(Text::of(
        Tone::Dim,
        format!(
            "  {} moves · {} states · {} merged · ends: {} · {:.2} s",
            report.counts.moves,
            report.counts.states,
            report.counts.merged,
            ends.join(", "),
            report.elapsed_ms as f64 / 1000.0
        ),
    ));
    for (what, list) in [("never made", &report.never_made), ("never taken back", &report.never_taken_back)] {
        if !list.is_empty() {
            lines.push(Text::of(Tone::Warn, format!("  {what} in any schedule: {}", list.join(", "))));
        }
    }
    for one in &report.not_covered {
        lines.push(
            Text::of(Tone::Warn, format!("  NOT COVERED: {}", one.step)).plain(format!(": {}", one.why)),
        );
    }
    lines
}
