//! The order of steps that move a writer. A frozen data set is an outage: what happens meanwhile is bounded by these rules.

use super::lines::{Line, lines};
use super::references::missing;
use super::{Context, Part, resources};
use crate::error::{Code, Problem, Problems, Span};
use crate::runbook::inventory::Writers;

/// A data set: type and name.
pub(super) type DataSet = (&'static str, String);

/// The data sets that a line names, with the place of each.
fn data_sets(context: &Context<'_>, line: &Line<'_>) -> Vec<(DataSet, Span)> {
    let inventory = context.inventory.map(|loaded| &loaded.inventory);
    let Some((_, kind)) = line.fact.resource else { return Vec::new() };
    let names = resources::named(line.step, &line.fact, inventory);
    names.into_iter().map(|name| ((kind, name.value), name.span)).collect()
}

/// The lines for rules that compare data sets. None if one of them does not exist: a name with a slip would be told as a step
/// that is missing.
pub(super) fn known_lines<'a>(context: &Context<'a>) -> Vec<Line<'a>> {
    let lines = lines(context);
    let writer =
        |line: &&Line<'_>| matches!(line.fact.part, Part::Freeze | Part::CatchUp | Part::Stop | Part::Pivot);
    let unknown = lines.iter().filter(writer).any(|line| !missing(context, line.step).is_empty());
    if unknown { Vec::new() } else { lines }
}

/// Lines of a part that name a data set, as indices.
pub(super) fn of_part(context: &Context<'_>, lines: &[Line<'_>], part: Part, set: &DataSet) -> Vec<usize> {
    let names = |line: &Line<'_>| data_sets(context, line).iter().any(|(named, _)| named == set);
    lines.iter().enumerate().filter(|(_, line)| line.is(part) && names(line)).map(|(at, _)| at).collect()
}

/// Lines that prove that the target has everything, before a line: a catch-up, or a stop of the source.
fn proofs(context: &Context<'_>, lines: &[Line<'_>], set: &DataSet, before: usize) -> Vec<usize> {
    let mut found = of_part(context, lines, Part::CatchUp, set);
    found.extend(of_part(context, lines, Part::Stop, set));
    found.retain(|at| *at < before);
    found
}

/// Every line of a part with each data set that it names.
pub(super) fn all_of<'a>(
    context: &Context<'_>,
    lines: &[Line<'a>],
    part: Part,
) -> Vec<(usize, Line<'a>, DataSet, Span)> {
    let of_line = |(at, line): (usize, &Line<'a>)| {
        let line = *line;
        data_sets(context, &line)
            .into_iter()
            .map(move |(set, span)| (at, line, set, span))
            .collect::<Vec<_>>()
    };
    lines.iter().enumerate().filter(|(_, line)| line.is(part)).flat_map(of_line).collect()
}

/// The kind that has a part for a type of resource, for advice.
pub(super) fn kind_of(context: &Context<'_>, part: Part, kind: &str) -> String {
    let fits = |name: &&str| {
        context
            .kinds
            .facts(name)
            .is_some_and(|fact| fact.part == part && fact.resource.is_some_and(|(_, of)| of == kind))
    };
    let names = context.kinds.names();
    names.iter().copied().find(fits).map_or_else(|| format!("{part:?}"), str::to_owned)
}

