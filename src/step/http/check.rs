//! `http.check`: an endpoint answers in a region as users expect, asked there whatever DNS says.

use crate::error::{Code, Problem};
use crate::language::units::Period;
use crate::step::contract::{
    Aim, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::dns::missing;
use crate::step::scope::Scope;
use crate::world::http::Probe;
use crate::world::postgres::Handover;
use crate::world::{Answer, Known, Member};
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most requests of one look.
const MOST: u32 = 100;
/// Requests under way at once.
const TOGETHER: usize = 10;
/// Fewest requests that a 95th percentile means something for.
const FOR_P95: u32 = 20;

/// An endpoint answers as users expect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HttpCheck")]
pub struct Params {
    /// The endpoint's name in the inventory.
    pub endpoint: String,
    /// Requests of one look; 3 if not given, 20 with `p95`.
    #[serde(default)]
    pub samples: Option<u32>,
    /// How many of them must be answered as expected; all if not given.
    #[serde(default)]
    pub passes: Option<u32>,
    /// Longest time within which 95 of 100 answers must come. A request without answer counts as longer than any.
    #[serde(default)]
    pub p95: Option<Period>,
    /// How long it must stay so without a break.
    #[serde(default, rename = "for")]
    pub hold: Option<Period>,
}

/// A resolved check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Check {
    endpoint: Member,
    url: String,
    status: u16,
    samples: u32,
    passes: u32,
    p95_us: Option<u64>,
    hold_ms: u64,
}

/// The answers of one look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// In the order in which they were asked for. Only the first, if that one got no answer.
    pub probes: Vec<Probe>,
}

impl Check {
    /// The time within which 95 of 100 requests were answered, by nearest rank; `None` if that rank got no answer.
    fn p95(&self, facts: &Facts) -> Option<u64> {
        let mut times: Vec<Option<u64>> =
            facts.probes.iter().map(|probe| probe.latency_us.get().copied()).collect();
        // No answer is longer than any answer.
        times.sort_by_key(|time| time.unwrap_or(u64::MAX));
        let rank = (times.len() * 95).div_ceil(100).max(1);
        times.get(rank - 1).copied().flatten()
    }
}

/// What is wrong with a probe, at the first stage that failed.
fn finding(probe: &Probe, status: u16) -> String {
    let place = probe.address.get().map_or("", String::as_str);
    let stage = match (&probe.connected, &probe.tls, &probe.status, &probe.body) {
        (Known::Known(false), ..) => "no connection".to_owned(),
        (_, Known::Known(false), ..) => "TLS".to_owned(),
        (_, _, Known::Known(seen), _) if *seen != status => format!("status {seen} instead of {status}"),
        (.., Known::Known(false)) => "body".to_owned(),
        _ => "no answer".to_owned(),
    };
    let detail = match probe.trouble.as_str() {
        "" => String::new(),
        trouble if trouble.starts_with(&stage) => {
            trouble[stage.len()..].trim_start_matches(':').trim().to_owned()
        }
        trouble => trouble.to_owned(),
    };
    let detail = if detail.is_empty() { detail } else { format!(" ({detail})") };
    if place.is_empty() { format!("{stage}{detail}") } else { format!("{stage}{detail} at {place}") }
}

/// Whether a probe tells anything: silence at every stage does not.
fn tells(probe: &Probe) -> bool {
    probe.connected.get().is_some() || probe.status.get().is_some()
}

impl Check {
    /// What it asks.
    pub fn endpoint(&self) -> &Member {
        &self.endpoint
    }
}

