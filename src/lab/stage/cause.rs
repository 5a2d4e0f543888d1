//! How each fault is caused with real servers, and which cannot be.

use super::director::intended;
use crate::engine::record::Record;
use crate::lab::error::{DatabaseContext, LabError, Result};
use crate::lab::{Fault, Lab, Region, Role, Session, wait};
use crate::plan::Plan;
use crate::rehearse::alphabet::{CallFault, Mishap};
use crate::rehearse::replay::Happened;
use crate::world::Member;
use std::time::Duration;

/// How long a server may take for what a fault asks of it.
const SERVER: Duration = Duration::from_secs(30);

/// How each fault of a schedule is caused, in order; or why one cannot be.
///
/// # Errors
/// The fault that exists in the model only, and why.
pub fn how(plan: &Plan, schedule: &[Happened]) -> std::result::Result<Vec<&'static str>, String> {
    if schedule.iter().any(|one| matches!(one, Happened::Record(Record::Switched { .. }))) {
        return Err(
            "a person takes the run over as unplanned: an unplanned run is not caused on a lab".into()
        );
    }
    let mishaps = schedule.iter().enumerate().filter_map(|(at, happened)| match happened {
        Happened::Mishap(mishap) => Some((at, mishap)),
        Happened::Record(_) | Happened::Calm => None,
    });
    mishaps
        .map(|(at, mishap)| {
            one(plan, &schedule[..at], mishap).map_err(|why| format!("{}: {why}", mishap.in_words()))
        })
        .collect()
}

fn one(plan: &Plan, before: &[Happened], mishap: &Mishap) -> std::result::Result<&'static str, &'static str> {
    let kind = intended(before).and_then(|(step, _)| plan.steps.iter().find(|one| one.id == step));
    let kind = kind.map_or("", |step| step.kind.as_str());
    let request = kind.starts_with("dns.");
    Ok(match mishap {
        Mishap::Call(_, CallFault::Refused) if request => "a proxy answers the request with an error",
        Mishap::Call(_, CallFault::LostDone) if request => "a proxy drops the answer of the request",
        Mishap::Call(_, CallFault::LostNotDone) if request => "a proxy drops the request",
        Mishap::Call(_, CallFault::LostHalf) if request => return Err("a request cannot be half done"),
        Mishap::Call(_, CallFault::Late) if request => "a proxy keeps the request, and makes it later",
        Mishap::Call(_, fault) if kind == "exec" => match fault {
            CallFault::Refused => "the command's stand-in ends with 75",
            CallFault::LostDone => "the command's stand-in does it, and ends with 1",
            CallFault::LostNotDone => "the command's stand-in does nothing, and ends with 1",
            CallFault::LostHalf => return Err("a command's stand-in does all or nothing"),
            CallFault::Claimed => return Err("only a fence says so, and a lab has its own"),
            CallFault::Late => "the command's stand-in ends with 1, and does it later",
        },
        Mishap::Call(..) => {
            return Err("no proxy can tell which message of an encrypted connection is the call");
        }
        Mishap::Killed => "kill -9 after the record",
        Mishap::KilledMidway(_) | Mishap::KilledBeforeReply if request || kind == "exec" => {
            "kill -9 when the call has done its work"
        }
        Mishap::KilledMidway(_) | Mishap::KilledBeforeReply => {
            return Err("no proxy can tell when a call on an encrypted connection has done its work");
        }
        Mishap::Silent(_) => "a proxy, or the command's stand-in, swallows everything",
        Mishap::SourceDied(_) => "kill -9 of the server",
        Mishap::Restarted(_) => "kill -9 of the server, and its start",
        Mishap::LagGrows(_) => "pg_wal_replay_pause, and a write",
        Mishap::CutOff(_) => "primary_conninfo of the target is taken away, and a write",
        Mishap::PromotedByOthers(_) => "pg_promote by hand",
        Mishap::ThawedByOthers(_) => "ALTER SYSTEM RESET and a reload by hand",
        Mishap::SetByOthers(_) => "ALTER SYSTEM SET and a reload by hand",
        Mishap::StartedByOthers(_) => "the server is started by hand",
        Mishap::WroteThroughFreeze(_) => "a client with default_transaction_read_only=off commits",
        Mishap::LockTaken(_) => "the session that holds the lock is ended, and another takes it",
        Mishap::AskedToStop => "SIGTERM",
        Mishap::InSightAgain(_) => return Err("the servers of a lab are in sight of everybody"),
        Mishap::RegionLost(_) => return Err("the regions of a lab share one machine"),
        Mishap::BadNumbers | Mishap::Unhealthy(_) => {
            return Err("what the users of a lab are answered cannot be set from outside");
        }
        Mishap::OldAnswers(_) => return Err("the name servers of a lab keep no answers"),
        Mishap::RecordByOthers(_) | Mishap::SecondOperator(_) => {
            return Err("nobody else acts on a lab");
        }
        Mishap::NoNumbers => return Err("numbers of a lab come from places that cannot be silenced alone"),
        Mishap::No | Mishap::Absent => return Err("without a terminal nobody is asked"),
        Mishap::Breached(_) | Mishap::NoData(_) => return Err("a watched number cannot be set on a lab"),
        Mishap::GapExpired => return Err("a lab is too fast for its write gap"),
    })
}

/// Faults of servers, with what has to be put back when things become well again.
#[derive(Default)]
pub struct Causes {
    replay: bool,
    cut: Vec<Region>,
    /// Sessions that hold a lock of ours.
    locks: Vec<Session>,
}

