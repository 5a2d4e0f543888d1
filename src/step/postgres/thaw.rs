//! Taking a freeze back: what stood before stands again, unless that is not ours to do, or would make a second primary.

use super::freeze::Facts;
use super::{forbids_writing, second_primary};
use crate::step::contract::{Judgement, Remark};
use crate::world::Known;
use crate::world::postgres::{Altered, ReadOnly};

pub(super) const LEFT_ALONE: &str =
    "somebody else changed default_transaction_read_only since; it was left alone";

/// Whether what `ALTER SYSTEM` holds is neither the freeze nor `expected`.
pub(super) fn foreign(now: &ReadOnly, expected: &Altered) -> bool {
    now.altered.is(|now| now != expected && *now != Altered::To("on".into()))
}

/// Whether the source is as it was before the freeze.
pub(super) fn judge(facts: &Facts, prior: &Facts) -> Judgement {
    let source = match &facts.source {
        Known::Known(source) => source,
        Known::Unknown(why) => return Judgement::unknown(format!("the source could not be read: {why}")),
    };
    let before = match &prior.source {
        Known::Known(before) => before,
        Known::Unknown(why) => {
            return Judgement::unknown(format!("the value before was not known: {why}"));
        }
    };
    if source.system != before.system {
        return Judgement::blocked("the address points to another cluster now");
    }
    if source.ours.is(|ours| !ours.is_empty()) {
        return Judgement::moving("a session of ours is still at work");
    }
    // Whoever thawed it: with another primary that is not how it was.
    if !source.in_recovery()
        && !source.read_only.on
        && let Some(two) = second_primary(&facts.others)
    {
        return two;
    }
    if source.in_recovery() && !before.in_recovery() {
        return Judgement::blocked(
            "the source is a standby by now: nobody can write there, whatever its setting is",
        );
    }
    if source.read_only.altered == before.read_only.altered && source.read_only.on == before.read_only.on {
        return Judgement::reached("writes are possible as before");
    }
    if let Known::Unknown(why) = &source.read_only.altered {
        return Judgement::unknown(format!("what ALTER SYSTEM holds cannot be seen: {why}"));
    }
    // The value that stood before, and yet not what was in force then, is nobody's to take back either.
    if foreign(&source.read_only, &Altered::To("on".into())) {
        return Judgement::reached(LEFT_ALONE).with_remark(Remark::ForeignChange);
    }
    if let Some(forbidden) = forbids_writing(&facts.others) {
        return forbidden;
    }
    Judgement::not_reached("frozen by us; every other member is a standby")
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;
    use crate::step::Standing;
    use crate::world::postgres::ServerFacts;

    fn facts(source: ServerFacts, other: Known<bool>) -> Facts {
        Facts {
            source: Known::Known(source),
            target: Known::unknown("not looked at"),
            others: vec![("us-east".into(), other)],
        }
    }

    #[test]
    fn it_is_unfrozen_only_when_every_other_member_is_seen_in_recovery() {
        let prior = facts(examples::primary(), Known::Known(true));
        let ours = |other| facts(examples::frozen(), other);
        assert_eq!(judge(&ours(Known::Known(true)), &prior).standing, Standing::NotReached);
        assert_eq!(judge(&ours(Known::Known(false)), &prior).standing, Standing::Blocked);
        assert_eq!(judge(&ours(Known::unknown("no answer")), &prior).standing, Standing::Unknown);
        assert_eq!(judge(&prior, &prior).standing, Standing::Reached);
        // Thawed by whomever, while another one was promoted.
        let two = facts(examples::primary(), Known::Known(false));
        assert_eq!(judge(&two, &prior).standing, Standing::Blocked);
    }

    #[test]
    fn a_value_of_somebody_else_is_left_alone_and_reported() {
        let prior = facts(examples::primary(), Known::Known(true));
        let mut source = examples::frozen();
        source.read_only.altered = Known::Known(Altered::To("off".into()));
        let judged = judge(&facts(source, Known::Known(true)), &prior);
        // `off` is what was effective before, but not what stood in the file: it is not ours to undo.
        assert_eq!((judged.standing, judged.remark), (Standing::Reached, Some(Remark::ForeignChange)));
    }
}
