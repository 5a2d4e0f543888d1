//! Which certificates go when there are too many.

use super::{Kept, read_all};
use std::collections::BTreeSet;
use std::path::Path;

/// Certificates of a state folder that are kept, whatever they are of. Each has about a kilobyte.
pub(super) const MOST: usize = 512;

/// How little a certificate is needed; what comes last goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// The newest of its runbook, direction, mode and number of faults that was made with the texts and the program that were rehearsed last: what a
    /// policy asks for next. It stays, however many there are.
    Next,
    /// Made with the texts and the program that were rehearsed last, with other parameters or before.
    Current,
    /// Of a text or a program that a newer rehearsal of the same runbook in the same direction has left behind.
    Behind,
}

/// Takes certificates away until there are few enough: first those that a newer rehearsal has left behind, then those of other parameters, and
/// the oldest of them first. What could be asked for next never goes.
pub(super) fn forget(root: &Path) {
    let all = read_all(root).kept;
    for old in too_many(all) {
        // One too many does no harm.
        let _gone = std::fs::remove_file(&old.path);
    }
}

/// Those that go.
pub(super) fn too_many(mut all: Vec<Kept>) -> Vec<Kept> {
    let over = all.len().saturating_sub(MOST);
    if over == 0 {
        return Vec::new();
    }
    all.sort_by(|a, b| b.says.at.cmp(&a.says.at).then_with(|| a.sha256.cmp(&b.sha256)));
    let mut seen = BTreeSet::new();
    let mut ranked: Vec<(Need, Kept)> = Vec::new();
    for kept in all.iter() {
        let says = &kept.says;
        // Newest first: the first of its runbook and direction has the texts and the program that count.
        let newest = all.iter().find(|one| one.says.about() == says.about());
        let made_with = |kept: &Kept| {
            let says = &kept.says;
            [&says.runbook_sha256, &says.inventory_sha256, &says.program].map(Clone::clone)
        };
        let need = if newest.is_some_and(|newest| made_with(newest) != made_with(kept)) {
            Need::Behind
        } else if seen.insert((says.about(), says.mode, says.faults)) {
            Need::Next
        } else {
            Need::Current
        };
        ranked.push((need, kept.clone()));
    }
    // Stable: within a need the oldest stay last.
    ranked.sort_by_key(|(need, _)| *need);
    let gone = ranked.into_iter().rev().take(over);
    gone.filter(|(need, _)| *need != Need::Next).map(|(_, kept)| kept).collect()
}
