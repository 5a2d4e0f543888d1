//! What a rehearsal costs: runbooks of growing length, every schedule of one and two faults, and of three.

use super::{program, say, verdict};
use std::process::Command;
use std::time::Instant;

/// A runbook of so many steps: those that move a writer and its users, and commands before them.
fn runbook(steps: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/mrctl.yaml");
    std::fs::copy(shipped, folder.path().join("mrctl.yaml")).unwrap();
    let mut text = String::from(
        "mrctl: 1\nname: long\ntitle: Many steps\nsteps:\n  - { id: ready, postgres.preflight: orders }\n",
    );
    for step in 0..steps.saturating_sub(7) {
        text += &match step % 2 {
            0 => format!(
                "  - {{ id: s{step}, exec: {{ command: [on, \"{step}\"], look: [is, \"{step}\"], undo: [off, \"{step}\"], effect: it is on }} }}\n"
            ),
            _ => format!("  - {{ id: s{step}, http.check: shop }}\n"),
        };
    }
    text += "  - { id: freeze, postgres.freeze: orders }\n  - { id: catch_up, postgres.catch_up: orders }\n  - { id: promote, \
             postgres.promote: orders }\n  - { id: writable, postgres.verify_writable: orders }\n  - { id: shift, dns.shift: www }\n  \
             - { id: users, http.check: shop }\n";
    std::fs::write(folder.path().join("runbook.yaml"), text).unwrap();
    folder
}

/// Seconds of one rehearsal, and its states.
fn rehearsed(steps: usize, faults: &str) -> (f64, u64) {
    let folder = runbook(steps);
    let path = folder.path().join("runbook.yaml");
    let begun = Instant::now();
    let output = Command::new(program())
        .args(["--output", "json", "rehearse", "--from", "eu-west", "--faults", faults])
        .arg(&path)
        .output()
        .unwrap();
    let time = begun.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_str(text.lines().next().unwrap_or_default()).unwrap();
    (time, document["report"]["counts"]["states"].as_u64().unwrap_or(0))
}

/// The growth, and the promised figures.
pub fn growth() -> bool {
    say("mrctl rehearse, every schedule of so many faults:");
    let mut twenty = f64::INFINITY;
    for steps in [10, 20, 30, 50] {
        for faults in ["1", "2"] {
            let (time, states) = rehearsed(steps, faults);
            say(&format!("  {steps} steps, {faults} faults: {time:.2} s, {states} states"));
            if (steps, faults) == (20, "2") {
                twenty = time;
            }
        }
    }
    verdict("20 steps with two faults", twenty, 1.0, " s")
}
