//! What there is of a runbook's rehearsal, in words and for programs.

use super::words::{age, count};
use crate::error::escape::outside;
use crate::language::units::Period;
use crate::store::certificate::{Differs, Judged};

/// Longest name of a parameter, or version, that is shown. Characters.
const LONGEST: usize = 40;

/// One line: `rehearsed 3 days ago, 2 faults`, `never rehearsed`, or with what stands against it.
pub fn in_words(judged: &Judged) -> String {
    let Some(best) = &judged.best else {
        return match judged.refused.as_slice() {
            [] => "never rehearsed".into(),
            refused => format!("never rehearsed, as far as can be read{}", unread(refused.len())),
        };
    };
    let (ago, faults) = (age(judged.age_ms), count(best.says.faults as usize, "fault"));
    let against: String = judged.differs.iter().map(|one| format!("; {}", differs(one))).collect();
    let unread = if judged.covers().is_some() { String::new() } else { unread(judged.refused.len()) };
    format!("rehearsed {ago}, {faults}{against}{unread}")
}

fn unread(number: usize) -> String {
    match number {
        0 => String::new(),
        number => format!("; {} cannot be used", count(number, "certificate")),
    }
}

/// What stands against a certificate.
pub fn differs(one: &Differs) -> String {
    match one {
        Differs::Runbook => "the runbook was changed since".into(),
        Differs::Inventory => "the inventory was changed since".into(),
        Differs::Parameters(names) => {
            let names: Vec<String> = names.iter().map(|name| outside(name, LONGEST)).collect();
            format!("its parameters have other values now ({})", names.join(", "))
        }
        Differs::Kind(kind) => format!("{} has another version by now", outside(kind, LONGEST)),
        Differs::Plan => "the plan is another one by now".into(),
        Differs::Version(then) => {
            format!("it was with mrctl {}, and this is {}", outside(then, LONGEST), env!("CARGO_PKG_VERSION"))
        }
        Differs::Program => "it was with another build of mrctl".into(),
        Differs::ProgramUnknown => "which build of mrctl this is could not be found out".into(),
        Differs::Tables => "it tried other faults, or checked for less, than this mrctl".into(),
        Differs::Faults(wanted) => format!("the inventory demands {}", count(*wanted as usize, "fault")),
        Differs::Old(allowed) => format!("the inventory allows {}", Period::from_millis(*allowed)),
        Differs::Future => "it is dated in the future: a clock is, or was, wrong".into(),
    }
}

/// For programs.
pub fn document(judged: &Judged) -> serde_json::Value {
    let best = judged.best.as_ref();
    let refused: Vec<_> = judged
        .refused
        .iter()
        .map(|(path, why)| serde_json::json!({ "file": path.display().to_string(), "why": why }))
        .collect();
    serde_json::json!({
        "covered": judged.covers().is_some(), "required": judged.demand.required, "in_words": in_words(judged),
        "certificate": best.map(|kept| &kept.sha256), "age_ms": best.map(|_| judged.age_ms),
        "faults": best.map(|kept| kept.says.faults), "version": best.map(|kept| &kept.says.version),
        "differs": judged.differs.iter().map(differs).collect::<Vec<_>>(), "refused": refused,
    })
}
