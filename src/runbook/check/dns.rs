//! Rules for DNS records.

use super::InventoryContext;
use crate::error::{Code, Problem, Problems};
use crate::runbook::address;
use crate::runbook::inventory::RecordType;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Everything, in the unit of shares.
const WHOLE: u32 = 10_000;

/// Longest time to live that anyone could mean: a week.
const LONGEST_TTL: u64 = 7 * 24 * 3600;

pub(super) fn names_end_with_a_dot(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (key, record) in &context.inventory().dns_records {
        let path = ["dns_records", key, "name"];
        if !domain(context, &record.name, &path, problems) {
            continue;
        }
        let Some(zone) = &record.zone else { continue };
        let path = ["dns_records", key, "zone"];
        if domain(context, zone, &path, problems)
            && record.name != *zone
            && !record.name.ends_with(&format!(".{zone}"))
            && zone != "."
        {
            let message = format!("`{}` is not in the zone `{zone}`", record.name);
            context.error(Code::BadDomain, message, &path, problems);
        }
    }
}

/// Whether a name is one with its final dot; reports it otherwise.
fn domain(context: &InventoryContext<'_>, name: &str, path: &[&str], problems: &mut Problems) -> bool {
    let Err(why) = address::domain(name) else { return true };
    let problem = Problem::error(Code::BadDomain, why).at(context.loaded.text.span(path));
    // The commonest slip has a ready answer.
    let dotted = format!("{name}.");
    problems.push(match address::domain(&dotted) {
        Ok(()) => problem.help(format!("write `{dotted}` with a dot at the end")),
        Err(_) => problem,
    });
    false
}

pub(super) fn times_to_live_are_whole_seconds(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (key, record) in &context.inventory().dns_records {
        let millis = record.ttl.millis();
        if millis % 1000 != 0 || !(1..=LONGEST_TTL).contains(&(millis / 1000)) {
            let message = "the time to live has to be whole seconds, at least 1s and at most 7d".to_owned();
            context.error(Code::BadTtl, message, &["dns_records", key, "ttl"], problems);
        }
    }
}

pub(super) fn targets_suit_the_type(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (key, record) in &context.inventory().dns_records {
        let path = ["dns_records", key, "targets"];
        context.known_regions(record.targets.keys(), &path, problems);
        if record.targets.is_empty() {
            context.error(Code::BadTarget, format!("`{key}` answers nothing"), &path, problems);
        }
        if record.servers.is_empty() {
            let message = format!("no server holds `{key}`");
            context.error(Code::BadTarget, message, &["dns_records", key, "servers"], problems);
        }
        for (region, target) in &record.targets {
            let (fine, wanted) = match record.kind {
                RecordType::A => (target.parse::<Ipv4Addr>().is_ok(), "an IPv4 address"),
                RecordType::Aaaa => (target.parse::<Ipv6Addr>().is_ok(), "an IPv6 address"),
                RecordType::Cname => (address::domain(target).is_ok(), "a name with a dot at the end"),
            };
            if !fine {
                let message = format!("`{target}` is not {wanted}, which `{}` answers", record.kind.as_str());
                context.error(Code::BadTarget, message, &["dns_records", key, "targets", region], problems);
            }
        }
        let mut seen = std::collections::BTreeMap::new();
        for (region, target) in &record.targets {
            if let Some(other) = seen.insert(target, region) {
                let message =
                    format!("`{other}` and `{region}` have the same target: nobody could tell them apart");
                context.error(Code::BadTarget, message, &["dns_records", key, "targets", region], problems);
            }
        }
    }
}

pub(super) fn shares_make_a_whole(context: &InventoryContext<'_>, problems: &mut Problems) {
    for (key, record) in &context.inventory().dns_records {
        if record.normal.is_empty() {
            continue;
        }
        let path = ["dns_records", key, "normal"];
        context.known_regions(record.normal.keys(), &path, problems);
        for (region, share) in &record.normal {
            let path = ["dns_records", key, "normal", region];
            if !record.targets.contains_key(region) && context.inventory().regions.contains_key(region) {
                let message = format!("`{region}` has a share of `{key}` but no target");
                context.error(Code::SharesSum, message, &path, problems);
            }
            let points = share.basis_points();
            if record.kind == RecordType::Cname && points != 0 && points != WHOLE {
                let message = "a CNAME has one answer: its shares are 0% and 100%".to_owned();
                context.error(Code::SharesSum, message, &path, problems);
            }
        }
        let sum: u32 = record.normal.values().map(|share| share.basis_points()).sum();
        if sum != WHOLE {
            let place = context.loaded.text.key(&path);
            let message = format!("the shares of `{key}` make {}, not 100%", percent(sum));
            problems.push(Problem::error(Code::SharesSum, message).at(place));
        }
    }
}

/// Basis points as people write them.
fn percent(points: u32) -> String {
    match (points / 100, points % 100) {
        (whole, 0) => format!("{whole}%"),
        (whole, part) => format!("{whole}.{part:02}%"),
    }
}
