//! The end of a run, or of one process of it: verdict, measured times, the world as it is, and what to do next.

use super::checklist::{Frame, columns, flow, path};
pub use super::lost::{Lost, counted, lost};
use super::measure::GapEnd;
use super::model::{Ending, Model};
use super::moments::Named;
use super::paint::{Text, Tone, wrap};
use super::streams::Style;
use super::words::{allowance, measured, time};
use crate::engine::by_hand::Handling;
use crate::engine::by_hand::allowed::allowed;
use crate::engine::record::Verdict;
use crate::engine::state::{Flight, Stage};
use crate::engine::surprise::Surprise;
use crate::exit_code::ExitCode;
use crate::journal::AppendError;
use crate::step::{Class, Facts, Remark};

/// Gives the commands that take an effect back by hand: step and effect index, and the facts before it.
pub type ByHand = dyn Fn(usize, usize, &Facts) -> Vec<String>;

/// The commands that make sense after an ending, each with what it does.
pub fn next_commands(model: &Model, run: &str) -> Vec<(String, &'static str)> {
    let Some(ending) = &model.ending else { return Vec::new() };
    let show = (format!("mrctl audit show {run}"), "what happened, line by line");
    let abandon = (format!("mrctl abandon {run} --reason …"), "close it as it is");
    let state = &model.state;
    let undoable = !state.armed(&model.plan) && !state.passed(&model.plan) && state.changed();
    let mut commands = Vec::new();
    match ending.verdict {
        Some(Verdict::Paused | Verdict::Unknown) => {
            // Going on in spite of a divergence or a surprise is a decision, and gets a reason.
            let decided = state.diverged().is_some() || state.surprised(&model.plan).is_some();
            let reason = if decided { " --reason …" } else { "" };
            commands.push((format!("mrctl resume {run}{reason}"), "look again, then go on"));
            commands.extend(by_hand(model, run));
            if state.armed(&model.plan) && !state.passed(&model.plan) {
                let command = format!("mrctl rollback {run} --fenced …");
                commands.push((command, "vouch for the target, take back"));
            }
            if undoable {
                commands.push((format!("mrctl rollback {run}"), "take back what this run changed"));
            }
            commands.push(abandon);
        }
        Some(Verdict::RollbackFailed) => {
            commands.push((format!("mrctl rollback {run}"), "try the rest of the rollback again"));
            commands.push(abandon);
        }
        Some(Verdict::Completed | Verdict::Failed | Verdict::RolledBack | Verdict::Refused) | None => {}
    }
    commands.push(show);
    commands
}

/// What a person may decide about the step that the run stands at.
fn by_hand(model: &Model, run: &str) -> Option<(String, &'static str)> {
    let Stage::Paused { step, from_rollback: false, .. } = &model.state.stage else { return None };
    let s = model.plan.step_index(step)?;
    let any = [Handling::Retry, Handling::Done, Handling::Skip];
    any.into_iter()
        .any(|how| allowed(&model.plan, &model.state, s, how).is_ok())
        .then(|| (format!("mrctl step {run} {step} …"), "decide about it by hand"))
}

/// Changes of this run that stand, or may stand: step, effect and in words.
pub fn standing(model: &Model) -> Vec<(usize, usize, String)> {
    let in_words = |s: usize, e: usize| {
        let (step, effect) = (&model.plan.steps[s], &model.state.steps[s].effects[e]);
        let what = match effect.intent.as_ref().map(|intent| &intent.flight) {
            Some(Flight::Landed) => "",
            _ => " (may or may not be so)",
        };
        format!("{}/{}: {}{what}", step.id, step.effects[e].name, step.title)
    };
    model
        .state
        .intents
        .iter()
        .filter(|(s, e)| {
            model.plan.steps[*s].takes_back.is_none()
                && matches!(model.plan.steps[*s].effects[*e].effect.class, Class::Undoable | Class::Pivot)
                && model.state.steps[*s].effects[*e].stands()
        })
        .map(|(s, e)| (*s, *e, in_words(*s, *e)))
        .collect()
}

