//! Whether a standby could take over, and whether a primary waits for standbys that are not there.

use super::ServerFacts;
use crate::world::Known;

impl ServerFacts {
    /// Why this server could not take over from the primary that it follows, if it could not: whatever it has received.
    pub fn unfit(&self) -> Option<String> {
        let Some(standby) = self.standby() else { return Some("it is a primary".into()) };
        if standby.replay != "not paused" {
            return Some(format!("its replay is {}", standby.replay));
        }
        if let Some(target) = standby.recovery_targets.first() {
            return Some(format!("{target} is set: a promotion would end it"));
        }
        if standby.apply_delay_ms > 0 {
            return Some("it replays late on purpose".into());
        }
        self.read_only.on.then(|| format!("it would come up read-only ({})", self.read_only.source))
    }

    /// Names in `synchronous_standby_names` of whom no standby is connected. Empty where that cannot be seen.
    pub fn absent_synchronous(&self) -> Vec<String> {
        let Some(Known::Known(senders)) = self.primary().map(|primary| &primary.senders) else {
            return Vec::new();
        };
        let names = self.synchronous_names.trim();
        let list = match names.split_once('(') {
            Some((_, list)) => list.trim_end().trim_end_matches(')'),
            None => names,
        };
        let listed =
            list.split(',').map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
        // The server compares them without regard to case.
        let absent = |name: &&str| {
            *name != "*" && !senders.iter().any(|sender| sender.name.eq_ignore_ascii_case(name))
        };
        listed.filter(absent).map(str::to_owned).collect()
    }
}
