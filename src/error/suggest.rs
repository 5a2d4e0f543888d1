//! "Did you mean".

/// The candidate most like `word`, if any is like enough to be a slip of the hand. Case is ignored, so that `MODE` finds
/// `mode`; of equally good candidates the first wins. Words of more than 64 characters have no suggestion.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let folded = fold(word);
    let length = folded.chars().count();
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        if candidate.len() > LONGEST {
            continue;
        }
        let other = fold(candidate);
        let distance = strsim::damerau_levenshtein(&folded, &other);
        // A third of the letters may be wrong; a word of one or two letters must contain the other.
        let allowed = (length.max(other.chars().count()) / 3).max(1);
        let similar = if length <= 2 {
            folded == other || distance == 1 && other.len() > 1
        } else {
            distance <= allowed
        };
        // Half a word is meant as the whole (`confirm` for `confirmed_by` is not a slip, but `catchup` for `catch_up` is).
        let score =
            if similar { 2.0 - distance as f64 / 64.0 } else { strsim::jaro_winkler(&folded, &other) };
        if (similar || score > 0.92) && best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Lowercase, and every separator alike.
fn fold(word: &str) -> String {
    word.chars()
        .map(|c| if matches!(c, '-' | '.' | ' ') { '_' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn slips_find_their_word_and_other_words_find_nothing() {
        let keys =
            ["timeout", "on_failure", "on_unknown", "best_effort", "id", "in", "only", "postgres.catch_up"];
        for (word, expected) in [
            ("timout", Some("timeout")),
            ("Timeout", Some("timeout")),
            ("on-failure", Some("on_failure")),
            ("onfailure", Some("on_failure")),
            ("besteffort", Some("best_effort")),
            ("postgres.catchup", Some("postgres.catch_up")),
            ("postgres_catch_up", Some("postgres.catch_up")),
            ("banana", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(closest(word, keys), expected, "{word}");
        }
        assert_eq!(closest(&"a".repeat(10_000), keys), None);
    }
}