impl Kind for Check {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "http.check",
        summary: "Asks an endpoint in a region as users would, whatever DNS says: connection, certificate, status, body, time.",
        changes: false,
        touches: "nothing; sends GET requests",
        undo: "nothing to put back",
        grants: &[],
        main: Main::Resource("endpoint", "endpoints"),
        place: Place::To,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let Some(endpoint) = scope.directory.endpoint(&params.endpoint) else {
            return Err(missing(scope, "endpoints", "endpoint", &params.endpoint));
        };
        if !endpoint.regions.iter().any(|region| region == scope.region) {
            let message = format!("the endpoint {} has no address in {}", endpoint.name, scope.region);
            return Err(Problem::error(Code::BadValue, message)
                .help(format!("it has addresses in {}", endpoint.regions.join(", "))));
        }
        let samples = params.samples.unwrap_or(if params.p95.is_some() { FOR_P95 } else { 3 });
        let passes = params.passes.unwrap_or(samples);
        let bad = |message: String| Err(Problem::error(Code::BadValue, message));
        if samples == 0 || samples > MOST {
            return bad(format!("`samples` is between 1 and {MOST}"));
        }
        if passes == 0 || passes > samples {
            return bad(format!("`passes` is between 1 and `samples` ({samples})"));
        }
        if params.p95.is_some() && samples < FOR_P95 {
            return bad(format!("`p95` needs at least {FOR_P95} `samples`"));
        }
        Ok(Self {
            endpoint: Member::new(endpoint.name, scope.region),
            url: endpoint.url,
            status: endpoint.status,
            samples,
            passes,
            p95_us: params.p95.map(|p95| p95.millis().saturating_mul(1000)),
            hold_ms: params.hold.map_or(0, Period::millis),
        })
    }

    fn title(&self) -> String {
        format!("Check that {} answers in {}", self.url, self.endpoint.region)
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::look(Pace { within_ms: 60_000 + self.hold_ms, every_ms: 2_000, hold_ms: self.hold_ms })]
    }

    fn resources(&self) -> Vec<String> {
        Vec::new()
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        Box::pin(async move {
            let http = &sight.world.http;
            let first = http.probe(&self.endpoint).await;
            let answered = first.status.get().is_some();
            let mut probes = vec![first];
            // Asking a silent endpoint again and again would make one look as long as all its limits together.
            if answered {
                let mut left = usize::try_from(self.samples - 1).unwrap_or(0);
                while left > 0 {
                    let now = left.min(TOGETHER);
                    probes.extend(join_all((0..now).map(|_| http.probe(&self.endpoint))).await);
                    left -= now;
                }
            }
            Facts { probes }
        })
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Facts,
        _aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        let asked = facts.probes.len();
        let passed = facts.probes.iter().filter(|probe| probe.passed(self.status)).count();
        let enough = usize::try_from(self.passes).is_ok_and(|passes| passed >= passes);
        let p95 = self.p95(facts);
        if !enough {
            let Some(failed) = facts.probes.iter().find(|probe| !probe.passed(self.status)) else {
                return Judgement::not_reached(format!(
                    "{passed} of {asked} answers, {} are wanted",
                    self.passes
                ));
            };
            let evidence =
                format!("{passed} of {asked} answers as expected: {}", finding(failed, self.status));
            return if facts.probes.iter().any(tells) {
                Judgement::not_reached(evidence)
            } else {
                Judgement::unknown(evidence)
            };
        }
        let time = p95.map_or("without answer".to_owned(), |us| format!("{} ms", us.div_ceil(1000)));
        let evidence = format!("{passed} of {asked} answers {} in {}", self.status, self.endpoint.region);
        match self.p95_us {
            Some(most) if p95.is_none_or(|us| us > most) => {
                Judgement::not_reached(format!("{evidence}, but p95 is {time} instead of {} ms", most / 1000))
            }
            Some(_) => Judgement::reached(format!("{evidence}, p95 {time}{}", certificate(facts))),
            None => {
                Judgement::reached(format!("{evidence}, slowest {}{}", slowest(facts), certificate(facts)))
            }
        }
    }
}

/// How long the certificate is still good for; nothing if none was seen.
fn certificate(facts: &Facts) -> String {
    let days = facts.probes.iter().filter_map(|probe| probe.certificate_days.get()).min();
    match days {
        None => String::new(),
        Some(1) => ", certificate good for 1 day".into(),
        // An exact number would be no news.
        Some(730..) => ", certificate good for years".into(),
        Some(days) => format!(", certificate good for {days} days"),
    }
}

