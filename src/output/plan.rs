//! A plan for reading: what each step will do, how it is taken back, what happens when it fails, who is asked, what is locked.

use super::checklist::{self, Frame, columns};
use super::paint::{Text, Tone, wrap};
use super::streams::Style;
use super::words::{allowance, count};
use crate::plan::{AskKind, Mode, OnFailure, Plan, PlannedEffect, Step};
use crate::step::{Class, Standing};
use std::collections::BTreeMap;

/// What a dry run saw of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it means.
    pub standing: Standing,
    /// Whether it comes behind a change that it may depend on.
    pub later: bool,
    /// In one line.
    pub evidence: String,
    /// What would change, and the exact statements.
    pub would: Vec<String>,
}

/// What a dry run saw, by step and effect index. Empty: the plan alone.
pub type Sightings = BTreeMap<(usize, usize), Seen>;

/// Where a step stands relative to the changes and pivots before it: what decides its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    BeforeAnyChange,
    FirstChange,
    AfterAChange,
    Pivot,
    AfterThePivot,
}

/// The whole plan.
pub fn render(plan: &Plan, seen: &Sightings, style: Style, width: usize) -> Vec<Text> {
    let mut lines = checklist::header(plan, &Frame::default(), style, width);
    let width = columns(width);
    lines.extend(objectives(plan, style, width));
    list(&mut lines, "parameters", plan.parameters.iter().map(|(k, v)| format!("{k} = {v}")), style, width);
    list(&mut lines, "locks", plan.resources.iter().cloned(), style, width);
    list(&mut lines, "identity", plan.identity.iter().map(|(k, v)| format!("{k} = {v}")), style, width);
    let mut zone = Zone::BeforeAnyChange;
    let mut section = usize::MAX;
    for (s, step) in plan.steps.iter().enumerate() {
        if step.section != section {
            section = step.section;
            lines.push(Text::new());
            let title = plan.sections.get(section).map_or("Steps", String::as_str);
            lines.push(checklist::heading(if title.is_empty() { "Steps" } else { title }, style, width));
        }
        let pivot = step.effects.iter().any(|planned| planned.effect.class == Class::Pivot);
        let own = match zone {
            _ if pivot => Zone::Pivot,
            Zone::BeforeAnyChange if step.changes() => Zone::FirstChange,
            other => other,
        };
        one(&mut lines, plan, s, own, seen, style, width);
        if step.skipped.is_none() {
            zone = match zone {
                _ if pivot => Zone::AfterThePivot,
                Zone::BeforeAnyChange if step.changes() => Zone::AfterAChange,
                other => other,
            };
        }
    }
    lines.extend(watches(plan, style, width));
    lines.push(Text::new());
    // Copied into `--plan-digest`: never cut.
    lines.push(Text::of(Tone::Dim, "plan digest ").plain(plan.digest()));
    lines
}

fn objectives(plan: &Plan, style: Style, width: usize) -> Vec<Text> {
    let objectives = &plan.objectives;
    let mut pieces =
        vec![Text::of(Tone::Plain, format!("write gap at most {}", allowance(objectives.write_gap_ms)))];
    if let Some(ms) = objectives.rto_ms {
        pieces.push(Text::of(Tone::Plain, format!("rto {}", allowance(ms))));
    }
    if let Some(ms) = objectives.rpo_ms {
        pieces.push(Text::of(Tone::Plain, format!("rpo {}", allowance(ms))));
    }
    checklist::flow(pieces, width, style)
}

fn list(lines: &mut Vec<Text>, label: &str, items: impl Iterator<Item = String>, style: Style, width: usize) {
    let text = items.collect::<Vec<_>>().join(", ");
    if !text.is_empty() {
        under(lines, "", &format!("{label}: {text}"), Tone::Plain, style, width);
    }
}

fn under(lines: &mut Vec<Text>, indent: &str, text: &str, tone: Tone, style: Style, width: usize) {
    for line in wrap(text, width.saturating_sub(indent.len()), 12, style) {
        lines.push(Text::of(Tone::Plain, indent).and(tone, line));
    }
}

