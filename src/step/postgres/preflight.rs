//! `postgres.preflight`: everything that a planned switch needs, found before the freeze and not after it.

use super::promote::leaked_freeze;
use super::{OnlyCluster, Pair, PairFacts, pair, unread};
use crate::error::Problem;
use crate::step::contract::{
    Aim, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::plausible::Sighting;
use crate::world::postgres::{Finding, Handover, VERSION};
use crate::world::{Answer, Known};
use serde::{Deserialize, Serialize};

/// A resolved preflight.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Preflight {
    pair: Pair,
    table: String,
}

/// What both sides are, and what was checked on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// Both sides.
    pub sides: PairFacts,
    /// Checks on the source.
    pub source: Known<Vec<Finding>>,
    /// Checks on the target.
    pub target: Known<Vec<Finding>>,
    /// Other members by region: whether each is in recovery.
    pub others: Vec<(String, Known<bool>)>,
}

impl Kind for Preflight {
    type Params = OnlyCluster;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "postgres.preflight",
        summary: "Checks everything that a planned switch needs: roles, rights, settings, replication, other managers.",
        changes: false,
        touches: "nothing",
        undo: "nothing to put back",
        grants: &["GRANT pg_monitor TO mrctl"],
        main: Main::Resource("cluster", "postgres"),
        place: Place::Nowhere,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::LeftOut("it checks a switch between two servers that answer"),
    };

    fn resolve(params: OnlyCluster, scope: &Scope<'_>) -> Result<Self, Problem> {
        let (pair, cluster) = pair(scope, &params.cluster)?;
        Ok(Self { pair, table: cluster.probe_table })
    }

    fn title(&self) -> String {
        format!(
            "Check that {} can move from {} to {}",
            self.pair.cluster, self.pair.source.region, self.pair.target.region
        )
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::look(Pace::new(10_000, 1_000))]
    }

    fn proves(&self) -> Option<&'static str> {
        Some("who the servers are, that there is one primary, and that the move can work")
    }

    fn resources(&self) -> Vec<String> {
        vec![self.pair.resource()]
    }

    fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
        self.pair.sightings(&facts.sides.source, &facts.sides.target)
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let postgres = &sight.world.postgres;
            let sides = self.pair.look(sight.world, &[], sight.run).await;
            let source = postgres.preflight(&self.pair.source, false, &self.table).await;
            let target = postgres.preflight(&self.pair.target, true, &self.table).await;
            let mut others = Vec::new();
            let scope = crate::world::postgres::Scope::default();
            for other in &self.pair.others {
                let facts = postgres.look(other, &scope).await;
                others.push((other.region.clone(), facts.map(|facts| facts.in_recovery())));
            }
            Facts { sides, source, target, others }
        })
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Facts,
        _aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        if let Some(old) = self.too_old(facts) {
            return Judgement::blocked(old);
        }
        let (source, target) = match (&facts.sides.source, &facts.sides.target) {
            (Known::Known(source), Known::Known(target)) => (source, target),
            (Known::Unknown(why), _) => {
                return Judgement::unknown(unread("the source", &self.pair.source, why));
            }
            (_, Known::Unknown(why)) => {
                return Judgement::unknown(unread("the target", &self.pair.target, why));
            }
        };
        if source.system != target.system {
            return Judgement::blocked(format!(
                "{} and {} are different clusters ({} and {})",
                self.pair.source, self.pair.target, source.system, target.system
            ));
        }
        let (Some(primary), Some(standby)) = (source.primary(), target.standby()) else {
            let role = |recovery: bool| if recovery { "a standby" } else { "a primary" };
            return Judgement::blocked(format!(
                "{} is {} and {} is {}: a planned run needs a primary and a standby",
                self.pair.source,
                role(source.in_recovery()),
                self.pair.target,
                role(target.in_recovery())
            ));
        };
        for (side, server) in [(&self.pair.source, source), (&self.pair.target, target)] {
            if server.read_only.hidden() {
                return Judgement::blocked(format!(
                    "default_transaction_read_only is set for mrctl's own {} in {}: a freeze could not be seen; take that setting back",
                    server.read_only.source, side.region
                ));
            }
        }
        // Found now, or in the midst of the write gap.
        if let Some(leak) = leaked_freeze(target) {
            return Judgement::blocked(format!(
                "{} would come up read-only: {leak}; on that server, ALTER SYSTEM RESET default_transaction_read_only and reload",
                self.pair.target
            ));
        }
        for (region, recovery) in &facts.others {
            match recovery {
                Known::Known(true) => {}
                Known::Known(false) => {
                    return Judgement::blocked(format!("the member in {region} is a primary too"));
                }
                Known::Unknown(why) => {
                    return Judgement::unknown(format!("the member in {region} cannot be read: {why}"));
                }
            }
        }
        match &standby.receiver {
            Known::Unknown(why) => return Judgement::unknown(format!("the target does not stream: {why}")),
            Known::Known(receiver)
                if receiver.status != "streaming" || receiver.timeline != primary.timeline =>
            {
                return Judgement::blocked(format!(
                    "the target is {} on timeline {}, the source writes timeline {}",
                    receiver.status, receiver.timeline, primary.timeline
                ));
            }
            Known::Known(_) => {}
        }
        if primary.senders.is(|senders| senders.is_empty()) {
            return Judgement::blocked("the source sends to no standby: the target follows another server");
        }
        let mut bad = Vec::new();
        let mut warned = Vec::new();
        let mut checked = 0;
        for (side, findings) in [(&self.pair.source, &facts.source), (&self.pair.target, &facts.target)] {
            let findings = match findings {
                Known::Known(findings) => findings,
                Known::Unknown(why) => return Judgement::unknown(unread("the checks", side, why)),
            };
            for finding in findings {
                checked += 1;
                if finding.fine.is(|fine| *fine) {
                    continue;
                }
                let line = in_words(finding, &side.region);
                if finding.fatal {
                    bad.push(line);
                } else {
                    warned.push(line);
                }
            }
        }
        if bad.is_empty() {
            let line = format!(
                "{checked} checks, {} warnings; timeline {}, streaming",
                warned.len(),
                primary.timeline
            );
            Judgement::reached([vec![line], warned].concat().join("; "))
        } else {
            Judgement::blocked(bad.join("; "))
        }
    }

    fn identity(&self, _effect: &str, facts: &Facts) -> Vec<(String, String)> {
        [(&self.pair.source, &facts.sides.source), (&self.pair.target, &facts.sides.target)]
            .into_iter()
            .filter_map(|(member, facts)| {
                let facts = facts.get()?;
                let at = format!("postgres/{}/{}", member.resource, member.region);
                let role = if facts.in_recovery() { "standby" } else { "primary" };
                Some([
                    (format!("{at}/system"), facts.system.clone()),
                    (format!("{at}/role"), role.to_string()),
                ])
            })
            .flatten()
            .collect()
    }
}

