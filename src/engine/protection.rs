//! Whether a second failure would lose data: from the databases alone, with or without a run.

use super::survey::ClusterNow;
use crate::world::Known;
use crate::world::postgres::{PrimaryFacts, Sender, ServerFacts};

/// For how long a receiver may hear nothing: the usual `wal_receiver_timeout`. On a primary that is idle it hears something when it asks, after half
/// of that; one that is set to wait longer, or for ever, is not known to be cut off. Milliseconds.
const SILENT_MS: u64 = 60_000;

impl ClusterNow {
    /// The primary: that of the newest timeline, should an old one be back.
    fn newest(&self) -> Option<(&ServerFacts, &PrimaryFacts)> {
        let primaries = self.members.values().filter_map(Known::get);
        primaries
            .filter_map(|facts| Some((facts, facts.primary()?)))
            .max_by_key(|(_, primary)| primary.timeline)
    }

    /// Why no standby could take over from the primary; nothing if one could.
    ///
    /// That somebody receives the log is not enough (a backup does, too): a member has to be seen that follows the primary's timeline,
    /// and nothing may keep it from being promoted.
    pub fn exposed(&self) -> Known<Option<String>> {
        let Some((facts, primary)) = self.newest() else { return Known::unknown("no primary was seen") };
        let streaming: Vec<&Sender> = match &primary.senders {
            Known::Known(senders) => senders.iter().filter(|sender| sender.state == "streaming").collect(),
            Known::Unknown(why) => return Known::Unknown(why.clone()),
        };
        if streaming.is_empty() {
            return Known::Known(Some("no standby follows the primary".into()));
        }
        // What only takes the log (`pg_receivewal`, the stream of a base backup) never says how far it has replayed, and a standby that has
        // just connected not yet.
        if !streaming.iter().any(|sender| sender.replayed.get().is_some()) {
            return Known::unknown("nobody who receives the primary's log says how far it has replayed");
        }
        let mut reasons = Vec::new();
        let (mut unseen, mut silent) = (Vec::new(), Vec::new());
        for (region, member) in &self.members {
            match member {
                Known::Unknown(_) => unseen.push(region.as_str()),
                Known::Known(member) if member.primary().is_some() => {}
                Known::Known(member)
                    if why_not(facts, primary, member).is_none() && silence(member).is_some() =>
                {
                    silent.extend(
                        silence(member).map(|seconds| format!("{region} has heard nothing for {seconds} s")),
                    );
                }
                Known::Known(member) => match why_not(facts, primary, member) {
                    Some(why) => reasons.push(format!("{region}: {why}")),
                    None => return Known::Known(None),
                },
            }
        }
        if !unseen.is_empty() {
            let unseen = unseen.join(" and ");
            return Known::Unknown(format!("a standby follows, and {unseen} cannot be seen"));
        }
        if !silent.is_empty() {
            return Known::Unknown(silent.join("; "));
        }
        match reasons.is_empty() {
            true => Known::Known(Some("whoever follows the primary is no member of the inventory".into())),
            false => Known::Known(Some(format!("no standby could take over ({})", reasons.join("; ")))),
        }
    }

    /// Why the member of this region could not take over from the primary, if it could not, or if that cannot be told.
    pub fn cannot_take_over(&self, region: &str) -> Option<String> {
        let Some((facts, primary)) = self.newest() else { return Some("no primary was seen".into()) };
        match self.members.get(region) {
            None => Some("it has no member".into()),
            Some(Known::Unknown(why)) => Some(format!("it cannot be seen: {why}")),
            Some(Known::Known(member)) if member.primary().is_some() => Some("it is a primary itself".into()),
            Some(Known::Known(member)) => why_not(facts, primary, member),
        }
    }
}

/// For how long a standby's receiver has heard nothing, where that is suspicious: one whose connection is gone without a word says `streaming`
/// until its own limit, if it has one. Seconds.
fn silence(member: &ServerFacts) -> Option<u64> {
    let receiver = member.standby()?.receiver.get()?;
    (receiver.silent_ms > SILENT_MS).then_some(receiver.silent_ms / 1_000)
}

