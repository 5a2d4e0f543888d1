//! A rehearsal for reading: what was tried, what went wrong as a story, what was not covered.

use super::paint::{Text, Tone};
use super::streams::Style;
use super::words::count;
use crate::plan::Mode;
use crate::rehearse::remedy::{Remedy, SHOWN};
use crate::rehearse::report::{Counterexample, Report, StoryLine};
use crate::rehearse::start::{Start, StartFrom};

/// How much is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The first counterexamples, one of each cause, in short.
    Short,
    /// All of them, in short.
    All,
    /// One of them by its identity, with everything that happened.
    One(String),
}

/// Columns of the words before what is true, said, and to be done.
const LABEL: &str = "                ";

/// A line, and what stands before those that it is broken into.
type Line = (Text, &'static str);

fn line(text: Text) -> Line {
    (text, "      ")
}

fn labelled(label: &str, text: impl AsRef<str>) -> Line {
    (Text::of(Tone::Strong, format!("  {label:<14}")).plain(text), LABEL)
}

/// A report in lines. `again`: the command that rehearses this runbook in this direction.
pub fn render(report: &Report, again: &str, detail: &Detail, style: Style, width: usize) -> Vec<Text> {
    let mut lines =
        vec![line(Text::of(Tone::Strong, format!("{} · {} → {}", report.runbook, report.from, report.to)))];
    lines.extend(beginning(&report.start).into_iter().map(line));
    if let Some(why) = &report.fails_alone {
        let live = report.start.from == StartFrom::Live;
        let what = match live {
            true => "it would not even complete now: ",
            false => "it does not complete even when nothing goes wrong: ",
        };
        lines.push(line(sign(style, false).plain(what).plain(why)));
        lines.extend(report.remedy.as_ref().map(|one| remedy("with which it does", one)));
        if !live {
            lines.push(line(Text::of(
                Tone::Dim,
                "  In the simulated world everything is well at the start, and numbers that conditions ask for are 0.",
            )));
        }
    }
    let shown = match detail {
        Detail::Short => SHOWN,
        Detail::All | Detail::One(_) => usize::MAX,
    };
    let wanted = |one: &&Counterexample| match detail {
        Detail::One(id) => one.id == *id,
        Detail::Short => one.same_as.is_none(),
        Detail::All => true,
    };
    let told: Vec<&Counterexample> = report.counterexamples.iter().filter(wanted).collect();
    for one in told.iter().take(shown) {
        lines.push(line(Text::new()));
        lines.extend(heading(report, one, again, style));
        lines.extend(story(report, one, detail));
    }
    if !told.is_empty() || report.fails_alone.is_some() {
        lines.push(line(Text::new()));
    }
    let more = told.len().saturating_sub(shown);
    if more > 0 {
        lines.push(line(Text::of(Tone::Dim, format!("  {more} more with other causes: --all"))));
    }
    lines.extend(footer(report, style));
    laid_out(lines, style, width)
}

/// One counterexample in plain lines, for other programs' reports.
pub fn plain(report: &Report, one: &Counterexample) -> String {
    let style = Style { colour: false, unicode: true };
    let lines = laid_out(story(report, one, &Detail::Short), style, 160);
    let lines: Vec<String> = lines.iter().map(|line| line.paint(style)).collect();
    lines.join("\n")
}

/// What to change, in one line, with what its rehearsal said.
pub fn in_words(remedy: &Remedy) -> String {
    format!("{}; rehearsed again: {}", remedy.change, remedy.rehearsed)
}

fn laid_out(lines: Vec<Line>, style: Style, width: usize) -> Vec<Text> {
    let width = width.clamp(40, 160);
    let spelled = lines.into_iter().map(|(line, indent)| (line.spelled(style), indent));
    spelled.flat_map(|(line, indent)| line.broken(width, indent)).collect()
}

/// What was seen at the start; nothing where nothing was looked at.
fn beginning(start: &Start) -> Vec<Text> {
    if let Some(source) = &start.source {
        return vec![Text::of(Tone::Strong, "start: ").plain(source)];
    }
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

fn heading(report: &Report, one: &Counterexample, again: &str, style: Style) -> Vec<Line> {
    let title = Text::of(Tone::Strong, format!("{} {}", one.invariant, one.title));
    let numbers = [count(one.faults.len(), "fault"), count(as_usize(one.schedules), "schedule")].join(" · ");
    let place = format!("  {} · {} → {} · {numbers}", report.runbook, report.from, report.to);
    vec![
        line(sign(style, false).with(title)),
        line(Text::of(Tone::Dim, place)),
        line(Text::of(Tone::Dim, format!("  replay: {again} --replay {}", one.id))),
        line(Text::of(Tone::Plain, format!("  {}", one.what))),
    ]
}

fn story(report: &Report, one: &Counterexample, detail: &Detail) -> Vec<Line> {
    let whole = matches!(detail, Detail::One(_));
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(first) = one.story.get(at) {
        if first.usual && !whole {
            let run = one.story[at..].iter().take_while(|line| line.usual && line.back == first.back);
            let run: Vec<&StoryLine> = run.collect();
            at += run.len();
            lines.extend(folded(&run, first.back));
            continue;
        }
        at += 1;
        lines.push(line(match first.fault {
            true => Text::of(Tone::Warn, format!("    {}  ← fault", first.text)),
            false => Text::of(Tone::Plain, format!("    {}", first.text)),
        }));
    }
    lines.push(labelled("true now:", &one.truth));
    lines.push(labelled("the run says:", &one.belief));
    lines.extend(one.why.as_ref().map(|why| labelled("why:", why)));
    lines.extend(
        one.precedent
            .as_ref()
            .map(|precedent| labelled("precedent:", format!("{} ({})", precedent.text, precedent.source))),
    );
    match &one.remedy {
        Some(one) => lines.push(remedy("that removes it", one)),
        None if one.sought => lines.push(labelled("remedy:", "no single change that mrctl knows removes it")),
        None => {}
    }
    if *detail == Detail::Short {
        let same: Vec<&Counterexample> =
            report.counterexamples.iter().filter(|other| other.same_as.as_ref() == Some(&one.id)).collect();
        let schedules = same.iter().map(|one| one.schedules).sum();
        if !same.is_empty() {
            let text = format!(
                "{}, {} (show: --all)",
                count(same.len(), "more counterexample"),
                count(as_usize(schedules), "schedule")
            );
            lines.push(labelled("same cause:", text));
        }
    } else if let Some(same) = &one.same_as {
        lines.push(labelled("same cause:", format!("as {same}")));
    }
    lines
}

/// Steps that went as planned, in one line.
fn folded(run: &[&StoryLine], back: bool) -> Option<Line> {
    let mut steps: Vec<&str> = Vec::new();
    for line in run.iter().filter(|line| !line.step.is_empty()) {
        if steps.last() != Some(&line.step.as_str()) {
            steps.push(&line.step);
        }
    }
    let word = if back { "taken back" } else { "as planned" };
    (!steps.is_empty()).then(|| line(Text::of(Tone::Dim, format!("    {word}: {}", steps.join(", ")))))
}

fn remedy(does: &str, remedy: &Remedy) -> Line {
    (Text::of(Tone::Good, format!("  smallest change {does}: ")).plain(in_words(remedy)), LABEL)
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn footer(report: &Report, style: Style) -> Vec<Line> {
    let mut lines = Vec::new();
    let faults = |number: u32| count(as_usize(u64::from(number)), "fault");
    match report.complete_for {
        _ if report.counts.cut => lines.push(line(
            sign(style, false).plain(format!("given up after {} states: not complete", report.counts.states)),
        )),
        Some(up_to) if report.counterexamples.is_empty() && up_to == report.bound => lines.push(line(sign(style, true).plain(format!(
            "complete for up to {} of {} kinds, in every step, rollback and resume of {} run without a terminal",
            faults(up_to),
            report.alphabet,
            match report.mode {
                Mode::Planned => "a planned",
                Mode::Unplanned => "an unplanned",
            }
        )))),
        // With the fewest faults that break something nothing wider is begun.
        found => {
            let width = found.map_or(0, |faults| faults + 1);
            let rest = match report.bound > width {
                true => format!(", and with up to {} when this is mended", report.bound),
                false => String::new(),
            };
            lines.push(line(Text::of(Tone::Plain, format!("  tried with up to {}{rest}", faults(width)))));
        }
    }
    lines.push(line(Text::of(
        Tone::Dim,
        format!(
            "  {} schedules · {} moves · {} distinct states · {} merged · {:.2} s",
            report.counts.schedules,
            report.counts.moves,
            report.counts.states,
            report.counts.merged,
            report.elapsed_ms as f64 / 1000.0
        ),
    )));
    let ends: Vec<String> =
        report.counts.ends.iter().map(|(verdict, number)| format!("{number} {verdict}")).collect();
    if !ends.is_empty() {
        lines.push(line(Text::of(Tone::Dim, format!("  ends: {}", ends.join(", ")))));
    }
    for (what, list) in [("never made", &report.never_made), ("never taken back", &report.never_taken_back)] {
        if !list.is_empty() {
            lines.push(line(Text::of(Tone::Warn, format!("  {what} in any schedule: {}", list.join(", ")))));
        }
    }
    for one in &report.not_covered {
        let place = one.line.map_or_else(String::new, |line| format!(" (line {line})"));
        lines.push(line(
            Text::of(Tone::Warn, format!("  NOT COVERED: {}", one.step))
                .plain(format!("{place}: {}", one.why)),
        ));
    }
    lines
}