/// The word, its tone and its exit code.
pub fn verdict(ending: &Ending) -> (&'static str, Tone, ExitCode) {
    let Some(verdict) = ending.verdict else { return ("abandoned", Tone::Warn, ExitCode::Failed) };
    let tone = match verdict {
        Verdict::Completed => Tone::Good,
        Verdict::RolledBack | Verdict::Paused => Tone::Warn,
        Verdict::Failed | Verdict::Refused | Verdict::Unknown | Verdict::RollbackFailed => Tone::Bad,
    };
    (verdict.word(), tone, ExitCode::from(verdict))
}

/// The whole summary; empty while the run goes on.
pub fn summary(model: &Model, frame: &Frame, by_hand: &ByHand, style: Style, width: usize) -> Vec<Text> {
    let Some(ending) = &model.ending else { return Vec::new() };
    let width = columns(width);
    let mut lines = vec![Text::new()];
    let (word, tone, code) = verdict(ending);
    let total =
        model.measures.run.and_then(|run| run.length(model.at)).map(|ms| format!(", after {}", time(ms)));
    let total = total.unwrap_or_default();
    lines.push(
        Text::of(tone, word.replace('_', " ").to_uppercase())
            .and(Tone::Dim, format!("  exit code {}{total}", code.number())),
    );
    block(&mut lines, &ending.why, Tone::Plain, width, style);
    lines.extend(measures(model, style).into_iter().flat_map(|line| line.broken(width, "    ")));
    if !ending.world.is_empty() {
        let pieces = ending.world.split(" · ").map(|piece| Text::of(Tone::Strong, piece)).collect();
        let room = width.saturating_sub(2);
        lines
            .extend(flow(pieces, room, style).into_iter().map(|line| Text::of(Tone::Plain, "  ").with(line)));
    }
    let waived = model.rehearsed.iter().filter(|rehearsed| rehearsed.waived);
    let mut notes: Vec<String> = waived.map(|rehearsed| rehearsed.text.clone()).collect();
    notes.extend(model.state.by_hand.lines(&model.plan));
    notes.extend(model.notes.iter().cloned());
    for (what, remark) in &model.state.remarks {
        notes.push(match remark {
            Remark::ForeignChange => {
                format!("{what} was changed by somebody else since, and was left alone")
            }
            Remark::Divergence => format!("{what}: both sides took commits after the promotion (DIVERGENCE)"),
        });
    }
    for (index, surprise) in model.state.surprises.iter().enumerate() {
        notes.push(format!(
            "{}: no rehearsal can show this ({}); {} beside the journal holds the case: please send it to the project",
            surprise.line(),
            surprise.rule,
            Surprise::file(index + 1)
        ));
    }
    notes.dedup();
    for note in notes {
        block(&mut lines, &format!("! {note}"), Tone::Warn, width, style);
    }
    let open = ending.verdict.is_some_and(|verdict| !verdict.closes());
    if open || ending.verdict.is_none_or(|verdict| verdict == Verdict::Failed) {
        remains(model, by_hand, if open { Rest::Open } else { Rest::Closed }, &mut lines, width, style);
    }
    lines.extend(path("  journal", &frame.journal, width, style));
    let commands = next_commands(model, &frame.run);
    let longest = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    lines.push(Text::of(Tone::Strong, if open { "What to do next" } else { "More" }));
    for (command, what) in commands {
        let line = Text::of(Tone::Plain, "  ").plain(&command).filled(longest + 4);
        let both = line.and(Tone::Dim, format!("  {what}")).spelled(style);
        if both.width() <= width {
            lines.push(both);
        } else {
            lines.push(Text::of(Tone::Plain, "  ").plain(&command).spelled(style));
        }
    }
    lines
}

