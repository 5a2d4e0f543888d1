//! The figures that mrctl promises, measured beside what they are compared with. `cargo bench` runs all of them, `cargo bench --
//! write_gap` one; a figure beyond its limit ends with an error.
//!
//! These are benchmarks and no tests: they need a quiet machine.

mod command_line;
mod executor;
mod rehearse;
mod write_gap;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// The program, built like the one that users run.
fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_mrctl").into()
}

/// A line of the report.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
}

/// Measurements of one thing.
struct Samples(Vec<Duration>);

impl Samples {
    fn sorted(mut samples: Vec<Duration>) -> Self {
        samples.sort();
        Self(samples)
    }

    fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let median = self.median();
        write!(
            f,
            "median {:.1} ms, from {:.1} to {:.1} ms, {} times",
            milliseconds(Some(&median)),
            milliseconds(self.0.first()),
            milliseconds(self.0.last()),
            self.0.len()
        )
    }
}

/// Tells whether a figure is within its limit.
fn verdict(what: &str, figure: f64, limit: f64, unit: &str) -> bool {
    let good = figure <= limit;
    say(&format!("  {}: {what} {figure:.2}{unit}, limit {limit}{unit}", if good { "met" } else { "MISSED" }));
    good
}

/// Measures, reports, and tells whether the figure is within its limit.
type Figure = fn() -> bool;

fn main() -> std::process::ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let figures: [(&str, Figure); 5] = [
        ("help", command_line::help),
        ("check", command_line::check),
        ("executor", executor::cost),
        ("rehearse", rehearse::growth),
        ("write_gap", write_gap::gap),
    ];
    let mut good = true;
    for (name, measure) in figures {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            good &= measure();
        }
    }
    if good { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