fn one(
    lines: &mut Vec<Text>,
    plan: &Plan,
    s: usize,
    zone: Zone,
    seen: &Sightings,
    style: Style,
    width: usize,
) {
    const INDENT: &str = "       ";
    let step = &plan.steps[s];
    let number = format!("{:>3}. ", s + 1);
    let mut head = Text::of(Tone::Dim, number).and(Tone::Strong, &step.title);
    if let Some(number) = step.parallel {
        head = head.and(Tone::Dim, format!(" (together, group {number})"));
    }
    lines.push(head.spelled(style).cut(width, style));
    let say = |text: &str, tone: Tone, lines: &mut Vec<Text>| under(lines, INDENT, text, tone, style, width);
    if let Some(why) = &step.skipped {
        let skipped = if step.takes_back.is_some() { "" } else { "skipped: " };
        say(&format!("{} · {skipped}{why}", step.id), Tone::Dim, lines);
        return;
    }
    say(&format!("{} · {}", step.id, step.kind), Tone::Dim, lines);
    if let Some(require) = &step.require {
        say(&format!("requires {}", require.expression), Tone::Plain, lines);
    }
    for ask in &step.questions {
        let who = if ask.role.is_empty() { "anyone".to_string() } else { ask.role.clone() };
        let how = match &ask.kind {
            AskKind::Item => format!("{who} confirms: {}", ask.text),
            AskKind::Confirm => format!("{who} decides: {}", ask.text),
            AskKind::Typed(word) => format!("{who} types {word}: {}", ask.text),
        };
        let within = match ask.within_ms {
            0 => String::new(),
            ms => format!(" (within {})", allowance(ms)),
        };
        say(&format!("? {how}{within}"), Tone::Warn, lines);
    }
    for (e, planned) in step.effects.iter().enumerate() {
        let (text, tone) = effect(planned, step.effects.len() > 1);
        say(&text, tone, lines);
        if let Some(seen) = seen.get(&(s, e)) {
            let (word, tone) = standing(seen, planned.effect.class);
            say(&format!("now {word}: {}", seen.evidence), tone, lines);
            for line in &seen.would {
                // Statements are copied: never cut, never wrapped.
                lines.push(Text::of(Tone::Plain, INDENT).and(Tone::Dim, "would ").plain(line));
            }
        }
    }
    say(&policy(step, zone, plan.mode), Tone::Dim, lines);
    if let Some(because) = &step.keep_because {
        say(&format!("not taken back in a rollback, because {because}"), Tone::Dim, lines);
    }
    if step.temporary {
        say("put back when the run ends, however it ends", Tone::Dim, lines);
    }
    if let Some(mark) = &step.marks {
        say(&format!("marks {mark}"), Tone::Dim, lines);
    }
}

fn effect(planned: &PlannedEffect, several: bool) -> (String, Tone) {
    let effect = &planned.effect;
    let (class, tone) = match effect.class {
        Class::Looks => ("looks, changes nothing", Tone::Plain),
        Class::Undoable => ("changes; can be taken back", Tone::Plain),
        Class::Pivot => ("PIVOT: no way back", Tone::Bad),
        Class::ForwardOnly => ("changes; nothing to take back", Tone::Plain),
    };
    let name = if several { format!("{}: ", planned.name) } else { String::new() };
    let mut text = format!("{name}{class}; within {}", allowance(effect.pace.within_ms));
    if effect.pace.hold_ms > 0 {
        text.push_str(&format!(", held for {}", allowance(effect.pace.hold_ms)));
    }
    if let Some(set) = &effect.freezes {
        text.push_str(&format!("; writes on {set} stop: the gap clock starts"));
    }
    (text, tone)
}

fn standing(seen: &Seen, class: Class) -> (&'static str, Tone) {
    match seen.standing {
        Standing::Blocked | Standing::Moving if seen.later => ("not yet", Tone::Plain),
        Standing::NotReached if seen.later && class == Class::Looks => ("not yet", Tone::Plain),
        Standing::Reached if class == Class::Looks => ("so", Tone::Good),
        Standing::Reached => ("so already", Tone::Warn),
        Standing::NotReached if class == Class::Looks => ("not so", Tone::Warn),
        Standing::NotReached => ("ready", Tone::Good),
        Standing::Moving => ("moving", Tone::Warn),
        Standing::Blocked => ("BLOCKED", Tone::Bad),
        Standing::Unknown => ("UNKNOWN", Tone::Bad),
    }
}

/// What a failure and an unknown do here, defaults spelled out: the table of the design, in words.
fn policy(step: &Step, zone: Zone, mode: Mode) -> String {
    let mut text = String::new();
    if step.retries > 0 {
        let every = allowance(step.retry_every_ms);
        text.push_str(&format!("tried {} more, every {every}; ", count(step.retries as usize, "time")));
    }
    if step.best_effort {
        text.push_str("failure or unknown: warn, go on");
        return text;
    }
    // What was fenced is not given back by itself.
    let stays = |said: OnFailure, unknown: bool| match (mode, zone, said) {
        (_, _, OnFailure::Warn | OnFailure::Pause) | (Mode::Planned, ..) => said,
        (Mode::Unplanned, Zone::FirstChange | Zone::AfterAChange, _) => OnFailure::Pause,
        (Mode::Unplanned, Zone::Pivot, _) if !unknown => OnFailure::Pause,
        (Mode::Unplanned, ..) => said,
    };
    text.push_str(&format!("failure: {}", outcome(stays(step.on_failure, false), zone, false)));
    text.push_str(&format!("; unknown: {}", outcome(stays(step.on_unknown, true), zone, true)));
    text
}

