//! What a step costs beyond its command: the run with its journal, against a bare spawn and two `fdatasync`.

use super::{Samples, program, say, verdict};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const STEPS: u32 = 200;
const ROUNDS: usize = 5;

/// Both on the same file system, one after the other, so that the disk's mood meets both.
pub fn cost() -> bool {
    // Not below /tmp: that may be memory, on which nothing has to be written through.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(spawn_and_sync(&folder.path().join(format!("bare-{round}"))));
        // The start of the program and the first looks are in both: only the steps are left.
        let long = run(folder.path(), round, STEPS);
        let short = run(folder.path(), round, 1);
        ours.push(long.saturating_sub(short) / (STEPS - 1));
    }
    let (bare, ours) = (Samples::sorted(bare), Samples::sorted(ours));
    say(&format!("a spawn and two fdatasync: {bare}"));
    say(&format!("a step of mrctl: {ours}"));
    let ratio = ours.median().as_secs_f64() / bare.median().as_secs_f64();
    verdict("a step costs", ratio, 1.5, " times the bare cost")
}

fn spawn_and_sync(path: &Path) -> Duration {
    let mut file = std::fs::File::create(path).unwrap();
    // Reserved like the journal, or every write would also change the file's size on disk.
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, 1 << 20).unwrap();
    let line = [b'x'; 400];
    let begun = Instant::now();
    for _ in 0..STEPS {
        for _ in 0..2 {
            file.write_all(&line).unwrap();
            file.sync_data().unwrap();
        }
        assert!(Command::new("/bin/true").stdin(Stdio::null()).status().unwrap().success());
    }
    begun.elapsed() / STEPS
}

fn run(folder: &Path, round: usize, steps: u32) -> Duration {
    let mut runbook = String::from("mrctl: 1\nname: bench\ntitle: Steps\nsteps:\n");
    for step in 0..steps {
        runbook += &format!("  - id: step_{step}\n    exec: {{ command: [/bin/true], effect: nothing }}\n");
    }
    let name = format!("{round}-{steps}");
    let path = folder.join(format!("{name}.yaml"));
    std::fs::write(&path, runbook).unwrap();
    std::fs::write(folder.join("mrctl.yaml"), "mrctl: 1\nname: bench\nregions: { a: {}, b: {} }\n").unwrap();
    let begun = Instant::now();
    let output = Command::new(program())
        .args(["failover", "--yes", "--from", "a", "--to", "b", "--output", "json", "--runbook"])
        .arg(path)
        .arg("--state-dir")
        .arg(folder.join(format!("state-{name}")))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let time = begun.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    time
}
