//! Names of replication slots.

use super::InventoryContext;
use crate::error::{Code, Problem, Problems};

pub(super) fn slots_are_names(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (name, cluster) in &context.inventory().postgres {
        for (region, member) in &cluster.members {
            let Some(slot) = &member.slot else { continue };
            // As the server wants it: anything else is refused when the slot is to be made.
            let fine = (1..=63).contains(&slot.len())
                && slot.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !fine {
                let message = format!("`{slot}` is not the name of a replication slot");
                let place = context.loaded.text.span(&["postgres", name, "members", region, "slot"]);
                problems.push(
                    Problem::error(Code::BadName, message)
                        .at(place)
                        .help("write at most 63 lowercase letters, digits and `_`"),
                );
            }
        }
    }
}
