//! The page of events, made from their table.

use super::events::{COMMON, EVENTS, Field};
use std::fmt::Write as _;

/// The text of `docs/reference/events.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Events\n\n\
         <!-- Made from the table in src/output/events.rs by its test; change it there. -->\n\n\
         `--output json` writes one JSON object a line to standard output, the same in a drill and for real. Standard error\n\
         stays for people. Each record of the journal gives one event; `step_started` and `step_ended` are derived from the\n\
         record before them, and `progress` and `waiting` come from no record at all.\n\n\
         Within one `schema`, events and fields are only added: ignore what you do not know. Times and counts are integers.\n\
         Control characters and characters that change the direction of text are written as `\\uXXXX`, so a line is safe to show.\n\n\
         ## Every event\n\n",
    );
    table(&mut page, COMMON.iter());
    for event in EVENTS {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `{}`\n\n{}\n\n", event.name, event.when);
        table(&mut page, event.fields());
    }
    page
}

fn table(page: &mut String, fields: impl Iterator<Item = &'static Field>) {
    page.push_str("| field | type | meaning |\n|---|---|---|\n");
    for field in fields {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{}` | {} | {} |", field.name, field.kind, field.meaning);
    }
}
