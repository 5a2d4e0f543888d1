//! What the source is like when a rehearsal begins: it serves, or it is gone, half gone, or only out of sight.

use crate::engine::record::Verdict;
use crate::plan::{Mode, Plan};
use crate::world::clock::{Clock as _, Moment};
use crate::world::sim::Sim;
use crate::world::sim::postgres_isolated::Isolated;
use serde::Serialize;

/// How long it has been so. Milliseconds: longer than any receiver waits.
const SINCE_MS: i64 = 3_600_000;

/// What the source is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Everything is well.
    #[default]
    Serves,
    /// Its servers have died, and their hosts answer in their place.
    Dead,
    /// Their hosts are gone, too.
    Lost,
    /// They hang, and may go on at any time.
    Hung,
    /// They serve, and mrctl alone cannot reach them.
    Hidden,
    /// They serve users, and neither mrctl nor their standbys can reach them.
    Parted,
}

impl Source {
    /// What a rehearsal in this mode begins with, one after the other.
    pub fn of(mode: Mode) -> &'static [Self] {
        match mode {
            Mode::Planned => &[Self::Serves],
            Mode::Unplanned => &[Self::Dead, Self::Lost, Self::Hung, Self::Hidden, Self::Parted],
        }
    }

    /// What a run ends as where nothing else goes wrong: whoever lives is not replaced.
    pub fn expects(self) -> Verdict {
        match self {
            Self::Serves | Self::Dead | Self::Lost | Self::Hung => Verdict::Completed,
            Self::Hidden | Self::Parted => Verdict::Refused,
        }
    }

    /// In words; nothing where everything is well.
    pub fn in_words(self) -> Option<&'static str> {
        Some(match self {
            Self::Serves => return None,
            Self::Dead => {
                "the old primary is dead, its host refuses connections, and its last commit went nowhere"
            }
            Self::Lost => {
                "the old primary and its host are gone, nobody gets an answer, and its last commit went nowhere"
            }
            Self::Hung => {
                "the old primary hangs, nobody gets an answer, and its last commit went nowhere; it may go on at any time"
            }
            Self::Hidden => {
                "only mrctl cannot reach the old primary: users write there, and standbys follow it"
            }
            Self::Parted => "mrctl and the standbys cannot reach the old primary, and users write there",
        })
    }

    /// Makes a world so, in which everything was well.
    pub fn befalls(self, plan: &Plan, sim: &Sim) {
        let since = Moment(sim.clock.now().0 - SINCE_MS);
        for (cluster, _) in plan.clusters.iter().filter(|(_, regions)| regions.contains(&plan.from)) {
            let (postgres, at) = (&sim.postgres, plan.from.as_str());
            let isolate = |isolated| postgres.isolate(cluster, at, isolated);
            if self == Self::Serves {
                continue;
            }
            postgres.write(cluster, at, "everywhere", false);
            if self == Self::Hidden {
                isolate(Isolated { us: true, ..Isolated::default() });
                continue;
            }
            isolate(Isolated { standbys: Some(since), ..Isolated::default() });
            postgres.write(cluster, at, "nowhere else", false);
            match self {
                Self::Serves | Self::Hidden => {}
                Self::Dead => {
                    postgres.crash(cluster, at);
                    isolate(Isolated::default());
                }
                Self::Lost => {
                    postgres.crash(cluster, at);
                    isolate(Isolated::from_all(since));
                }
                Self::Hung => isolate(Isolated::from_all(since)),
                Self::Parted => isolate(Isolated { us: true, applications: false, standbys: Some(since) }),
            }
        }
    }
}
