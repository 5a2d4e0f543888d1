//! Whether a source that does not answer is dead: what each vantage point says of it. Silence is not death, and one that says that it
//! lives outweighs all others.

use super::Pair;
use crate::step::contract::Judgement;
use crate::world::Known;
use crate::world::postgres::{NO_RECEIVER, REFUSES, ServerFacts};

/// Milliseconds without a word from the primary for which a receiver that streams still says that it lives: an idle primary sends a
/// keepalive after half of `wal_sender_timeout`, 30 s by default (documentation of PostgreSQL 15, 20.6).
const HEARD_MS: u64 = 30_000;

/// What one vantage point says of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It runs.
    Alive(String),
    /// It is not there.
    Dead(String),
    /// Nothing that can be told.
    Unknown(String),
}

/// What everyone who could know says: our own look, each standby's receiver, and whoever looks from where users come from.
pub fn evidence(
    pair: &Pair,
    source: &Known<ServerFacts>,
    standbys: &[(String, Known<ServerFacts>)],
    fenced: &Known<bool>,
) -> Vec<Says> {
    let own = match (answers(source), source) {
        (Some(how), _) => Says::Alive(format!("it {how}")),
        (None, Known::Unknown(why)) => Says::Unknown(format!("not seen from here: {why}")),
        (None, Known::Known(_)) => Says::Unknown("not seen from here".into()),
    };
    let cluster = standbys.iter().find_map(|(region, facts)| {
        facts.get().filter(|_| *region == pair.target.region).map(|facts| facts.system.clone())
    });
    let receivers = standbys.iter().map(|(region, facts)| match facts {
        Known::Unknown(why) => Says::Unknown(format!("{region} cannot be asked: {why}")),
        Known::Known(facts) if cluster.as_ref().is_some_and(|system| *system != facts.system) => {
            Says::Unknown(format!("{region} belongs to another cluster, {}", facts.system))
        }
        Known::Known(facts) => match facts.standby().map(|standby| &standby.receiver) {
            None => Says::Alive(format!("{region} is a primary itself")),
            Some(Known::Known(receiver)) if receiver.silent_ms <= HEARD_MS => {
                Says::Alive(format!("{region} heard from it {} s ago", receiver.silent_ms / 1000))
            }
            Some(Known::Known(receiver)) => {
                Says::Unknown(format!("{region} has heard nothing for {} s", receiver.silent_ms / 1000))
            }
            Some(Known::Unknown(why)) if why == NO_RECEIVER => {
                Says::Dead(format!("{region} is not connected to it"))
            }
            Some(Known::Unknown(why)) => Says::Unknown(format!("{region}: {why}")),
        },
    });
    let users = match fenced {
        Known::Known(true) => Says::Dead("no user can reach it".into()),
        Known::Known(false) => Says::Alive("users can reach it".into()),
        Known::Unknown(why) => Says::Unknown(format!("whether users can reach it: {why}")),
    };
    std::iter::once(own).chain(receivers).chain(std::iter::once(users)).collect()
}

/// What it does, if it answers at all: one that lets nobody in is there, too.
pub(super) fn answers(source: &Known<ServerFacts>) -> Option<String> {
    match source {
        Known::Known(facts) if facts.in_recovery() => Some("answers, and is a standby".into()),
        Known::Known(_) => Some("answers".into()),
        Known::Unknown(why) => {
            why.contains(REFUSES).then(|| why[why.find(REFUSES).unwrap_or(0)..].to_string())
        }
    }
}

/// What it amounts to: `not_reached` where the fence may go on.
pub fn weigh(pair: &Pair, evidence: &[Says]) -> Judgement {
    let of = |wanted: fn(&Says) -> Option<&String>| {
        let lines: Vec<&str> = evidence.iter().filter_map(wanted).map(String::as_str).collect();
        lines.join("; ")
    };
    let alive = of(|says| if let Says::Alive(why) = says { Some(why) } else { None });
    let dead = of(|says| if let Says::Dead(why) = says { Some(why) } else { None });
    let unknown = of(|says| if let Says::Unknown(why) = says { Some(why) } else { None });
    if !alive.is_empty() {
        return Judgement::blocked(format!(
            "{} lives: {alive}. Move it with a planned failover, from where it can be reached",
            pair.source
        ));
    }
    if dead.is_empty() {
        return Judgement::unknown(format!(
            "nobody but mrctl misses {}: that may be its own network. {unknown}",
            pair.source
        ));
    }
    let rest = if unknown.is_empty() { String::new() } else { format!(". Unknown: {unknown}") };
    Judgement::not_reached(format!("{} is missed: {dead}{rest}", pair.source))
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;

    fn silent() -> Known<ServerFacts> {
        Known::unknown("no answer")
    }

    fn heard(ago: Option<u64>) -> Known<ServerFacts> {
        let mut facts = examples::standby();
        let receiver = &mut examples::standby_of(&mut facts).receiver;
        match (ago, &mut *receiver) {
            (Some(ago), Known::Known(row)) => row.silent_ms = ago,
            _ => *receiver = Known::unknown(NO_RECEIVER),
        }
        Known::Known(facts)
    }

    fn standing(
        source: &Known<ServerFacts>,
        standbys: &[Known<ServerFacts>],
        fenced: &Known<bool>,
    ) -> Standing {
        let pair = examples::pair();
        let standbys: Vec<_> = standbys.iter().map(|one| ("us-east".to_string(), one.clone())).collect();
        weigh(&pair, &evidence(&pair, source, &standbys, fenced)).standing
    }

    #[test]
    fn one_who_sees_it_alive_outweighs_everyone_who_misses_it() {
        let nobody = Known::unknown("no answer");
        let lives = Standing::Blocked;
        let full = Known::Unknown(format!("10.0.0.1:5432 {REFUSES}too many clients (53300)"));
        assert_eq!(standing(&full, &[heard(None)], &nobody), lives);
        assert_eq!(standing(&Known::Known(examples::primary()), &[heard(None)], &Known::Known(true)), lives);
        assert_eq!(standing(&silent(), &[heard(None), heard(Some(900))], &Known::Known(true)), lives);
        assert_eq!(standing(&silent(), &[heard(None)], &Known::Known(false)), lives);
        assert_eq!(standing(&silent(), &[Known::Known(examples::primary())], &nobody), lives);
    }

    #[test]
    fn silence_is_death_only_where_somebody_else_misses_it_too() {
        let nobody = Known::unknown("no answer");
        assert_eq!(standing(&silent(), &[silent()], &nobody), Standing::Unknown);
        assert_eq!(standing(&silent(), &[heard(Some(HEARD_MS + 1))], &nobody), Standing::Unknown);
        assert_eq!(standing(&silent(), &[heard(None)], &nobody), Standing::NotReached);
        assert_eq!(standing(&silent(), &[silent()], &Known::Known(true)), Standing::NotReached);
        let hidden = Known::Known({
            let mut facts = examples::standby();
            examples::standby_of(&mut facts).receiver = Known::unknown("the role lacks pg_monitor");
            facts
        });
        assert_eq!(standing(&silent(), &[hidden], &nobody), Standing::Unknown);
    }
}