fn outcome(said: OnFailure, zone: Zone, unknown: bool) -> &'static str {
    match (said, zone) {
        (OnFailure::Warn, _) => "warn, go on",
        (OnFailure::Pause, Zone::BeforeAnyChange) => "stop, refused",
        (OnFailure::Pause, Zone::FirstChange) => "refused if nothing was changed yet, else pause",
        (OnFailure::Pause, _) => "pause",
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::BeforeAnyChange) => {
            "stop, refused"
        }
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::FirstChange) => {
            "refused if nothing was changed yet, else roll back"
        }
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::AfterAChange) if unknown => {
            "settle, look, then roll back if that is safe, else pause"
        }
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::AfterAChange) => "roll back",
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::Pivot) if unknown => {
            "look until it is there or ruled out, then pause"
        }
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::Pivot) => {
            "roll back if it was refused, else pause"
        }
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::AfterThePivot) if unknown => {
            "look, try again only on proof, then pause"
        }
        (OnFailure::Default | OnFailure::Stop | OnFailure::RollBack, Zone::AfterThePivot) => {
            "try again, then pause"
        }
    }
}

fn watches(plan: &Plan, style: Style, width: usize) -> Vec<Text> {
    let mut lines = Vec::new();
    if plan.watches.is_empty() {
        return lines;
    }
    lines.push(Text::new());
    lines.push(checklist::heading("Watched meanwhile", style, width));
    for watch in &plan.watches {
        let id = |index: usize| plan.steps.get(index).map_or("?", |step| step.id.as_str());
        let does = |said: OnFailure| match said {
            OnFailure::Warn => "warn",
            OnFailure::RollBack => "roll back, after the pivot pause",
            OnFailure::Default | OnFailure::Stop | OnFailure::Pause => "pause",
        };
        let text = format!(
            "{}: {} from {} to {}; untrue for {}: {}; no data for as long: {}",
            watch.id,
            watch.ok.expression,
            id(watch.first),
            id(watch.last),
            allowance(watch.for_ms),
            does(watch.on_breach),
            does(watch.on_no_data),
        );
        under(&mut lines, "  ", &text, Tone::Plain, style, width);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::sample::plan;
    use super::*;

    const PLAIN: Style = Style { colour: false, unicode: true };

    fn shown(plan: &Plan, seen: &Sightings, width: usize) -> String {
        let lines = render(plan, seen, PLAIN, width);
        let text = lines.iter().map(|line| line.paint(PLAIN)).collect::<Vec<_>>().join("\n");
        // The digest covers everything, also what other rooms add to a plan.
        text.replace(&plan.digest(), "DIGEST")
    }

    #[test]
    fn a_plan_says_everything_that_is_in_force() {
        let plan = plan();
        for width in [80, 40] {
            insta::assert_snapshot!(format!("plan_{width}"), shown(&plan, &Sightings::new(), width));
        }
    }

    #[test]
    fn a_dry_run_adds_what_it_saw_and_what_would_be_sent() {
        let plan = plan();
        let seen = Sightings::from([
            (
                (3, 0),
                Seen {
                    standing: Standing::NotReached,
                    later: false,
                    evidence: "eu-west takes writes".into(),
                    would: vec!["ALTER SYSTEM SET default_transaction_read_only = on".into()],
                },
            ),
            (
                (5, 0),
                Seen {
                    standing: Standing::Unknown,
                    later: false,
                    evidence: "us-east does not answer".into(),
                    would: vec![],
                },
            ),
        ]);
        let text = shown(&plan, &seen, 80);
        assert!(text.contains("now ready: eu-west takes writes"), "{text}");
        assert!(text.contains("would ALTER SYSTEM SET default_transaction_read_only = on"), "{text}");
        assert!(text.contains("now UNKNOWN: us-east does not answer"), "{text}");
    }

    #[test]
    fn the_digest_is_whole_at_any_width() {
        let plan = plan();
        let lines = render(&plan, &Sightings::new(), PLAIN, 40);
        assert!(lines.iter().any(|line| line.paint(PLAIN).contains(&plan.digest())));
    }
}
