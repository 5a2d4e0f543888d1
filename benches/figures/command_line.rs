//! What a person waits for before anything happens: the help, and the check of a long runbook.

use super::{Samples, program, say, verdict};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs the program until its end, several times.
fn timed(times: usize, arguments: &[&str]) -> Samples {
    let once = || {
        let begun = Instant::now();
        let output = Command::new(program()).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        begun.elapsed()
    };
    once();
    Samples::sorted((0..times).map(|_| once()).collect())
}

/// `mrctl --help`, from spawn to exit.
pub fn help() -> bool {
    let samples = timed(50, &["--help"]);
    say(&format!("mrctl --help: {samples}"));
    verdict("mrctl --help", samples.median().as_secs_f64() * 1000.0, 10.0, " ms")
}

/// `mrctl check` of a runbook with 10,000 steps, from spawn to exit.
pub fn check() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut runbook = String::from("mrctl: 1\nname: long\ntitle: Ten thousand steps\nsteps:\n");
    for step in 0..10_000 {
        runbook += &format!(
            "  - id: step_{step}\n    exec: {{ command: [/bin/true, \"${{region}}\"], effect: nothing }}\n"
        );
    }
    let path = folder.path().join("long.yaml");
    std::fs::write(&path, runbook).unwrap();
    std::fs::write(folder.path().join("mrctl.yaml"), "mrctl: 1\nname: bench\nregions: { a: {}, b: {} }\n")
        .unwrap();
    let samples = timed(10, &["check", &path.display().to_string()]);
    say(&format!("mrctl check of 10,000 steps: {samples}"));
    verdict("10,000 steps checked in", samples.median().as_secs_f64(), 0.3, " s")
}
