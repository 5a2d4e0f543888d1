//! Members that a person vouches for: they cannot take writes, and cannot be asked.

use super::setup::{Setup, operator};
use crate::engine::record::Record;
use crate::engine::survey;
use crate::exit_code::ExitCode;
use crate::plan::{Mode, Plan};
use crate::world::Member;
use clap::Args;

/// Who is vouched for.
#[derive(Debug, Default, Args)]
pub struct VouchArgs {
    /// A member that you vouch for as fenced: it cannot take writes, and cannot come back by itself. Written into the journal.
    #[arg(long, value_name = "CLUSTER/REGION")]
    fenced: Vec<String>,
    /// A member that you vouch for as destroyed.
    #[arg(long, value_name = "CLUSTER/REGION")]
    destroyed: Vec<String>,
}

/// A member, and what it is said to be.
pub type Vouched = (Member, &'static str);

impl VouchArgs {
    /// The members that are named; an error is told.
    pub fn members(&self, setup: &Setup, reason: &str) -> Result<Vec<Vouched>, ExitCode> {
        let mut vouched = Vec::new();
        for (texts, how) in [(&self.fenced, "fenced"), (&self.destroyed, "destroyed")] {
            for text in texts {
                let Some((cluster, region)) = text.split_once('/') else {
                    return Err(setup.usage(
                        format!("--{how} {text} names no member"),
                        "write CLUSTER/REGION, such as orders/us-east",
                    ));
                };
                vouched.push((Member::new(cluster, region), how));
            }
        }
        if !vouched.is_empty() && reason.trim().is_empty() {
            return Err(setup.usage("vouching for a member needs a reason", "say with --reason how you know"));
        }
        Ok(vouched)
    }
}

/// Going forward, only the old primary of an unplanned run, or one that is to become a standby, can be vouched for: else it answers in a planned one,
/// and the target is asked itself.
pub fn only_sources(setup: &Setup, plan: &Plan, vouched: &[Vouched]) -> Result<(), ExitCode> {
    // One that is to become a standby may be out of reach of whoever could prove that it is stopped.
    let may = plan.mode == Mode::Unplanned || plan.clusters.keys().any(|set| survey::follows_up(plan, set));
    let clusters = plan.clusters.iter().filter(|(_, regions)| may && regions.contains(&plan.from));
    let sources: Vec<Member> = clusters.map(|(cluster, _)| Member::new(cluster, &plan.from)).collect();
    match vouched.iter().find(|(member, _)| !sources.contains(member)) {
        None => Ok(()),
        Some((member, how)) => {
            let known: Vec<String> =
                sources.iter().map(|member| format!("{}/{}", member.resource, member.region)).collect();
            let text = format!("--{how} {}/{} cannot be vouched for here", member.resource, member.region);
            let help = match known.as_slice() {
                [] => {
                    "only the old primary of an unplanned failover can be, or one that is to become a standby"
                        .to_string()
                }
                known => format!("only the old primary can be: {}", known.join(", ")),
            };
            Err(setup.usage(text, help))
        }
    }
}

/// What the journal keeps of it.
pub fn records(vouched: &[Vouched], reason: &str) -> Vec<Record> {
    let record = |(member, how): &Vouched| Record::Attested {
        member: member.clone(),
        how: (*how).to_string(),
        by: operator(),
        reason: reason.to_string(),
    };
    vouched.iter().map(record).collect()
}
