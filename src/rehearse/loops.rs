//! Loops that no single worker sees: each of two may follow a part of one, and take the rest for known.

use std::collections::HashMap;

/// Whether moves without a fault come back to where they began.
pub fn any(moves: &[(u128, u128)]) -> bool {
    let mut after: HashMap<u128, Vec<u128>> = HashMap::new();
    let mut into: HashMap<u128, u32> = HashMap::new();
    for (from, to) in moves {
        after.entry(*from).or_default().push(*to);
        *into.entry(*to).or_default() += 1;
        into.entry(*from).or_default();
    }
    // Whatever nothing leads to any more is taken away; what stays leads to itself.
    let mut free: Vec<u128> =
        into.iter().filter(|(_, count)| **count == 0).map(|(state, _)| *state).collect();
    let mut left = into.len();
    while let Some(state) = free.pop() {
        left -= 1;
        for to in after.remove(&state).unwrap_or_default() {
            if let Some(count) = into.get_mut(&to) {
                *count -= 1;
                if *count == 0 {
                    free.push(to);
                }
            }
        }
    }
    left > 0
}

#[cfg(test)]
mod tests {
    use super::any;

    #[test]
    fn only_what_leads_back_to_itself_is_a_loop() {
        assert!(!any(&[]));
        assert!(!any(&[(1, 2), (1, 3), (2, 4), (3, 4), (1, 2)]));
        assert!(any(&[(1, 2), (2, 3), (3, 2)]));
        assert!(any(&[(7, 7)]));
    }
}