/// Why a standby could not take over from this primary.
fn why_not(facts: &ServerFacts, primary: &PrimaryFacts, member: &ServerFacts) -> Option<String> {
    if member.system != facts.system {
        return Some(format!("another cluster, {}", member.system));
    }
    let standby = member.standby()?;
    match &standby.receiver {
        Known::Unknown(why) => return Some(why.clone()),
        Known::Known(receiver) if receiver.status != "streaming" => {
            return Some(format!("its receiver is {}", receiver.status));
        }
        Known::Known(receiver) if receiver.timeline != primary.timeline => {
            return Some(format!(
                "it receives timeline {}, the primary writes {}",
                receiver.timeline, primary.timeline
            ));
        }
        Known::Known(_) => {}
    }
    member.unfit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::postgres::examples;
    use crate::world::postgres::{Altered, NO_RECEIVER, Sender};
    use std::collections::BTreeMap;

    fn now(members: [(&str, Known<ServerFacts>); 2]) -> ClusterNow {
        let members: BTreeMap<_, _> =
            members.into_iter().map(|(region, facts)| (region.to_string(), facts)).collect();
        ClusterNow { members }
    }

    fn exposed(change: impl Fn(&mut ServerFacts, &mut ServerFacts)) -> Known<Option<String>> {
        let (mut primary, mut standby) = (examples::primary(), examples::standby());
        change(&mut primary, &mut standby);
        now([("eu-west", Known::Known(primary)), ("us-east", Known::Known(standby))]).exposed()
    }

    #[test]
    fn a_standby_that_streams_and_could_be_promoted_protects() {
        assert_eq!(exposed(|_, _| {}), Known::Known(None));
    }

    #[test]
    fn whoever_could_not_take_over_does_not() {
        type Change = fn(&mut ServerFacts, &mut ServerFacts);
        let table: &[(&str, Change)] = &[
            ("no standby follows", |primary, _| {
                examples::primary_of(primary).senders = Known::Known(vec![]);
            }),
            ("no standby follows", |primary, _| {
                let copy = Sender {
                    name: "pg_basebackup".into(),
                    state: "backup".into(),
                    replayed: Known::unknown("no"),
                    flushed: Known::unknown("no"),
                    sync: "async".into(),
                };
                examples::primary_of(primary).senders = Known::Known(vec![copy]);
            }),
            ("no receiver runs", |_, standby| {
                examples::standby_of(standby).receiver = Known::unknown(NO_RECEIVER);
            }),
            ("the primary writes 2", |primary, _| examples::primary_of(primary).timeline = 2),
            ("replay is paused", |_, standby| examples::standby_of(standby).replay = "paused".into()),
            ("late on purpose", |_, standby| examples::standby_of(standby).apply_delay_ms = 1),
            ("would end it", |_, standby| {
                examples::standby_of(standby).recovery_targets = vec!["recovery_target = immediate".into()];
            }),
            ("read-only", |_, standby| {
                standby.read_only.on = true;
                standby.read_only.altered = Known::Known(Altered::To("on".into()));
            }),
            ("another cluster", |_, standby| standby.system = "7302".into()),
        ];
        // Not known to be none: one that only takes the log, or has just connected; an idle primary, or a connection that is gone.
        let doubtful: &[(&str, Change)] = &[
            ("how far it has replayed", |primary, _| {
                let Known::Known(senders) = &mut examples::primary_of(primary).senders else { return };
                for sender in senders {
                    sender.replayed = Known::unknown("no");
                }
            }),
            ("heard nothing for 90 s", |_, standby| {
                let receiver = &mut examples::standby_of(standby).receiver;
                let Known::Known(receiver) = receiver else { return };
                receiver.silent_ms = 90_000;
            }),
        ];
        for (word, change) in doubtful {
            let seen = exposed(*change);
            assert!(seen.why().is_some_and(|why| why.contains(word)), "{word}: {seen:?}");
        }
        for (word, change) in table {
            let Known::Known(Some(why)) = exposed(change) else { panic!("{word}: {:?}", exposed(change)) };
            assert!(why.contains(word), "{word}: {why}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_unknown_and_an_old_primary_does_not_count() {
        let hidden = exposed(|primary, _| {
            examples::primary_of(primary).senders = Known::unknown("the role lacks pg_monitor");
        });
        assert_eq!(hidden, Known::unknown("the role lacks pg_monitor"));
        let silent = || Known::unknown("no answer");
        let seen = Known::Known(examples::primary());
        assert!(now([("eu-west", seen.clone()), ("us-east", silent())]).exposed().get().is_none());
        assert!(now([("eu-west", silent()), ("us-east", silent())]).exposed().get().is_none());
        // The one that came back has a standby of its own; the one that was promoted has none.
        let mut promoted = examples::primary();
        examples::primary_of(&mut promoted).timeline = 2;
        examples::primary_of(&mut promoted).senders = Known::Known(vec![]);
        let back = now([("eu-west", seen), ("us-east", Known::Known(promoted))]);
        assert!(back.exposed().is(Option::is_some));
    }
}
