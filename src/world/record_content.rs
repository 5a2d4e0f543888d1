//! Shares of traffic as record sets, and back. Pure; the real and the simulated port use the same.
//!
//! All traffic to one region is a plain record. Mixed shares are a PowerDNS `LUA` record with `pickwrandom`, whose comment holds
//! the shares: `A "pickwrandom({{90,'192.0.2.10'},{10,'198.51.100.10'}}) -- mrctl:v1 <base64 of {"eu-west":9000,…}>"`. Only these
//! two forms are understood, and only if the generated text is the one that we would write: everything else is foreign.

use super::Known;
use super::dns::{RecordAim, RecordSet, Shares};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything, in basis points.
pub const WHOLE: u32 = 10_000;
/// Marks a content whose record is disabled at the server: it stands there, answers nothing, and undo puts it back like this.
pub const DISABLED: &str = "disabled: ";
const MARKER: &str = " -- mrctl:v1 ";

/// A record of the inventory, as content is made from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordSpec {
    /// Fully qualified name with the trailing dot.
    pub domain: String,
    /// Zone with the trailing dot.
    pub zone: String,
    /// `A`, `AAAA` or `CNAME`.
    pub kind: String,
    /// Time to live in seconds when there is no record yet.
    pub ttl: u32,
    /// Answers by region.
    pub targets: BTreeMap<String, String>,
}

/// Shares without regions that get nothing, so that two ways of writing the same compare equal.
pub fn normalised(shares: &Shares) -> Shares {
    shares.iter().filter(|(_, share)| **share > 0).map(|(region, share)| (region.clone(), *share)).collect()
}

/// `us-east 90%, eu-west 10%`, the greatest first.
pub fn words(shares: &Shares) -> String {
    let mut parts: Vec<_> = shares.iter().filter(|(_, share)| **share > 0).collect();
    parts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let percent = |share: u32| match share % 100 {
        0 => format!("{}%", share / 100),
        part => format!("{}.{part:02}%", share / 100),
    };
    let parts: Vec<_> =
        parts.into_iter().map(|(region, share)| format!("{region} {}", percent(*share))).collect();
    if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
}

/// A target as the server writes it: addresses in their shortest form, names in lower case with a dot at the end.
pub fn canonical(kind: &str, target: &str) -> String {
    let target = target.trim();
    match (kind, target.parse::<std::net::IpAddr>()) {
        // It has no other form.
        ("A" | "AAAA", Ok(std::net::IpAddr::V4(_))) => target.to_owned(),
        ("A" | "AAAA", Ok(address)) => address.to_string(),
        ("CNAME", _) => format!("{}.", target.trim_end_matches('.').to_ascii_lowercase()),
        _ => target.to_owned(),
    }
}

/// Types of record sets that decide what a question of this type is answered with.
pub fn answering(kind: &str) -> Vec<&str> {
    if kind == "CNAME" { vec!["CNAME", "LUA", "ALIAS"] } else { vec![kind, "LUA", "CNAME", "ALIAS"] }
}

/// Whether a content of a LUA set belongs to the other address family: `www` of type A and `www` of type AAAA are two records of
/// the inventory that share one LUA set at the server, and one must not touch the other.
pub fn of_other_family(kind: &str, content: &str) -> bool {
    let content = content.strip_prefix(DISABLED).unwrap_or(content);
    match kind {
        "A" => content.starts_with("AAAA "),
        "AAAA" => content.starts_with("A "),
        _ => false,
    }
}

/// The sets that give these shares.
///
/// # Errors
/// When nothing would be answered, the shares do not sum to everything, a region has no target, or the form cannot express it.
pub fn render(spec: &RecordSpec, shares: &Shares, ttl: u32) -> Result<Vec<RecordSet>, String> {
    let shares = normalised(shares);
    if shares.is_empty() {
        return Err("these shares would answer nothing".into());
    }
    let sum: u64 = shares.values().map(|share| u64::from(*share)).sum();
    if sum != u64::from(WHOLE) {
        return Err(format!("the shares sum to {sum} of {WHOLE}"));
    }
    let mut weighted = Vec::new();
    for (region, share) in &shares {
        let target =
            spec.targets.get(region).ok_or_else(|| format!("{} has no target in {region}", spec.domain))?;
        weighted.push((region, *share, canonical(&spec.kind, target)));
    }
    if let [(_, _, target)] = weighted.as_slice() {
        return Ok(vec![RecordSet { kind: spec.kind.clone(), ttl, contents: vec![target.clone()] }]);
    }
    if spec.kind == "CNAME" {
        return Err("a CNAME record has no shares between 0% and 100%".into());
    }
    let unit = if shares.values().all(|share| share % 100 == 0) { 100 } else { 1 };
    let items: Vec<_> =
        weighted.iter().map(|(_, share, target)| format!("{{{},'{target}'}}", share / unit)).collect();
    let json = serde_json::to_string(&shares).map_err(|error| error.to_string())?;
    let content =
        format!("{} \"pickwrandom({{{}}}){MARKER}{}\"", spec.kind, items.join(","), STANDARD.encode(json));
    Ok(vec![RecordSet { kind: "LUA".into(), ttl, contents: vec![content] }])
}

