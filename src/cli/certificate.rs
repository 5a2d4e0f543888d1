//! Certificates of rehearsals: kept by `rehearse`, asked for by `failover`, `drill` and `status`.

use super::setup::{Setup, host, now, operator};
use crate::engine::record::{Covered, Record};
use crate::error::{Code, Problem, Problems, Sources};
use crate::output::certified::in_words;
use crate::plan::{Mode, Plan};
use crate::rehearse::certified;
use crate::rehearse::report::Report;
use crate::rehearse::scene::scene;
use crate::runbook::Loaded;
use crate::runbook::inventory::Inventory;
use crate::store::certificate::{
    self, Certificate, Certificates, Demand, FORMAT, Judged, Mrctl, Parameters, Start, StartFrom, Wanted,
};
use crate::world::real::program;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// This mrctl.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Keeps a certificate for each direction of a rehearsal that found nothing, and whose missing cover is accepted by name; notes it in its
/// report. A rehearsal without one is as good: that none was kept is only said.
pub fn keep(setup: &Setup, made: &[(&Plan, Start)], reports: &mut [Report]) {
    let Some(root) = setup.state_folder() else {
        setup.say("mrctl: no certificate was kept: there is no state folder; set MRCTL_STATE_DIR or HOME");
        return;
    };
    let Some(program) = program::sha256() else {
        setup.say("mrctl: no certificate was kept: which build of mrctl this is could not be found out: its file cannot be read");
        return;
    };
    let (mut made, mut rest) = (made, reports);
    while let (Some((plan, start)), Some(first)) = (made.first(), rest.first()) {
        // A plan that was rehearsed from several starts was rehearsed when all of them were.
        let many = rest.iter().take_while(|report| report.plan == first.plan).count();
        let (same, later) = rest.split_at_mut(many);
        (made, rest) = (made.get(many..).unwrap_or_default(), later);
        let Some(says) =
            whole(same).and_then(|report| certificate_of(plan, &report, start.clone(), program.clone()))
        else {
            continue;
        };
        match certificate::keep(&root, &says) {
            Ok(kept) => {
                let short: String = kept.sha256.chars().take(12).collect();
                let mode = match plan.mode {
                    Mode::Planned => "",
                    Mode::Unplanned => ", unplanned",
                };
                setup.say(&format!("{} → {}{mode}: kept as certificate {short}", plan.from, plan.to));
                same.iter_mut().for_each(|report| report.certificate = Some(kept.sha256.clone()));
            }
            Err(error) => {
                let error = crate::error::escape::outside(&error.to_string(), 300);
                setup.say(&format!("mrctl: no certificate was kept: {error}"));
            }
        }
    }
}

/// All rehearsals of one plan, as one.
fn whole(same: &[Report]) -> Option<Report> {
    let (first, others) = same.split_first()?;
    Some(others.iter().fold(first.clone(), |mut whole, one| {
        whole.counts.add(&one.counts);
        whole.counts.states += one.counts.states;
        whole.elapsed_ms += one.elapsed_ms;
        whole.complete_for = whole.complete_for.min(one.complete_for);
        whole
    }))
}

/// The world that an inventory describes.
pub fn from_inventory(plan: &Plan, inventory: &Inventory) -> Start {
    Start { from: StartFrom::Inventory, digest: certified::start(&scene(plan, inventory)) }
}

fn certificate_of(plan: &Plan, report: &Report, start: Start, program: String) -> Option<Certificate> {
    let accepted: BTreeSet<String> = report.open_steps().into_iter().map(String::from).collect();
    Some(Certificate {
        mrctl_certificate: FORMAT,
        environment: plan.environment.clone(),
        runbook: plan.runbook.clone(),
        plan: plan.rehearsal_digest(),
        runbook_sha256: plan.runbook_sha256.clone(),
        inventory_sha256: plan.inventory_sha256.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        mode: plan.mode,
        parameters: Parameters::of(plan),
        kinds: plan.kinds.clone(),
        version: VERSION.into(),
        program,
        tables: certified::tables(),
        // Nothing was tried to its end: there is nothing to certify.
        faults: report.complete_for?,
        states: report.counts.states,
        moves: report.counts.moves,
        elapsed_ms: report.elapsed_ms,
        start,
        accepted: accepted.into_iter().collect(),
        at: now(),
        operator: operator(),
        host: host(),
    })
}

