//! A run that was taken over, on its way to another host and back.

use crate::engine::record::{Choice, Record};
use crate::journal::file::Journal;
use crate::journal::{Durable, Storage as _};
use crate::plan::{Mode, Plan};
use crate::store::Store;
use crate::store::bundle::Taken;
use std::path::Path;

const RUN: &str = "01900000-0000-7000-8000-00000000beef";

fn append(journal: &mut Journal, record: &Record) {
    let serde_json::Value::Object(body) = serde_json::to_value(record).unwrap() else { unreachable!() };
    journal.append(body, Durable::Now).unwrap();
}

fn opened() -> Record {
    Record::Opened {
        version: "1".into(),
        operator: "ada".into(),
        host: "bastion".into(),
        pid: 7,
        terminal: true,
        choice: Choice::Continue,
        reason: String::new(),
        torn: 0,
    }
}

#[test]
fn an_import_holds_everything_that_a_run_holds_which_was_taken_over() {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals/0.1.0/completed/plan.json");
    let begun: Plan = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    // The new plan is about something that the first was not.
    let (mut taken, more) = (Plan { mode: Mode::Unplanned, ..begun.clone() }, "postgres/billing".to_string());
    taken.resources.push(more.clone());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, elsewhere) = (Store::at(here.path()).unwrap(), Store::at(there.path()).unwrap());
    let (folder, mut journal) = here.create(RUN, &begun, || 1).unwrap();
    let (run, plan, starts) = (RUN.to_string(), begun.digest(), std::collections::BTreeMap::new());
    append(&mut journal, &Record::Created { run, plan, format: begun.format, since: None, starts });
    append(&mut journal, &opened());
    drop(journal);
    let copied = elsewhere.import(&folder, "bob").unwrap();
    assert_eq!(copied, (RUN.to_string(), Taken::New));
    let (_, mut journal, _) = elsewhere.open(RUN, || 2).unwrap();
    append(
        &mut journal,
        &Record::Switched {
            from: begun.digest(),
            plan: taken.digest(),
            to: Box::new(taken.clone()),
            by: "bob".into(),
            reason: "the region is gone".into(),
        },
    );
    append(&mut journal, &opened());
    drop(journal);
    let file = there.path().join("run.json");
    elsewhere.export(RUN, &file).unwrap();
    // Somebody is at work on what only the plan that counts now is about.
    let held = here.lock(std::slice::from_ref(&more), "carol").unwrap();
    let refused = here.import(&file, "ada").unwrap_err().to_string();
    assert!(refused.contains(&more) && refused.contains("carol"), "{refused}");
    drop(held);
    assert_eq!(here.import(&file, "ada").unwrap(), (RUN.to_string(), Taken::Further));
    let run = here.read(RUN).unwrap();
    assert_eq!((&run.plan, &run.begun_with), (&taken, &begun));
    assert!(run.open() && run.resources().contains(&more));
    // Here it goes further than there: what comes back from there holds as much.
    let (_, mut journal, _) = here.open(RUN, || 3).unwrap();
    append(&mut journal, &opened());
    drop(journal);
    let held = elsewhere.lock(std::slice::from_ref(&more), "carol").unwrap();
    assert!(elsewhere.import(&folder, "ada").is_err());
    drop(held);
    assert_eq!(elsewhere.import(&folder, "ada").unwrap().1, Taken::Further);
}
