//! Where the old primary may be made a standby: what it took behind the promotion would be gone, unseen.

use super::writer::{all_of, kind_of, known_lines, of_part};
use super::{Context, Part};
use crate::error::{Code, Problem, Problems};

/// In a run that promotes, only a source that was stopped before it: one that is only frozen may commit until the moment in which it is
/// rewound, and nobody would know. A run of its own begins with a person who says that nothing is missing.
pub(super) fn only_a_stopped_source_rejoins(context: &Context<'_>, problems: &mut Problems) {
    let lines = known_lines(context);
    for (_, line, set, span) in all_of(context, &lines, Part::Rejoin) {
        let pivots = of_part(context, &lines, Part::Pivot, &set);
        let stops = of_part(context, &lines, Part::Stop, &set);
        let Some(pivot) = pivots.first().filter(|pivot| !stops.iter().any(|stop| stop < *pivot)) else {
            continue;
        };
        let (name, id) = (&set.1, &line.step.id.value);
        problems.push(
            Problem::error(
                Code::WriterOrder,
                format!("`{id}` makes the old primary of `{name}` a standby in the run that promotes, and it was not stopped before"),
            )
            .at(span)
            .related(lines[*pivot].step.kind.span, "promoted here")
            .help(format!(
                "make it a run of its own, such as runbooks/postgres-reprotect.yaml, or put `{}: {name}` before the promotion",
                kind_of(context, Part::Stop, set.0)
            )),
        );
    }
}