/// The shares that these sets give.
pub fn understand(spec: &RecordSpec, sets: &[RecordSet]) -> Known<Shares> {
    let [set] = sets else {
        return Known::unknown(if sets.is_empty() {
            format!("there is no {} record of {}", spec.kind, spec.domain)
        } else {
            let kinds: Vec<_> = sets.iter().map(|set| set.kind.as_str()).collect();
            format!("foreign content: {} sets stand side by side", kinds.join(" and "))
        });
    };
    if let Some(content) = set.contents.iter().find(|content| content.starts_with(DISABLED)) {
        return Known::unknown(format!("foreign content: {content}"));
    }
    if set.kind == "LUA" {
        return understand_lua(spec, set);
    }
    if set.kind != spec.kind {
        return Known::unknown(format!("foreign content: a {} record", set.kind));
    }
    let mut regions = Vec::new();
    for content in &set.contents {
        let found = canonical(&spec.kind, content);
        let region = spec.targets.iter().find(|(_, target)| canonical(&spec.kind, target) == found);
        match region {
            Some((region, _)) => regions.push(region.clone()),
            None => {
                return Known::unknown(format!("foreign content: {content} is no target of the inventory"));
            }
        }
    }
    regions.sort();
    regions.dedup();
    let count = u32::try_from(regions.len()).unwrap_or(u32::MAX).max(1);
    let mut shares = Shares::new();
    for (index, region) in (0u32..).zip(regions) {
        shares.insert(region, WHOLE / count + u32::from(index < WHOLE % count));
    }
    if shares.is_empty() { Known::unknown("foreign content: an empty set") } else { Known::Known(shares) }
}

fn understand_lua(spec: &RecordSpec, set: &RecordSet) -> Known<Shares> {
    let foreign = |why: &str| Known::unknown(format!("foreign content: a LUA record {why}"));
    let [content] = set.contents.as_slice() else { return foreign("of several contents") };
    let Some((_, marker)) = content.rsplit_once(MARKER) else { return foreign("that mrctl did not write") };
    let shares = STANDARD
        .decode(marker.trim_end_matches('"'))
        .ok()
        .and_then(|json| serde_json::from_slice::<Shares>(&json).ok());
    let Some(shares) = shares else { return foreign("whose marker cannot be read") };
    match render(spec, &shares, set.ttl) {
        Ok(ours) if ours == std::slice::from_ref(set) => Known::Known(shares),
        Ok(_) => {
            foreign("with mrctl's marker that was edited, or whose targets are not those of the inventory")
        }
        Err(why) => foreign(&format!("with mrctl's marker, but {why}")),
    }
}

/// The time to live of the sets, if they agree.
pub fn ttl(spec: &RecordSpec, sets: &[RecordSet]) -> Known<u32> {
    match sets {
        [] => Known::unknown(format!("there is no {} record of {}", spec.kind, spec.domain)),
        [first, rest @ ..] if rest.iter().all(|set| set.ttl == first.ttl) => Known::Known(first.ttl),
        _ => Known::unknown("the record sets differ in their time to live"),
    }
}

/// The sets that an aim asks for, given those that stand now. Sorted.
///
/// # Errors
/// When nothing would be answered, or foreign content would be rewritten.
pub fn wanted(spec: &RecordSpec, current: &[RecordSet], aim: &RecordAim) -> Result<Vec<RecordSet>, String> {
    let mut sets = match aim {
        RecordAim::Shares(shares) => {
            if !current.is_empty()
                && let Known::Unknown(why) = understand(spec, current)
            {
                return Err(why);
            }
            render(spec, shares, current.first().map_or(spec.ttl, |set| set.ttl))?
        }
        RecordAim::Ttl(seconds) => {
            current.iter().map(|set| RecordSet { ttl: *seconds, ..set.clone() }).collect::<Vec<_>>()
        }
        RecordAim::Sets(sets) => sets.clone(),
    };
    let answers = sets.iter().flat_map(|set| &set.contents).any(|content| !content.starts_with(DISABLED));
    if !answers {
        return Err(format!("{} would answer nothing", spec.domain));
    }
    for set in &mut sets {
        set.contents.sort();
    }
    sets.sort();
    Ok(sets)
}

