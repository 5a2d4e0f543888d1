//! What each fault of the alphabet does to a state, and how things become well again.

use super::alphabet::Mishap;
use super::node::{Ground, Happening, Node};
use crate::engine::record::Record;
use crate::world::http::Probe;
use crate::world::postgres::Altered;
use crate::world::sim::http;
use crate::world::{Known, Member};
use std::rc::Rc;
use std::time::Duration;

/// How long a name server may go on answering from what it keeps.
const OLD: Duration = Duration::from_secs(20);

impl Node {
    /// Something goes wrong.
    pub fn suffer(&mut self, ground: &Ground, mishap: &Mishap) {
        self.mishaps += 1;
        self.idle = false;
        if let Some(name) = mishap.foreign() {
            Rc::make_mut(&mut self.foreign).insert(name);
        }
        self.only_killed &=
            matches!(mishap, Mishap::Killed | Mishap::KilledMidway(_) | Mishap::KilledBeforeReply);
        self.happened(Happening::Mishap(mishap.clone()));
        let postgres = &self.sim.postgres;
        match mishap {
            Mishap::Killed | Mishap::KilledMidway(_) | Mishap::KilledBeforeReply => self.kill(),
            Mishap::Silent(place) => self.silence(place),
            Mishap::RegionLost(region) => {
                for place in ground.places.get(region).into_iter().flatten() {
                    self.silence(place);
                }
            }
            Mishap::NoNumbers => self.sim.signals.silence(true),
            Mishap::BadNumbers => self.sim.signals.otherwise(1e12),
            Mishap::Unhealthy(at) => {
                let probe = Probe { status: Known::Known(500), ..http::healthy(20_000) };
                self.sim.http.set(&at.resource, &at.region, probe);
            }
            Mishap::OldAnswers(server) => self.sim.dns.answer_as_before(server, OLD),
            Mishap::RecordByOthers(at) => {
                // What is as it was is moved where the run may be about to move it; what is not, elsewhere.
                let (now, was) = (&self.sim.dns, &ground.start.dns);
                let ours = now.sets(&at.record, &at.server) != was.sets(&at.record, &at.server);
                now.changed_by_others(at, ours);
            }
            Mishap::SecondOperator(cluster) => {
                let (from, to) = (ground.plan.from.as_str(), ground.plan.to.as_str());
                for region in &ground.plan.clusters[cluster] {
                    postgres.steal_lock(cluster, region, "another");
                }
                postgres.frozen_by_others(cluster, from);
                postgres.promoted_by_others(cluster, to);
                let thaws = postgres.thaw_on_its_way(&Member::new(cluster, from));
                self.torn(thaws.then(|| cluster.clone()));
            }
            Mishap::SourceDied(at) => self.dies(at),
            Mishap::Restarted(at) => postgres.restart(&at.resource, &at.region),
            Mishap::LagGrows(at) => {
                postgres.with(&at.resource, &at.region, |server| server.behind += 3);
                self.tell(&at.resource, true);
            }
            Mishap::CutOff(at) => {
                let _server = postgres.with(&at.resource, &at.region, |server| server.follows = None);
                self.tell(&at.resource, true);
            }
            Mishap::PromotedByOthers(at) => {
                postgres.promoted_by_others(&at.resource, &at.region);
                // A thaw that was sent before it cannot be called back.
                let regions = &ground.plan.clusters[&at.resource];
                let thaws = |region: &String| postgres.thaw_on_its_way(&Member::new(&at.resource, region));
                let torn = regions.iter().any(thaws);
                self.torn(torn.then(|| at.resource.clone()));
            }
            Mishap::ThawedByOthers(at) | Mishap::SetByOthers(at) => {
                match mishap {
                    Mishap::SetByOthers(_) => {
                        postgres.set_by_others(&at.resource, &at.region, Altered::To("off".into()));
                    }
                    _ => postgres.thawed_by_others(&at.resource, &at.region),
                }
                let torn = self.promoting(ground, &at.resource);
                self.torn(torn.then(|| at.resource.clone()));
            }
            Mishap::StartedByOthers(at) => {
                postgres.come_back(&at.resource, &at.region);
                let torn = self.promoting(ground, &at.resource);
                // Not frozen, it takes commits at once, beside the new primary.
                self.diverged |= torn && self.sim.postgres.writable(&at.resource).contains(&at.region);
                self.torn(torn.then(|| at.resource.clone()));
            }
            Mishap::InSightAgain(at) => postgres.in_sight_again(&at.resource, &at.region),
            Mishap::WroteThroughFreeze(at) => {
                let name = format!("hostile-{}", self.mishaps);
                // Beside another primary, or one that is about to be, it is lost whatever the run does; that the run says so is what
                // counts then.
                let alone = !self.promoting(ground, &at.resource);
                if self.sim.postgres.write(&at.resource, &at.region, &name, true) {
                    match alone {
                        true => {
                            Rc::make_mut(&mut self.told).entry(at.resource.clone()).or_default().push(name)
                        }
                        false => self.diverged = true,
                    }
                }
            }
            Mishap::LockTaken(at) => postgres.steal_lock(&at.resource, &at.region, "another"),
            Mishap::AskedToStop => self.append(ground, Record::Signalled { signal: "SIGTERM".into() }),
            Mishap::GapExpired => {
                let allowed_ms = ground.plan.objectives.write_gap_ms;
                self.sim.clock.advance(Duration::from_millis(allowed_ms));
                self.append(ground, Record::Expired { allowed_ms });
            }
            Mishap::Breached(watch) | Mishap::NoData(watch) => {
                let silent = matches!(mishap, Mishap::NoData(_));
                self.append(
                    ground,
                    Record::Breached { watch: watch.clone(), silent, evidence: "as rehearsed".into() },
                );
            }
            Mishap::No | Mishap::Absent => self.denied = true,
            Mishap::Call(..) => {}
        }
        // A call may have been made whose answer is never recorded.
        self.note_seizures(ground);
    }