fn slowest(facts: &Facts) -> String {
    let slowest = facts.probes.iter().filter_map(|probe| probe.latency_us.get()).max();
    slowest.map_or("unknown".into(), |us| format!("{} ms", us.div_ceil(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Standing;
    use crate::step::condition::Starts;
    use crate::step::testing::at_once;
    use crate::world::sim::http::{healthy, silent};
    use crate::world::sim::two_regions;

    fn check() -> Check {
        Check {
            endpoint: Member::new("shop", "us-east"),
            url: "https://www.example.com/healthz".into(),
            status: 200,
            samples: 3,
            passes: 2,
            p95_us: None,
            hold_ms: 0,
        }
    }

    fn judged(check: &Check, probes: Vec<Probe>) -> Judgement {
        check.judge("look", &Facts { probes }, Aim::Applied, None)
    }

    #[test]
    fn each_stage_is_a_finding_of_its_own() {
        let fine = || healthy(20_000);
        let refused = Probe {
            connected: Known::Known(false),
            status: Known::unknown("x"),
            trouble: "no connection: Connection refused".into(),
            ..fine()
        };
        let expired = Probe {
            tls: Known::Known(false),
            status: Known::unknown("x"),
            trouble: "the certificate has expired".into(),
            ..fine()
        };
        let busy = Probe { status: Known::Known(503), ..fine() };
        let other = Probe {
            body: Known::Known(false),
            trouble: "header x-region is `eu`, not `us`".into(),
            ..fine()
        };
        let cases = [
            (
                vec![fine(), fine(), fine()],
                Standing::Reached,
                "3 of 3 answers 200 in us-east, slowest 20 ms, certificate good for 90 days",
            ),
            (vec![fine(), busy.clone(), fine()], Standing::Reached, "2 of 3"),
            (vec![refused], Standing::NotReached, "no connection (Connection refused) at 192.0.2.1:443"),
            (vec![expired], Standing::NotReached, "TLS (the certificate has expired) at"),
            (vec![fine(), busy.clone(), busy], Standing::NotReached, "status 503 instead of 200"),
            (
                vec![fine(), other.clone(), other],
                Standing::NotReached,
                "body (header x-region is `eu`, not `us`)",
            ),
            (vec![silent("no answer in time")], Standing::Unknown, "no answer (in time)"),
        ];
        for (probes, standing, words) in cases {
            let judged = judged(&check(), probes);
            assert_eq!(judged.standing, standing, "{}", judged.evidence);
            assert!(judged.evidence.contains(words), "{} / {words}", judged.evidence);
        }
    }

    #[test]
    fn no_answer_is_longer_than_any_answer() {
        let check = Check { samples: 20, passes: 18, p95_us: Some(100_000), ..check() };
        let mut probes = vec![healthy(50_000); 20];
        assert_eq!(judged(&check, probes.clone()).standing, Standing::Reached);
        probes[0] = silent("no answer in time");
        assert_eq!(judged(&check, probes.clone()).standing, Standing::Reached, "rank 19 of 20 is answered");
        probes[1] = silent("no answer in time");
        let judged = judged(&check, probes);
        assert_eq!(judged.standing, Standing::NotReached);
        assert!(judged.evidence.contains("p95 is without answer instead of 100 ms"), "{}", judged.evidence);
    }

    #[test]
    fn one_poll_asks_in_the_region_and_stops_at_silence() {
        let sim = two_regions();
        let world = sim.world();
        let starts = Starts::default();
        let sight = Sight { world: &world, run: "", starts: &starts };
        let facts = at_once(check().observe("look", sight));
        assert_eq!(facts.probes.len(), 3);
        assert_eq!((sim.http.asked("shop", "us-east"), sim.http.asked("shop", "eu-west")), (3, 0));
        sim.http.set("shop", "us-east", silent("no answer in time"));
        assert_eq!(at_once(check().observe("look", sight)).probes.len(), 1);
    }
}
