//! The demonstration: two regions, users who write, a failover, and what the users noticed.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Lab;
use super::error::{FileContext, Result};
use super::load::{Load, LoadOptions, LoadReport};
use super::up::Options;

/// What to demonstrate with.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The lab to bring up.
    pub lab: Options,
    /// The users.
    pub load: LoadOptions,
    /// Leave the lab up at the end.
    pub keep: bool,
}

/// Brings a lab up, lets users write, calls `run_failover`, and tells what the users noticed. What `run_failover` gave is
/// handed back with the users' report; the lab is taken down unless it is to be kept.
pub async fn demo<T>(
    options: DemoOptions,
    out: &mut dyn Write,
    run_failover: impl AsyncFnOnce(&Lab) -> T,
) -> Result<(T, LoadReport)> {
    let began = Instant::now();
    say(out, "bringing up two regions: eu-west (127.0.0.11) and us-east (127.0.0.12)\n")?;
    let lab = Lab::up(options.lab).await?;
    say(
        out,
        &format!("up in {:.1} s; inventory {}\n", began.elapsed().as_secs_f64(), lab.inventory().display()),
    )?;
    let shown = show(&lab, &options.load, out, run_failover).await;
    if options.keep {
        // Also after an error: whoever keeps it wants to look.
        lab.detach();
        say(out, &format!("the lab stays up; to end it: mrctl lab down --dir {}\n", lab.folder().display()))?;
    } else {
        lab.down().await?;
        say(out, "the lab is down\n")?;
    }
    shown
}

async fn show<T>(
    lab: &Lab,
    load: &LoadOptions,
    out: &mut dyn Write,
    run_failover: impl AsyncFnOnce(&Lab) -> T,
) -> Result<(T, LoadReport)> {
    let load = Load::start(lab, load)?;
    load.wait_for(50, Duration::from_secs(30)).await?;
    say(out, "users write through DNS and the application; the failover begins\n\n")?;
    let outcome = run_failover(lab).await;
    // Whether users can write again is for the report to tell, not an error of the demonstration.
    let _ = load.wait_for(50, Duration::from_secs(15)).await;
    let report = load.stop().await?;
    say(out, &format!("\nwhat the users noticed\n{report}"))?;
    say(out, &format!("audit trail           {}\n", lab.layout().runs().display()))?;
    Ok((outcome, report))
}

fn say(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).on("writing to", Path::new("the terminal"))
}
