//! Who writes the heartbeats of one cluster: to the only server that takes writes, and never to an old primary.

use crate::world::postgres::heartbeat::{Beat, Missed};
use crate::world::postgres::{PrimaryFacts, Scope};
use crate::world::real::clock::wall;
use crate::world::real::postgres::remembered::Writer;
use crate::world::{Known, Member, World};

/// After so many heartbeats at one server all are looked at again: another may have become a primary.
const AGAIN: u32 = 10;

/// A server that takes writes.
#[derive(Clone)]
struct Seat {
    region: String,
    system: String,
    timeline: u32,
}

/// Who writes the heartbeats of one cluster.
pub struct Heart<'a> {
    world: &'a World,
    cluster: String,
    regions: Vec<String>,
    /// Where the last one was acknowledged, and for how many more no other is looked at.
    seat: Option<(Seat, u32)>,
    writer: Writer,
}

impl<'a> Heart<'a> {
    /// Nothing is written yet.
    pub fn new(world: &'a World, cluster: &str, regions: Vec<String>, writer: Writer) -> Self {
        Self { world, cluster: cluster.into(), regions, seat: None, writer }
    }

    /// The cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Writes one. Why not, if it was not acknowledged.
    pub async fn beat(&mut self) -> Result<Beat, Missed> {
        let (seat, more) = match self.seat.take() {
            Some((seat, more)) if more > 0 => (seat, more - 1),
            _ => (self.primary().await?, AGAIN),
        };
        let mut beat = self.once(&seat).await;
        if beat == Err(Missed::Behind) {
            self.writer.anew();
            beat = self.once(&seat).await;
        }
        let beat = beat?;
        self.seat = Some((seat, more));
        // Acknowledged, and not remembered: nobody may count on it.
        let kept = self.writer.remember(beat).await;
        kept.map_err(|error| Missed::Failed(format!("it cannot be remembered: {error}")))
    }

    async fn once(&mut self, seat: &Seat) -> Result<Beat, Missed> {
        let turn = self.writer.next(wall().0, &seat.system, seat.timeline);
        // Noted before it is sent: should this be dropped in the middle, it was not acknowledged.
        self.writer.miss(turn.number);
        let beat = self.world.postgres.beat(&Member::new(&self.cluster, &seat.region), &turn).await;
        if beat.is_ok() {
            self.writer.acknowledged(turn.number);
        }
        beat
    }

    /// The only server that takes writes.
    async fn primary(&self) -> Result<Seat, Missed> {
        let scope = Scope::default();
        let members: Vec<Member> =
            self.regions.iter().map(|region| Member::new(&self.cluster, region)).collect();
        let looks = members.iter().map(|member| self.world.postgres.look(member, &scope));
        let seen = futures_util::future::join_all(looks).await;
        let (mut writable, mut frozen, mut why) = (Vec::new(), false, Vec::new());
        for (member, seen) in members.iter().zip(&seen) {
            match seen {
                Known::Unknown(unknown) => why.push(format!("{}: {unknown}", member.region)),
                Known::Known(facts) => match facts.primary() {
                    None => {}
                    Some(_) if facts.read_only.on => frozen = true,
                    Some(PrimaryFacts { timeline, .. }) => writable.push(Seat {
                        region: member.region.clone(),
                        system: facts.system.clone(),
                        timeline: *timeline,
                    }),
                },
            }
        }
        match writable.as_slice() {
            [seat] => match self.writer.last() {
                // A newer one may be out of our sight.
                Some(last) if last.system == seat.system && last.timeline > seat.timeline => {
                    Err(Missed::Failed(format!(
                        "{} is a primary of timeline {}, and heartbeats were acknowledged on timeline {}: an old primary",
                        seat.region, seat.timeline, last.timeline
                    )))
                }
                _ => Ok(seat.clone()),
            },
            [] if frozen => Err(Missed::ReadOnly),
            [] if why.is_empty() => Err(Missed::Failed("no member is a primary".into())),
            [] => Err(Missed::Failed(format!("no primary is seen ({})", why.join("; ")))),
            // Which of them is the right one is not for a heartbeat to decide.
            many => {
                let regions: Vec<&str> = many.iter().map(|seat| seat.region.as_str()).collect();
                Err(Missed::Failed(format!("two primaries: {} take writes", regions.join(" and "))))
            }
        }
    }
}

/// Why one was missed.
pub fn in_words(missed: &Missed) -> String {
    match missed {
        Missed::ReadOnly => "the primary takes no writes: it is frozen, or a standby by now".into(),
        Missed::Another => "another server answers there than a moment ago".into(),
        Missed::Behind => "its new row has a number already".into(),
        Missed::Failed(why) => why.clone(),
    }
}