/// The end of a process whose journal could not be written: there is no verdict, and nobody but this text knows what was next.
pub fn journal_failed(error: &AppendError, frame: &Frame, style: Style, width: usize) -> Vec<Text> {
    let width = columns(width);
    let code = ExitCode::JournalFailed;
    let mut lines = vec![
        Text::new(),
        Text::of(Tone::Bad, "JOURNAL FAILED").and(Tone::Dim, format!("  exit code {}", code.number())),
    ];
    block(&mut lines, &error.why, Tone::Plain, width, style);
    block(
        &mut lines,
        "Nothing was changed after this. The line that could not be written:",
        Tone::Plain,
        width,
        style,
    );
    lines.push(Text::of(Tone::Plain, "  ").plain(&error.line));
    lines.extend(path("  journal", &frame.journal, width, style));
    lines.push(Text::of(Tone::Strong, "What to do next"));
    let text = format!("Make room or repair the disk, then: mrctl resume {}", frame.run);
    block(&mut lines, &text, Tone::Plain, width, style);
    lines
}

/// What may still become of a run, for what is said of its remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It can be gone on with.
    Open,
    /// It is closed: only hands are left.
    Closed,
    /// It is closed, and only a part of its records can be read: a promotion may stand in the others.
    Partial,
}

/// Changes that stand, with the commands that take them back by hand.
pub(super) fn remains(
    model: &Model,
    by_hand: &ByHand,
    rest: Rest,
    lines: &mut Vec<Text>,
    width: usize,
    style: Style,
) {
    let standing = standing(model);
    if standing.is_empty() {
        return;
    }
    let armed = model.state.armed(&model.plan);
    lines.push(Text::of(Tone::Strong, "Still in place"));
    for (s, e, text) in standing {
        block(lines, &text, Tone::Plain, width, style);
        for command in super::taking_back::commands(model, by_hand, rest, (s, e)) {
            // Commands are copied: never cut, never wrapped.
            lines.push(Text::of(Tone::Dim, "    by hand: ").plain(command));
        }
    }
    if armed {
        self::armed(model, rest, lines, width, style);
    }
    let frozen = model
        .plan
        .effects()
        .any(|(s, e, planned)| planned.effect.freezes.is_some() && model.state.steps[s].effects[e].stands());
    if rest == Rest::Partial && frozen {
        let (from, to) = (&model.plan.from, &model.plan.to);
        let text = format!(
            "Not every record can be read: make sure that {to} is a standby before you let {from} take writes"
        );
        lines.extend(Text::of(Tone::Bad, text).broken(width, ""));
    }
}

/// While a promotion may still happen: what must not be done, and what would settle it.
fn armed(model: &Model, rest: Rest, lines: &mut Vec<Text>, width: usize, style: Style) {
    let (from, to) = (&model.plan.from, &model.plan.to);
    let promoted = model.state.survey.as_ref().is_some_and(|survey| !survey.promoted.is_empty());
    if promoted && model.plan.clusters.len() == 1 {
        let resume = if rest == Rest::Open { ": resume sees it, and goes on" } else { "" };
        let text = format!("The promotion in {to} has come about{resume}");
        lines.extend(Text::of(Tone::Bad, text).broken(width, ""));
        block(lines, &format!("Do not let {from} take writes."), Tone::Bad, width, style);
        return;
    }
    let vouched: Vec<String> =
        model.plan.clusters.keys().map(|cluster| format!("--fenced {cluster}/{to}")).collect();
    lines.extend(Text::of(Tone::Bad, format!("The promotion in {to} may still happen")).broken(width, ""));
    block(
        lines,
        &format!("Do not let {from} take writes before one of these is proved:"),
        Tone::Bad,
        width,
        style,
    );
    if rest != Rest::Open {
        let text = format!("- {to} was restarted since and is in recovery, or it is fenced or destroyed");
        block(lines, &text, Tone::Plain, width, style);
        return;
    }
    for way in [
        format!("- {to} is primary: resume sees it, and goes on"),
        format!(
            "- {to} was restarted after the intent, is in recovery, and has no promote signal left: resume sees it, and a rollback becomes possible"
        ),
        format!("- {to} is fenced or destroyed: vouch for it when you roll back:"),
        format!("  {} --reason …", vouched.join(" ")),
    ] {
        block(lines, &way, Tone::Plain, width, style);
    }
}