/// What differs, in words: `A 60 192.0.2.10 → LUA 60 …`.
pub fn in_words(sets: &[RecordSet]) -> String {
    if sets.is_empty() {
        return "nothing".into();
    }
    let sets: Vec<_> =
        sets.iter().map(|set| format!("{} {} {}", set.kind, set.ttl, set.contents.join(", "))).collect();
    sets.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RecordSpec {
        RecordSpec {
            domain: "www.example.com.".into(),
            zone: "example.com.".into(),
            kind: "A".into(),
            ttl: 60,
            targets: [("eu", "192.0.2.10"), ("us", "198.51.100.10"), ("ap", "203.0.113.10")]
                .map(|(region, target)| (region.to_owned(), target.to_owned()))
                .into(),
        }
    }

    fn shares(list: &[(&str, u32)]) -> Shares {
        list.iter().map(|(region, share)| ((*region).to_owned(), *share)).collect()
    }

    fn plain(contents: &[&str]) -> RecordSet {
        RecordSet { kind: "A".into(), ttl: 60, contents: contents.iter().map(|c| (*c).to_owned()).collect() }
    }

    #[test]
    fn what_is_written_is_understood_again() {
        for list in [
            &[("eu", 10_000)][..],
            &[("eu", 9_000), ("us", 1_000)],
            &[("ap", 3_333), ("eu", 3_333), ("us", 3_334)],
        ] {
            let shares = shares(list);
            let sets = render(&spec(), &shares, 60).unwrap();
            assert_eq!(understand(&spec(), &sets), Known::Known(shares), "{sets:?}");
        }
    }

    #[test]
    fn one_region_is_a_plain_record_and_several_are_lua_with_percents() {
        assert_eq!(
            render(&spec(), &shares(&[("eu", 10_000), ("us", 0)]), 60).unwrap(),
            [plain(&["192.0.2.10"])]
        );
        let mixed = render(&spec(), &shares(&[("eu", 9_000), ("us", 1_000)]), 30).unwrap();
        assert_eq!(mixed[0].kind, "LUA");
        assert!(
            mixed[0].contents[0]
                .starts_with("A \"pickwrandom({{90,'192.0.2.10'},{10,'198.51.100.10'}}) -- mrctl:v1 ey"),
            "{mixed:?}"
        );
    }

    #[test]
    fn nothing_that_answers_nothing_is_made() {
        assert!(render(&spec(), &shares(&[]), 60).is_err());
        assert!(render(&spec(), &shares(&[("eu", 0), ("us", 0)]), 60).is_err());
        assert!(render(&spec(), &shares(&[("eu", 5_000)]), 60).is_err());
        assert!(render(&spec(), &shares(&[("mars", 10_000)]), 60).is_err());
        assert!(wanted(&spec(), &[plain(&["192.0.2.10"])], &RecordAim::Sets(Vec::new())).is_err());
        assert!(wanted(&spec(), &[], &RecordAim::Ttl(5)).is_err());
    }

    #[test]
    fn foreign_content_is_unknown_and_never_rewritten() {
        let lua = |content: &str| RecordSet { kind: "LUA".into(), ttl: 60, contents: vec![content.into()] };
        let ours = render(&spec(), &shares(&[("eu", 9_000), ("us", 1_000)]), 60).unwrap().remove(0);
        let edited = RecordSet { contents: vec![ours.contents[0].replace("{90,", "{50,")], ..ours.clone() };
        let cases = [
            vec![plain(&["203.0.113.99"])],
            vec![plain(&["192.0.2.10"]), lua("A \"ifportup(443, {'192.0.2.10'})\"")],
            vec![lua("A \"ifportup(443, {'192.0.2.10'})\"")],
            vec![edited],
            vec![plain(&["disabled: 192.0.2.10"])],
            vec![RecordSet { kind: "CNAME".into(), ttl: 60, contents: vec!["cdn.example.net.".into()] }],
        ];
        for sets in cases {
            assert!(
                understand(&spec(), &sets).why().is_some_and(|why| why.starts_with("foreign content")),
                "{sets:?}"
            );
            assert!(
                wanted(&spec(), &sets, &RecordAim::Shares(shares(&[("eu", 10_000)]))).is_err(),
                "{sets:?}"
            );
            // A time to live can be changed without understanding the content (a disabled record alone answers nothing).
            let answers = !sets[0].contents[0].starts_with(DISABLED);
            assert_eq!(wanted(&spec(), &sets, &RecordAim::Ttl(5)).is_ok(), answers, "{sets:?}");
        }
    }

    #[test]
    fn several_plain_targets_share_evenly() {
        let sets = [plain(&["192.0.2.10", "198.51.100.10"])];
        assert_eq!(understand(&spec(), &sets), Known::Known(shares(&[("eu", 5_000), ("us", 5_000)])));
    }

    #[test]
    fn addresses_compare_in_their_shortest_form() {
        assert_eq!(canonical("AAAA", "2001:DB8:0:0::1"), "2001:db8::1");
        assert_eq!(canonical("CNAME", "Eu.Example.com"), "eu.example.com.");
    }

    #[test]
    fn shares_keep_the_time_to_live_and_a_ttl_keeps_the_content() {
        let short = RecordSet { ttl: 10, ..plain(&["192.0.2.10"]) };
        let sets =
            wanted(&spec(), std::slice::from_ref(&short), &RecordAim::Shares(shares(&[("us", 10_000)])))
                .unwrap();
        assert_eq!((sets[0].ttl, sets[0].contents[0].as_str()), (10, "198.51.100.10"));
        let sets = wanted(&spec(), &[short], &RecordAim::Ttl(60)).unwrap();
        assert_eq!(sets, [plain(&["192.0.2.10"])]);
    }

    #[test]
    fn shares_read_greatest_first() {
        assert_eq!(words(&shares(&[("eu", 1_000), ("us", 9_000), ("ap", 0)])), "us 90%, eu 10%");
    }
}