/// The certificates of this host, as they are now.
pub struct Here {
    all: Certificates,
    tables: String,
    now: i64,
}

impl Here {
    /// Reads them; nothing is made. Without a state folder there are none.
    pub fn read(setup: &Setup) -> Self {
        let root = setup.state_folder();
        let all = root.map(|root| certificate::read_all(&root)).unwrap_or_default();
        Self { all, tables: certified::tables(), now: now() }
    }

    /// What there is of a rehearsal of that.
    pub fn judge(&self, inventory: &Inventory, wanted: Wanted<'_>) -> Judged {
        let demand = Demand::of(inventory.rehearsal.as_ref());
        let mrctl = Mrctl { version: VERSION, tables: &self.tables, program: &program::sha256 };
        certificate::judge(&self.all, wanted, demand, mrctl, self.now)
    }

    /// The newest of a runbook, in whichever direction.
    pub fn newest(&self, inventory: &Inventory, runbook: &str) -> Option<&Certificate> {
        self.all.newest(&inventory.name, runbook)
    }
}

/// The command that rehearses as it is demanded. `direction`: source and target region, and the mode; `given`: parameters as they were given.
pub fn command(
    setup: &Setup,
    runbook: &Path,
    (direction, mode): ([&str; 2], Mode),
    demand: Demand,
    given: &BTreeMap<String, String>,
) -> String {
    let mut words = vec!["mrctl".to_owned(), "rehearse".to_owned(), quoted(&runbook.display().to_string())];
    words.extend(["--from".into(), quoted(direction[0]), "--to".into(), quoted(direction[1])]);
    if mode == Mode::Unplanned {
        words.extend(["--mode".into(), mode.to_string()]);
    }
    // Two is what a rehearsal tries by itself.
    if demand.faults > 2 {
        words.extend(["--faults".into(), demand.faults.to_string()]);
    }
    for (name, value) in given {
        words.extend(["--set".into(), quoted(&format!("{name}={value}"))]);
    }
    for (option, path) in [("--inventory", &setup.inventory), ("--state-dir", &setup.state)] {
        words.extend(path.iter().flat_map(|path| [option.to_owned(), quoted(&path.display().to_string())]));
    }
    words.join(" ")
}

/// As a shell takes it for one word.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Refuses a run that was not rehearsed as the inventory demands.
pub fn refuse(setup: &Setup, loaded: &Loaded, sources: &Sources, judged: &Judged, command: &str) {
    let message =
        format!("refused: what would run was not rehearsed as the inventory demands: {}", in_words(judged));
    let help = format!("`{command}`; only if there is no time for that, --rehearsal-waived REASON");
    let problem = Problem::error(Code::NotRehearsed, message);
    let mut problems = Problems::new();
    problems.push(problem.at(loaded.text.span(&["rehearsal", "required"])).help(help));
    setup.problems(&problems, sources);
    unusable(setup, judged);
}

/// Why the button would not work without a rehearsal. How far the one that there is covers is told beside it.
pub fn obstacle(command: &str) -> String {
    format!("the inventory demands a rehearsal that covers this: `{command}`")
}

/// Names certificates that cannot be used.
pub fn unusable(setup: &Setup, judged: &Judged) {
    for (path, why) in &judged.refused {
        let why = crate::error::escape::outside(why, 200);
        setup.say(&format!("warning: the certificate {} cannot be used: {why}", path.display()));
    }
}

/// What a run's journal says of its rehearsal. `waived`: why a person goes on without.
pub fn record(judged: &Judged, waived: &str) -> Record {
    let covered = judged.covers().map(|kept| Covered {
        certificate: kept.sha256.clone(),
        age_ms: judged.age_ms,
        faults: kept.says.faults,
        version: kept.says.version.clone(),
        start: kept.says.start.from.word().into(),
        accepted: kept.says.accepted.clone(),
    });
    let why = if covered.is_some() { String::new() } else { in_words(judged) };
    let waived = if judged.unmet() { waived.to_owned() } else { String::new() };
    Record::Rehearsed { covered, why, required: judged.demand.required, waived }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_command_can_be_copied_into_a_shell() {
        for (text, word) in [
            ("runbooks/a.yaml", "runbooks/a.yaml"),
            ("a b", "'a b'"),
            ("", "''"),
            ("it's; rm -rf /", "'it'\\''s; rm -rf /'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
