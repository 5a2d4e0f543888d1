//! Loops that no single worker sees: each of two may follow a part of one, and take the rest for known.

/// A move from one state to another, by their numbers.
pub type Move = (u32, u32);

/// Whether moves without a fault come back to where they began.
pub fn any(moves: &[Move]) -> bool {
    let states = moves.iter().map(|(from, to)| from.max(to) + 1).max().unwrap_or(0) as usize;
    // Where the moves from each state begin, once they are sorted by that.
    let mut begin = vec![0_u32; states + 1];
    let mut into = vec![0_u32; states];
    for (from, to) in moves {
        begin[*from as usize + 1] += 1;
        into[*to as usize] += 1;
    }
    for state in 0..states {
        begin[state + 1] += begin[state];
    }
    let mut after = vec![0_u32; moves.len()];
    let mut place = begin.clone();
    for (from, to) in moves {
        after[place[*from as usize] as usize] = *to;
        place[*from as usize] += 1;
    }
    // Whatever nothing leads to any more is taken away; what stays leads to itself.
    let mut free: Vec<u32> = (0_u32..).zip(&into).filter(|(_, count)| **count == 0).map(|(s, _)| s).collect();
    let mut left = states;
    while let Some(state) = free.pop() {
        left -= 1;
        for to in &after[begin[state as usize] as usize..begin[state as usize + 1] as usize] {
            into[*to as usize] -= 1;
            if into[*to as usize] == 0 {
                free.push(*to);
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
