//! What the control file of a stopped server says: a server that does not answer may be anything, this tells.

use crate::world::exec::Command;
use crate::world::postgres::Lsn;
use crate::world::{Known, World};
use serde::{Deserialize, Serialize};

/// What `pg_controldata` prints, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ControlData {
    /// `Database cluster state`: only `shut down` is a clean stop of a primary.
    pub state: String,
    /// `Database system identifier`.
    pub system: String,
    /// `Latest checkpoint location`: where the shutdown checkpoint's record starts.
    pub checkpoint: Lsn,
    /// `Latest checkpoint's TimeLineID`.
    pub timeline: u32,
    /// `Latest checkpoint's NextXID`, with its epoch.
    pub next_transaction: u64,
}

impl ControlData {
    /// Runs the member's command that prints it.
    pub async fn read(world: &World, command: &Command) -> Known<Self> {
        match world.exec.look(command).await {
            Known::Known(output) if output.code == 0 => Self::parse(&output.stdout),
            Known::Known(output) => Known::Unknown(format!("the command ended with {}", output.code)),
            Known::Unknown(why) => Known::Unknown(why),
        }
    }

    /// Reads the program's output in its English form (`LC_ALL=C`).
    pub fn parse(text: &str) -> Known<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
                .ok_or_else(|| format!("pg_controldata does not say `{name}`"))
        };
        let read = || {
            let odd = |name: &str, value: &str| format!("pg_controldata says `{name}: {value}`");
            let (location, timeline, next) = (
                "Latest checkpoint location",
                "Latest checkpoint's TimeLineID",
                "Latest checkpoint's NextXID",
            );
            let checkpoint = field(location)?;
            let timeline_id = field(timeline)?;
            let next_id = field(next)?;
            let (epoch, number) = next_id.split_once(':').ok_or_else(|| odd(next, next_id))?;
            let whole = |text: &str| text.parse::<u32>().map(u64::from).map_err(|_| odd(next, next_id));
            Ok(Self {
                state: field("Database cluster state")?.to_string(),
                system: field("Database system identifier")?.to_string(),
                checkpoint: checkpoint.parse().map_err(|_| odd(location, checkpoint))?,
                timeline: timeline_id.parse().map_err(|_| odd(timeline, timeline_id))?,
                next_transaction: (whole(epoch)? << 32) | whole(number)?,
            })
        };
        match read() {
            Ok(control) => Known::Known(control),
            Err(why) => Known::Unknown(why),
        }
    }
}

/// As version 15 prints it for a server that was stopped cleanly.
#[cfg(test)]
pub(super) fn stopped(system: &str, checkpoint: &str) -> String {
    format!(
        "pg_control version number:            1300
Database system identifier:           {system}
Database cluster state:               shut down
Latest checkpoint location:           {checkpoint}
Latest checkpoint's TimeLineID:       1
Latest checkpoint's NextXID:          0:738
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_whole_or_not_at_all() {
        let text = stopped("7301", "0/5BE0138");
        let Known::Known(control) = ControlData::parse(&text) else { panic!("unreadable") };
        assert_eq!((control.system.as_str(), control.state.as_str()), ("7301", "shut down"));
        assert_eq!((control.timeline, control.next_transaction), (1, 738));
        let epoch = ControlData::parse(&text.replace("0:738", "2:738"));
        assert!(epoch.is(|control| control.next_transaction == (2 << 32) + 738));
        for (from, to) in [
            ("Database cluster state", "Datenbank-Cluster-Status"),
            ("0/5BE0138", "5BE0138"),
            ("TimeLineID:       1", "TimeLineID:       one"),
            ("0:738", "738"),
        ] {
            assert!(ControlData::parse(&text.replace(from, to)).why().is_some(), "{from}");
        }
    }
}