pub(super) fn frozen_and_caught_up_before_promoted(context: &Context<'_>, problems: &mut Problems) {
    let lines = known_lines(context);
    for (pivot, line, set, span) in all_of(context, &lines, Part::Pivot) {
        let name = &set.1;
        let freezes = of_part(context, &lines, Part::Freeze, &set);
        let Some(frozen) = freezes.iter().copied().rfind(|at| *at < pivot) else {
            if let Some(late) = freezes.first() {
                let id = &line.step.id.value;
                let message = format!("`{id}` promotes `{name}` before its writes are frozen");
                problems.push(
                    Problem::error(Code::WriterOrder, message)
                        .at(span)
                        .related(lines[*late].step.kind.span, "frozen here")
                        .help(format!(
                            "put `{}: {name}` and `{}: {name}` before it",
                            kind_of(context, Part::Freeze, set.0),
                            kind_of(context, Part::CatchUp, set.0),
                        )),
                );
                continue;
            }
            problems.push(
                Problem::error(
                    Code::WriterOrder,
                    format!(
                        "`{}` promotes `{name}`, but nothing freezes its writes before",
                        line.step.id.value
                    ),
                )
                .at(span)
                .help(format!(
                    "add `{}: {name}` and `{}: {name}` before it, or `only: [unplanned]` to it",
                    kind_of(context, Part::Freeze, set.0),
                    kind_of(context, Part::CatchUp, set.0),
                )),
            );
            continue;
        };
        if !proofs(context, &lines, &set, pivot).iter().any(|at| frozen < *at) {
            problems.push(
                Problem::error(
                    Code::WriterOrder,
                    format!("`{name}` is not caught up between its freeze and its promotion"),
                )
                .at(span)
                .related(lines[frozen].step.kind.span, "frozen here")
                .help(format!(
                    "add `{}: {name}` between them, or `{}: {name}` to stop the source",
                    kind_of(context, Part::CatchUp, set.0),
                    kind_of(context, Part::Stop, set.0),
                )),
            );
        }
    }
}

pub(super) fn frozen_to_be_promoted(context: &Context<'_>, problems: &mut Problems) {
    let lines = known_lines(context);
    for (freeze, _, set, span) in all_of(context, &lines, Part::Freeze) {
        let promoted = of_part(context, &lines, Part::Pivot, &set);
        // Of the first freeze that comes too late the promotion tells.
        let frozen = of_part(context, &lines, Part::Freeze, &set);
        let told = promoted.first().is_some_and(|pivot| frozen.iter().all(|at| at > pivot));
        if !told && !promoted.iter().any(|at| *at > freeze) {
            problems.push(
                Problem::error(
                    Code::WriterOrder,
                    format!("writes of `{}` are frozen and never moved", set.1),
                )
                .at(span)
                .help(format!(
                    "add `{}: {}` after it",
                    kind_of(context, Part::Pivot, set.0),
                    set.1
                )),
            );
        }
    }
}

pub(super) fn stopped_where_it_proves_or_fences(context: &Context<'_>, problems: &mut Problems) {
    let lines = known_lines(context);
    for (stop, line, set, span) in all_of(context, &lines, Part::Stop) {
        let name = &set.1;
        let mut refuse = |message: String, span: Span, help: String| {
            let problem = Problem::error(Code::WriterOrder, message).at(span).help(help);
            problems.push(problem.related(line.step.kind.span, "stopped here"));
        };
        let promoted = of_part(context, &lines, Part::Pivot, &set);
        let Some(pivot) = promoted.iter().copied().find(|at| *at > stop) else {
            if promoted.is_empty() {
                let promote = kind_of(context, Part::Pivot, set.0);
                let help = format!("add `{promote}: {name}` after it");
                refuse(format!("`{name}` is stopped and never moved"), span, help);
            }
            // Behind the promotion it is a fence: nothing reads the old primary any more.
            continue;
        };
        let frozen = of_part(context, &lines, Part::Freeze, &set);
        if !frozen.is_empty() && frozen.iter().all(|at| *at > stop) {
            let freeze = kind_of(context, Part::Freeze, set.0);
            let help = format!("put `{freeze}: {name}` before it");
            refuse(format!("`{name}` is stopped before its writes are frozen"), span, help);
            continue;
        }
        for reader in of_part(context, &lines, Part::CatchUp, &set) {
            if stop < reader && reader < pivot {
                let reader = lines[reader].step;
                let (reads, stops) = (&reader.id.value, &line.step.id.value);
                refuse(
                    format!("`{reads}` reads the source of `{name}`, which `{stops}` has stopped"),
                    reader.kind.span,
                    "put it before the stop, or remove it: the stop proves the same".to_owned(),
                );
            }
        }
    }
}