    /// Whether a member that was a standby is a primary by now, or a promotion is on its way.
    fn promoting(&self, ground: &Ground, cluster: &str) -> bool {
        let servers = self.sim.postgres.servers();
        let mut servers = servers.iter().filter(|(at, _)| at.resource == cluster);
        servers.any(|(at, server)| {
            let late = self.sim.postgres.promotion_on_its_way(at);
            let began = ground.start.postgres.read(&at.resource, &at.region, |server| server.recovery);
            late || server.promoting || !server.recovery && began == Some(true)
        })
    }

    fn silence(&self, place: &str) {
        self.sim.postgres.faults.silence(place);
        self.sim.dns.faults.silence(place);
        self.sim.cache.faults.silence(place);
        self.sim.exec.faults.silence(place);
        self.sim.http.silence(place);
    }

    /// Whether everything answers as it should, nothing stays behind, and nothing is on its way.
    pub(super) fn well(&self) -> bool {
        let sim = &self.sim;
        let silent = sim.postgres.faults.any_silent()
            || sim.dns.faults.any_silent()
            || sim.cache.faults.any_silent()
            || sim.exec.faults.any_silent();
        let late = sim.postgres.faults.any_late()
            || sim.dns.faults.any_late()
            || sim.cache.faults.any_late()
            || sim.exec.faults.any_late();
        let answers = !silent && sim.http.well() && sim.signals.well() && !sim.dns.keeps_old();
        answers && !late && sim.postgres.well()
    }

    /// Whatever did not answer does again, what stayed behind catches up, and what was on its way has arrived.
    pub fn calm(&mut self) {
        self.happened(Happening::Calm);
        self.sim.postgres.faults.unsilence_all();
        self.sim.dns.faults.unsilence_all();
        self.sim.cache.faults.unsilence_all();
        self.sim.exec.faults.unsilence_all();
        self.sim.http.unsilence_all();
        self.sim.signals.silence(false);
        self.sim.signals.otherwise(0.0);
        self.sim.http.heal();
        self.sim.postgres.recover();
        self.sim.postgres.free_stolen_locks();
        self.sim.clock.advance(Duration::from_secs(3600));
    }
}