fn block(lines: &mut Vec<Text>, text: &str, tone: Tone, width: usize, style: Style) {
    for line in wrap(text, width.saturating_sub(2), 6, style) {
        lines.push(Text::of(Tone::Plain, "  ").and(tone, line));
    }
}

/// Measured times against their objectives.
fn measures(model: &Model, style: Style) -> Vec<Text> {
    let mut rows: Vec<(&str, Text)> = Vec::new();
    let objectives = &model.plan.objectives;
    if let Some(gap) = model.measures.write_gap() {
        let restored = model.measures.gaps.values().any(|(_, end)| *end == Some(GapEnd::Restored));
        let text = against(gap.length(model.at), Some(objectives.write_gap_ms));
        let text = match (gap.ended, restored) {
            (None, _) => text.and(Tone::Bad, ", not over"),
            (Some(_), true) => text.plain(", then taken back"),
            (Some(_), false) => text,
        };
        rows.push(("writes stopped", text));
    }
    if model.measures.restored()
        && let Some(recovery) = model.measures.recovery()
    {
        rows.push(("service restored", against(recovery.length(model.at), objectives.rto_ms)));
    } else if let (Some(allowed), Some(recovery)) = (objectives.rto_ms, model.measures.recovery())
        && model.ending.as_ref().is_some_and(|ending| ending.verdict == Some(Verdict::Completed))
    {
        rows.push(("recovery", against(recovery.length(model.at), Some(allowed))));
    }
    let reached = model.measures.moments.reached();
    if model.state.passed(&model.plan) && reached.len() > 1 {
        let declared = model.measures.moments.declared;
        let from = declared.or(model.measures.run.map(|run| run.began)).unwrap_or_default();
        let one = |moment: &super::moments::Moment| {
            format!("{} {} (record {})", moment.name.words(), measured(moment.after(from)), moment.record)
        };
        let label = if declared.is_some() { "since the incident" } else { "since the beginning" };
        let shown = |moment: &&super::moments::Moment| declared.is_some() || moment.name != Named::Begun;
        let moments: Vec<String> = reached.iter().filter(shown).map(one).collect();
        rows.push((label, Text::of(Tone::Plain, moments.join(", "))));
    }
    if let Some(lost) = lost(model) {
        let tone = if lost == Lost::Nothing { Tone::Strong } else { Tone::Bad };
        let allowed = objectives.rpo_ms.filter(|_| lost == Lost::Nothing);
        let allowed = allowed.map_or_else(String::new, |ms| format!(", {} allowed", allowance(ms)));
        rows.push(("data lost", Text::of(tone, lost.words()).plain(allowed)));
    }
    for (cluster, counted) in counted(model) {
        rows.push((
            "counted",
            Text::of(Tone::Plain, format!("{cluster}: {counted}; not counted after that")),
        ));
    }
    rows.into_iter()
        .map(|(label, text)| Text::of(Tone::Dim, format!("  {label} ")).with(text).spelled(style))
        .collect()
}

fn against(ms: Option<i64>, allowed: Option<u64>) -> Text {
    let Some(ms) = ms else { return Text::of(Tone::Bad, measured(ms)) };
    let text = Text::of(Tone::Strong, time(ms));
    match allowed {
        None => text,
        Some(allowed) if u64::try_from(ms).unwrap_or(0) > allowed => {
            text.and(Tone::Bad, format!(" of {} allowed: MISSED", allowance(allowed)))
        }
        Some(allowed) => text.plain(format!(" of {} allowed", allowance(allowed))),
    }
}
