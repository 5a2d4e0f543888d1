//! Generated files are committed, and are what the program generates now. `MRCTL_BLESS=1` writes them anew.

use clap_complete::Shell;
use mrctl::cli::describe::{SchemaOf, schema_text};
use mrctl::cli::kinds::kind_text;
use mrctl::cli::{completions, man};
use mrctl::error::Code;
use mrctl::exit_code::ExitCode;
use mrctl::plan::Mode;
use mrctl::rehearse::alphabet::ALPHABET;
use mrctl::rehearse::invariants::{INVARIANTS, When};
use mrctl::rehearse::source::Source;
use mrctl::step::KINDS;
use mrctl::world::plausible::RULES;
use std::path::Path;

pub fn compare(path: &str, text: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = format!("{}\n", text.trim_end());
    if std::env::var_os("MRCTL_BLESS").is_some() {
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(&full, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(
        committed == text,
        "{path} is not what the program generates now: run the tests with MRCTL_BLESS=1"
    );
}

#[test]
fn schemas_are_as_committed() {
    compare("docs/schema/runbook.json", &schema_text(SchemaOf::Runbook));
    compare("docs/schema/inventory.json", &schema_text(SchemaOf::Inventory));
}

#[test]
fn completions_and_manual_are_as_committed() {
    compare("completions/mrctl.bash", &completions(Shell::Bash));
    compare("completions/_mrctl", &completions(Shell::Zsh));
    compare("completions/mrctl.fish", &completions(Shell::Fish));
    compare("man/mrctl.1", &man());
}

#[test]
fn the_reference_of_kinds_is_as_committed() {
    let mut text = String::from(
        "# Kinds of steps\n\nGenerated from the table of kinds. `mrctl kinds KIND` prints the same.\n\n",
    );
    for kind in KINDS {
        text += &kind_text(kind);
        text += "\n";
    }
    compare("docs/reference/kinds.md", &text);
}

#[test]
fn the_reference_of_errors_is_as_committed() {
    let mut text = String::from(
        "# Errors\n\nGenerated from the table of codes. `mrctl explain MRnnnn` prints a page.\n\n",
    );
    for code in Code::ALL {
        text += &format!("- [{code}](../errors/{code}.md): {}\n", code.title());
    }
    compare("docs/reference/errors.md", &text);
}

#[test]
fn the_reference_of_the_rehearsal_is_as_committed() {
    let mut text = String::from(
        "# What a rehearsal tries, and what it checks\n\nGenerated from the tables that `mrctl rehearse` works from.\n\n## Faults\n\n| name | \
         what happens |\n|---|---|\n",
    );
    for row in ALPHABET {
        text += &format!("| `{}` | {} |\n", row.name, row.meaning);
    }
    text += "\nA journal that cannot be written has no row of its own: to the engine it is the end of the process, so `killed` and \
             `killed_before_reply` stand for it. That no call is made after it, and that whoever resumes comes to the same end as after a \
             kill, is tested at every record of the shipped failovers: \
             `a_record_that_cannot_be_written_ends_the_process_as_a_kill_does`.\n\n## Applications\n\nThe applications of the model \
             commit wherever a server takes their writes, in every region, at any time, and are told so. None of them asks DNS where to \
             go: they are the clients that ignore a time to live for ever, on both sides at once. So whatever name servers and resolvers \
             answer, and for how long they keep it, changes nothing about what the invariants say of writes; records steer only \
             what the rows about users say.\n";
    text += "\n## Invariants\n\nEach is checked on the simulated truth, not on what the run believes: after every move, or when a run has ended \
             and again a day later, when everything that was late has arrived.\n\n| name | what must not be | checked |\n|---|---|---|\n";
    for row in INVARIANTS {
        let when = match row.when {
            When::Always => "after every move",
            When::Ended => "at the end, and a day later",
            When::Told => "at the end",
        };
        text += &format!("| {} | {} | {when} |\n", row.id, row.title);
    }
    text += "| I11 | it does not end | after every move |\n";
    text += "\nI17 asks of each call, when it is sent over what others have set last: has the look whose facts its intent keeps seen \
             exactly that? Of a way back: is it what this run itself wrote there (contents and time to live of a record each for itself, \
             `on` for a freeze)? What others set to the very value of ours cannot be told from ours, and what they set while a call is on its \
             way is not held against it. An undo of a shift writes the recorded contents back under the time to live that stands now, on \
             purpose. A promotion by others is taken back by no call; a server that is opened beside it is I1.\n";
    text += "\nI3 in an unplanned run: of what a person has accepted as lost, which is what the target lacks when the loss is accepted, nothing more \
             may be.\n\n## Unplanned runs\n\nWith `--mode unplanned` each direction is rehearsed with everything that its source may be like; a run \
             has to complete, or to be refused with nothing changed, and everything else that can go wrong comes on top.\n\n\
             | the source | ends alone as |\n|---|---|\n";
    for source in Source::of(Mode::Unplanned) {
        text += &format!("| {} | `{}` |\n", source.in_words().unwrap(), source.expects().word());
    }
    text += "\n## What no rehearsal can show\n\nThe simulated world never breaks these rules, and a healthy real one neither. Each look of a \
             run is held against them, with what was seen before in the same run: where one is broken, no rehearsal has said anything \
             about that night.\n\n| rule | what always holds | because |\n|---|---|---|\n";
    for rule in RULES {
        text += &format!("| `{}` | {} | {} |\n", rule.id, rule.sentence, rule.because);
    }
    compare("docs/reference/rehearsal.md", &text);
}

#[test]
fn the_reference_of_exit_codes_is_as_committed() {
    let mut text = String::from(
        "# Exit codes\n\nGenerated from the table of exit codes; never renumbered.\n\n| code | verdict |\n|---|---|\n",
    );
    for code in ExitCode::ALL {
        text += &format!("| {} | `{}` |\n", code.number(), code.word());
    }
    compare("docs/reference/exit-codes.md", &text);
}
