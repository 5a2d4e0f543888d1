//! Tables of mrctl's own in a database, and how often one of them is written.

use super::InventoryContext;
use crate::error::{Code, Problem, Problems};

pub(super) fn tables_are_names(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (name, cluster) in &context.inventory().postgres {
        let is_word = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let probe: (&String, &[&str]) = (&cluster.probe_table, &["probe_table"]);
        let heartbeat =
            cluster.heartbeat.as_ref().map(|heartbeat| (&heartbeat.table, &["heartbeat", "table"][..]));
        for (table, field) in [Some(probe), heartbeat].into_iter().flatten() {
            let mut parts = table.split('.');
            // It becomes part of a statement, where a parameter cannot stand.
            let fine = matches!((parts.next(), parts.next(), parts.next()), (Some(a), Some(b), None) if is_word(a) && is_word(b));
            if !fine {
                let path = [&["postgres", name], field].concat();
                problems.push(
                    Problem::error(Code::BadName, format!("`{table}` is not a table with its schema"))
                        .at(context.loaded.text.span(&path))
                        .help("write `schema.table` in lowercase letters, digits and `_`"),
                );
            }
        }
    }
}

/// The least time between two heartbeats: each one is a connection and a commit.
const LEAST_EVERY: u64 = 100;

pub(super) fn heartbeats_are_not_a_load(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (name, cluster) in &context.inventory().postgres {
        let every = cluster.heartbeat.as_ref().map(|heartbeat| heartbeat.every);
        if let Some(every) = every.filter(|every| every.millis() < LEAST_EVERY) {
            let message = format!("a heartbeat every {every} would be a load of its own");
            let place = context.loaded.text.span(&["postgres", name, "heartbeat", "every"]);
            problems.push(
                Problem::error(Code::BadValue, message).at(place).help("write 100ms or more; 1s is usual"),
            );
        }
    }
}
