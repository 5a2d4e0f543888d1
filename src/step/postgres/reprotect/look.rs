//! What is looked at: both servers, what each keeps, every other member, and what is known of an old one that is silent.

use super::Reprotect;
use crate::step::postgres::control_data::ControlData;
use crate::step::postgres::fence::asked;
use crate::world::exec::Command;
use crate::world::postgres::{Protection, ServerFacts};
use crate::world::{Known, World};
use serde::{Deserialize, Serialize};

/// Both servers, and what each keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The old primary. Looked at after the new one: what it has received then is compared with what the new one had flushed.
    pub old: Known<ServerFacts>,
    /// The new one.
    pub new: Known<ServerFacts>,
    /// What the new one keeps for standbys.
    pub kept: Known<Protection>,
    /// What the old one still keeps from its time as a primary.
    pub left: Known<Protection>,
    /// Whether the old one is certainly stopped. Asked where it does not answer.
    pub stopped: Known<bool>,
    /// Whether no user can reach the old one, as `fenced` proves it. Asked where it does not answer, or takes writes.
    pub fenced: Known<bool>,
    /// What an old one that does not answer has left on disk: which of both is the newer one.
    #[serde(default = "not_recorded")]
    pub control: Known<ControlData>,
    /// Every member that is neither, by region.
    #[serde(default)]
    pub others: Vec<(String, Known<ServerFacts>)>,
    /// Regions whose member a person vouches for. Only where nobody sees anything of it does that count.
    #[serde(default)]
    pub vouched: Vec<String>,
}

/// For facts of a journal from before the field.
fn not_recorded() -> Known<ControlData> {
    Known::unknown("it was not recorded")
}

impl Facts {
    /// Whether a person vouches for the member of this region.
    pub(super) fn vouches(&self, region: &str) -> bool {
        self.vouched.iter().any(|vouched| vouched == region)
    }
}

impl Reprotect {
    pub(super) async fn see(&self, world: &World, run: &str) -> Facts {
        let scope = crate::world::postgres::Scope { keep: self.keep.clone(), run: run.to_string() };
        let postgres = &world.postgres;
        let (source, target) = (&self.pair.source, &self.pair.target);
        let (new, kept, others) = futures_util::future::join3(
            postgres.look(target, &scope),
            postgres.protection(target),
            self.pair.look_at_others(world, &self.keep, run),
        )
        .await;
        let old = postgres.look(source, &scope).await;
        let mut facts = Facts {
            left: Known::unknown("no standby yet"),
            stopped: Known::unknown("not asked: it answers"),
            fenced: Known::unknown("not asked: it takes no writes"),
            control: Known::unknown("not asked: it answers"),
            vouched: self.vouched(world),
            old,
            new,
            kept,
            others,
        };
        match &facts.old {
            Known::Known(old) if old.in_recovery() => facts.left = postgres.protection(source).await,
            // One that is only frozen needs no fence.
            Known::Known(old) if old.read_only.binds() => {}
            Known::Known(_) => facts.fenced = asked(world, self.fenced.as_ref()).await,
            Known::Unknown(_) => {
                (facts.stopped, facts.fenced, facts.control) = futures_util::future::join3(
                    self.stopped(world),
                    asked(world, self.fenced.as_ref()),
                    control(world, self.control_data.as_ref()),
                )
                .await;
            }
        }
        facts
    }

    fn vouched(&self, world: &World) -> Vec<String> {
        let members = std::iter::once(&self.pair.source).chain(&self.pair.others);
        members.filter(|at| world.fenced.contains(*at)).map(|at| at.region.clone()).collect()
    }

    async fn stopped(&self, world: &World) -> Known<bool> {
        let Some(look) = &self.look else { return Known::unknown("the member has no `look`") };
        match world.exec.look(look).await {
            Known::Known(output) if output.code == 0 => Known::Known(true),
            Known::Known(output) if output.code == 3 => Known::Known(false),
            Known::Known(output) => Known::Unknown(format!("`look` ended with {}", output.code)),
            Known::Unknown(why) => Known::Unknown(why),
        }
    }
}

async fn control(world: &World, command: Option<&Command>) -> Known<ControlData> {
    match command {
        Some(command) => ControlData::read(world, command).await,
        None => Known::unknown("the member has no `control_data`"),
    }
}
