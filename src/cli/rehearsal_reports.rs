//! `mrctl rehearse --report sarif=FILE --report junit=FILE`: what other programs read, besides what is printed.

use super::setup::Setup;
use crate::exit_code::ExitCode;
use crate::output::junit::junit;
use crate::output::sarif::{Rehearsed, sarif};
use crate::rehearse::report::Report;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A form that other programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Sarif,
    Junit,
}

/// A form and the file for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    form: Form,
    file: PathBuf,
}

/// Reads `sarif=FILE` or `junit=FILE`.
pub fn wanted(text: &str) -> Result<Wanted, String> {
    let (form, file) = text.split_once('=').unwrap_or((text, ""));
    let form = match form {
        "sarif" => Form::Sarif,
        "junit" => Form::Junit,
        other => return Err(format!("`{other}` is no form of a report: write sarif=FILE or junit=FILE")),
    };
    match file {
        "" => Err(format!("there is no file: write {text}=FILE", text = text.trim_end_matches('='))),
        "-" => Err("standard output has what is printed: give a file".to_owned()),
        file => Ok(Wanted { form, file: PathBuf::from(file) }),
    }
}

/// Everything that one invocation has rehearsed.
#[derive(Default)]
pub struct Collected {
    reports: Vec<(String, Report)>,
    invalid: Vec<String>,
}

impl Collected {
    /// The reports of one runbook.
    pub fn add(&mut self, file: &std::path::Path, reports: &[Report]) {
        let named = reports.iter().map(|report| (file.display().to_string(), report.clone()));
        self.reports.extend(named);
    }

    /// A runbook that could not be rehearsed.
    pub fn invalid(&mut self, file: &std::path::Path) {
        self.invalid.push(file.display().to_string());
    }

    /// Writes the reports that are wanted. A report that cannot be written is no success: whoever reads it would read the one before.
    pub fn write(&self, setup: &Setup, wanted: &[Wanted], accepted: &[String]) -> Option<ExitCode> {
        let accepted: BTreeSet<&str> = accepted.iter().map(String::as_str).collect();
        let all: Vec<Rehearsed<'_>> =
            self.reports.iter().map(|(file, report)| Rehearsed { report, file }).collect();
        let mut failed = None;
        for Wanted { form, file } in wanted {
            let text = match form {
                Form::Sarif => {
                    let mut document = sarif(&all, &accepted, self.invalid.is_empty());
                    setup.redactor.scrub_json(&mut document);
                    format!("{document:#}\n")
                }
                Form::Junit => setup.redactor.scrub(&junit(&all, &accepted, &self.invalid)).into_owned(),
            };
            if let Err(error) = std::fs::write(file, text) {
                failed = Some(setup.fail(&format!(
                    "the report {} cannot be written: {error}: give a file in a folder that exists and is yours",
                    file.display()
                )));
            }
        }
        failed
    }
}