/// Positions that can still move rank nothing, and a promotion beside a source that still runs makes two primaries.
pub(super) fn fenced_before_caught_up(context: &Context<'_>, problems: &mut Problems) {
    let lines = known_lines(context);
    for (fence, _, set, span) in all_of(context, &lines, Part::Fence) {
        for (part, word) in [(Part::CatchUp, "caught up"), (Part::Pivot, "promoted")] {
            let Some(early) = of_part(context, &lines, part, &set).into_iter().find(|at| *at < fence) else {
                continue;
            };
            problems.push(
                Problem::error(Code::WriterOrder, format!("`{}` is fenced after it is {word}", set.1))
                    .at(span)
                    .related(lines[early].step.kind.span, format!("{word} here"))
                    .help(format!("put it before `{}`", lines[early].step.id.value)),
            );
            break;
        }
    }
}

pub(super) fn nobody_is_waited_for_while_frozen(context: &Context<'_>, problems: &mut Problems) {
    let lines = lines(context);
    let Some(freeze) = lines.iter().position(|line| line.is(Part::Freeze)) else { return };
    let Some(pivot) = lines.iter().rposition(|line| line.is(Part::Pivot)) else { return };
    for line in lines.iter().take(pivot + 1).skip(freeze + 1) {
        let mut refuse = |what: &str, span: Span| {
            problems.push(
                Problem::error(Code::PauseWhileFrozen, format!("{what} stands between freeze and promotion"))
                    .at(span)
                    .label("writes stand still here")
                    .related(lines[freeze].step.kind.span, "frozen here")
                    .help("move it before the freeze or behind the promotion"),
            );
        };
        if line.is(Part::Pause) {
            refuse(&format!("`{}`", line.step.kind.value), line.step.kind.span);
        }
        if let Some(confirm) = &line.step.policy.confirm {
            refuse("a confirmation", confirm.span);
        }
        if let (Some(confirm), true) = (&line.section.confirm, line.opens) {
            refuse("the section's confirmation", confirm.span);
        }
    }
}

pub(super) fn all_caught_up_before_the_first_promotion(context: &Context<'_>, problems: &mut Problems) {
    let lines = known_lines(context);
    let Some(first) = lines.iter().position(|line| line.is(Part::Pivot)) else { return };
    // The first promotion itself is another rule's business.
    for (pivot, _, set, span) in
        all_of(context, &lines, Part::Pivot).into_iter().filter(|(at, ..)| *at > first)
    {
        let frozen = of_part(context, &lines, Part::Freeze, &set);
        for (at, word) in [(frozen, "frozen"), (proofs(context, &lines, &set, pivot), "caught up")] {
            // Not at all is another rule's business.
            if !at.is_empty() && at.iter().all(|at| *at > first) {
                problems.push(
                    Problem::error(
                        Code::SeveralWriters,
                        format!("`{}` is {word} only after another data set was promoted", set.1),
                    )
                    .at(span)
                    .related(lines[first].step.kind.span, "from here there is no way back")
                    .help("freeze and catch up every data set before the first promotion"),
                );
            }
        }
    }
}

pub(super) fn traffic_follows_the_writer(context: &Context<'_>, problems: &mut Problems) {
    let lines = lines(context);
    let is_local = |name: &str| {
        context.inventory.is_none_or(|loaded| {
            loaded.inventory.postgres.get(name).is_none_or(|cluster| cluster.writers == Writers::Local)
        })
    };
    let local = all_of(context, &lines, Part::Pivot).into_iter().rfind(|(_, _, set, _)| is_local(&set.1));
    let Some((pivot, promotion, set, _)) = local else { return };
    for line in lines.iter().take(pivot).filter(|line| line.is(Part::Traffic)) {
        problems.push(
            Problem::warning(
                Code::TrafficBeforeWriter,
                format!(
                    "`{}` moves users before `{}` can be written where they go",
                    line.step.id.value, set.1
                ),
            )
            .at(line.step.kind.span)
            .related(promotion.step.kind.span, "promoted here")
            .help(
                "move it behind the promotion, or say `writers: remote` if applications write across regions",
            ),
        );
    }
}