fn in_words(finding: &Finding, region: &str) -> String {
    format!("{} in {region}: {} ({})", finding.check, finding.seen, finding.remedy)
}

impl Preflight {
    /// A server that is too old to be asked. A look at it fails on the first thing that it does not have, and tells only that.
    fn too_old(&self, facts: &Facts) -> Option<String> {
        let sides = [(&self.pair.source, &facts.source), (&self.pair.target, &facts.target)];
        sides.into_iter().find_map(|(side, findings)| {
            let old = |found: &&Finding| found.check == VERSION && found.fine.is(|fine| !*fine);
            findings.get()?.iter().find(old).map(|old| in_words(old, &side.region))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;

    fn finding(fine: Known<bool>, fatal: bool) -> Finding {
        Finding {
            check: "promote".into(),
            fine,
            fatal,
            seen: "pg_promote: false".into(),
            remedy: "grant it".into(),
        }
    }

    fn judge(findings: Vec<Finding>, change: impl FnOnce(&mut PairFacts)) -> Judgement {
        let mut sides = PairFacts {
            source: Known::Known(examples::primary()),
            target: Known::Known(examples::standby()),
            others: vec![],
            heartbeat: None,
        };
        change(&mut sides);
        let facts =
            Facts { sides, source: Known::Known(vec![]), target: Known::Known(findings), others: vec![] };
        Preflight { pair: examples::pair(), table: "mrctl.probe".into() }.judge(
            "look",
            &facts,
            Aim::Applied,
            None,
        )
    }

    #[test]
    fn a_missing_right_is_named_with_its_remedy() {
        let judged = judge(vec![finding(Known::Known(false), true)], |_| {});
        assert_eq!(judged.standing, Standing::Blocked);
        assert_eq!(judged.evidence, "promote in us-east: pg_promote: false (grant it)");
    }

    /// Its look fails, too, on what the old server does not have: that would be a riddle.
    #[test]
    fn a_server_that_is_too_old_is_told_as_that() {
        let old = Finding { check: VERSION.into(), ..finding(Known::Known(false), true) };
        let judged = judge(vec![old], |sides| sides.target = Known::unknown("no such function"));
        assert_eq!(judged.standing, Standing::Blocked);
        assert!(judged.evidence.starts_with("version in us-east: "), "{}", judged.evidence);
    }

    #[test]
    fn a_warning_passes_and_an_unknown_does_not() {
        let warned = judge(vec![finding(Known::Known(false), false)], |_| {});
        assert_eq!(warned.standing, Standing::Reached);
        assert_eq!(
            warned.evidence,
            "1 checks, 1 warnings; timeline 1, streaming; promote in us-east: pg_promote: false (grant it)"
        );
        assert_eq!(judge(vec![finding(Known::unknown("denied"), true)], |_| {}).standing, Standing::Blocked);
        let silent = judge(vec![], |sides| sides.target = Known::unknown("no answer"));
        assert_eq!(silent.standing, Standing::Unknown);
    }

    #[test]
    fn a_freeze_that_was_left_on_the_target_is_found_before_anything_is_frozen() {
        let judged = judge(vec![], |sides| {
            let Known::Known(target) = &mut sides.target else { unreachable!() };
            (target.read_only.on, target.read_only.source) = (true, "configuration file".into());
        });
        assert_eq!(judged.standing, Standing::Blocked);
        assert!(judged.evidence.contains("would come up read-only"), "{}", judged.evidence);
    }

    #[test]
    fn a_setting_of_our_own_role_hides_the_freeze_and_blocks() {
        let judged = judge(vec![], |sides| {
            let Known::Known(source) = &mut sides.source else { unreachable!() };
            source.read_only.source = "user".into();
        });
        assert_eq!(judged.standing, Standing::Blocked);
        assert!(judged.evidence.contains("mrctl's own user"), "{}", judged.evidence);
    }

    #[test]
    fn roles_must_be_primary_and_standby() {
        let turned = judge(vec![], |sides| std::mem::swap(&mut sides.source, &mut sides.target));
        assert_eq!(turned.standing, Standing::Blocked);
    }
}
