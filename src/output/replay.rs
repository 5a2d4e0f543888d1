//! One counterexample, happening by happening: what is true beside what the run believes.

use super::paint::{Text, Tone};
use super::streams::Style;
use super::words::count;
use crate::rehearse::replay::Moment;
use crate::rehearse::report::{Counterexample, Report};

/// What it is about.
pub fn heading(report: &Report, one: &Counterexample, style: Style, width: usize) -> Vec<Text> {
    let sign = if style.unicode { "✗ " } else { "!! " };
    let lines = vec![
        Text::of(Tone::Strong, format!("{} · {} → {}", report.runbook, report.from, report.to)),
        Text::of(Tone::Bad, sign)
            .and(Tone::Strong, format!("{} {}", one.invariant, one.title))
            .and(Tone::Dim, format!("  {} · {}", one.id, count(one.faults.len(), "fault"))),
        Text::of(Tone::Plain, format!("  {}", one.what)),
    ];
    laid_out(lines, style, width)
}

/// One happening. Truth and belief are told when they are not those of the happening before, or if `both`.
pub fn moment(
    number: usize,
    now: &Moment,
    before: Option<&Moment>,
    both: bool,
    style: Style,
    width: usize,
) -> Vec<Text> {
    let sign = if now.fault { ">" } else { " " };
    let tone = if now.fault { Tone::Warn } else { Tone::Plain };
    let mut lines = vec![Text::of(tone, format!("{sign} {number:>3} {}", now.text))];
    if both || before.is_none_or(|before| before.truth != now.truth) {
        lines.push(Text::of(Tone::Strong, "        true now:     ").plain(&now.truth));
    }
    if both || before.is_none_or(|before| before.belief != now.belief) {
        lines.push(Text::of(Tone::Strong, "        the run says: ").plain(&now.belief));
    }
    laid_out(lines, style, width)
}

fn laid_out(lines: Vec<Text>, style: Style, width: usize) -> Vec<Text> {
    let width = width.clamp(40, 160);
    let spelled = lines.into_iter().map(|line| line.spelled(style));
    spelled.flat_map(|line| line.broken(width, "          ")).collect()
}
