//! Where the old primary may be made a standby: what it took behind the promotion would be gone, unseen; and by what its direction is proved.

use super::writer::{all_of, kind_of, known_lines, of_part};
use super::{Context, InventoryContext, Part};
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

/// A rewind in the wrong direction erases what was written since: of a server that is stopped only its control file tells which is newer.
pub(super) fn a_rejoin_can_prove_its_direction(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (name, cluster) in &context.inventory().postgres {
        for (region, member) in &cluster.members {
            if member.rejoin.is_none() || member.control_data.is_some() {
                continue;
            }
            let message = format!("the member of `{name}` in `{region}` has `rejoin`, and no `control_data`");
            let place = context.loaded.text.span(&["postgres", name, "members", region, "rejoin"]);
            let help = "while it is stopped, mrctl cannot tell which of both servers is the newer one, and does not rewind: add \
                        `control_data`, a command that prints its `pg_controldata`";
            problems.push(Problem::warning(Code::MissingKey, message).at(place).help(help));
        }
    }
}