impl Causes {
    /// Causes a fault of a server.
    ///
    /// # Errors
    /// The server does not do it, or it is no fault of a server.
    pub async fn cause(&mut self, lab: &Lab, mishap: &Mishap) -> Result<()> {
        match mishap {
            Mishap::SourceDied(at) => lab.kill_postgres(region(at)?).await,
            Mishap::Restarted(at) => {
                let region = region(at)?;
                lab.kill_postgres(region).await?;
                lab.start_postgres(region).await
            }
            Mishap::LagGrows(at) => {
                lab.inflict(Fault::Replay).await?;
                self.replay = true;
                commit(lab, region(at)?.other()).await
            }
            Mishap::CutOff(at) => {
                let region = region(at)?;
                setting(lab, region, "ALTER SYSTEM SET primary_conninfo = ''").await?;
                self.cut.push(region);
                let gone = "SELECT count(*) = 0 FROM pg_stat_wal_receiver";
                until_true(lab, region, "the standby has no upstream", gone).await?;
                commit(lab, region.other()).await
            }
            Mishap::PromotedByOthers(at) => promote(lab, region(at)?).await,
            Mishap::ThawedByOthers(at) => {
                setting(lab, region(at)?, "ALTER SYSTEM RESET default_transaction_read_only").await
            }
            Mishap::SetByOthers(at) => {
                setting(lab, region(at)?, "ALTER SYSTEM SET default_transaction_read_only = off").await
            }
            Mishap::StartedByOthers(at) => lab.start_postgres(region(at)?).await,
            Mishap::WroteThroughFreeze(at) => commit(lab, region(at)?).await,
            Mishap::LockTaken(at) => self.take_lock(lab, region(at)?).await,
            Mishap::Call(..)
            | Mishap::InSightAgain(_)
            | Mishap::Killed
            | Mishap::KilledMidway(_)
            | Mishap::KilledBeforeReply
            | Mishap::Silent(_)
            | Mishap::NoNumbers
            | Mishap::AskedToStop
            | Mishap::No
            | Mishap::Absent
            | Mishap::Breached(_)
            | Mishap::NoData(_)
            | Mishap::RegionLost(_)
            | Mishap::BadNumbers
            | Mishap::Unhealthy(_)
            | Mishap::OldAnswers(_)
            | Mishap::RecordByOthers(_)
            | Mishap::SecondOperator(_)
            | Mishap::GapExpired => Err(LabError::Refused(format!("{} is no server's fault", mishap.name()))),
        }
    }

    /// The lock's key is the one that its holder has.
    async fn take_lock(&mut self, lab: &Lab, region: Region) -> Result<()> {
        let session = lab.connect(region, Role::Superuser).await?;
        let held = "SELECT pid, classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted";
        let Some(row) = session.query_opt(held, &[]).await.of(region)? else {
            return Err(LabError::Refused(format!("nobody holds a lock in {region}")));
        };
        let (pid, key) = (row.get::<_, i32>(0), row.get::<_, i64>(1));
        session.execute("SELECT pg_terminate_backend($1, 5000)", &[&pid]).await.of(region)?;
        session.execute("SELECT pg_advisory_lock($1)", &[&key]).await.of(region)?;
        self.locks.push(session);
        Ok(())
    }

    /// What lags, has lost its upstream or its lock is well again.
    pub async fn heal(&mut self, lab: &Lab) -> Result<()> {
        self.locks.clear();
        if std::mem::take(&mut self.replay) {
            lab.heal(Fault::Replay).await?;
        }
        for region in std::mem::take(&mut self.cut) {
            setting(lab, region, "ALTER SYSTEM RESET primary_conninfo").await?;
        }
        Ok(())
    }
}

fn region(at: &Member) -> Result<Region> {
    at.region.parse().map_err(LabError::Refused)
}

/// A setting, loaded.
async fn setting(lab: &Lab, region: Region, statement: &str) -> Result<()> {
    let session = lab.connect(region, Role::Superuser).await?;
    session.batch_execute(statement).await.of(region)?;
    session.batch_execute("SELECT pg_reload_conf()").await.of(region)
}

/// Commits a transaction that a freeze does not keep from it.
async fn commit(lab: &Lab, region: Region) -> Result<()> {
    let session = lab.connect(region, Role::App).await?;
    session.batch_execute("SET default_transaction_read_only = off").await.of(region)?;
    let write = "INSERT INTO mrctl.probe VALUES (gen_random_uuid()::text, now())";
    match session.batch_execute(write).await {
        Ok(()) => Ok(()),
        // The application has no right to that table; a transaction with a number is a commit too.
        Err(_) => session.batch_execute("BEGIN; SELECT txid_current(); COMMIT").await.of(region),
    }
}

async fn until_true(lab: &Lab, region: Region, what: &str, question: &str) -> Result<()> {
    wait::until(what, SERVER, || async {
        let session = lab.connect(region, Role::Superuser).await.map_err(|error| error.to_string())?;
        let row = session.query_one(question, &[]).await.map_err(|error| error.to_string())?;
        row.get::<_, Option<bool>>(0).filter(|yes| *yes).map(drop).ok_or_else(|| "not yet".to_owned())
    })
    .await
}

async fn promote(lab: &Lab, region: Region) -> Result<()> {
    let session = lab.connect(region, Role::Superuser).await?;
    session.batch_execute("SELECT pg_promote(true, 30)").await.of(region)
}

/// Whether a run has ended, and as what.
pub fn ended(records: &[Record]) -> Option<crate::engine::record::Verdict> {
    records.iter().rev().find_map(|record| match record {
        Record::Ended { verdict, .. } => Some(*verdict),
        _ => None,
    })
}
