//! What a fault of the stage does to what is said to a server, and which call it waits for.

use std::time::Duration;

/// What becomes of something that is said to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It gets there.
    Go,
    /// Nobody ever hears of it.
    Swallow,
    /// The one who said it is no more.
    Close,
}

/// What a changing call meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It is refused.
    Refused,
    /// It is done, and the answer gets lost.
    LostDone,
    /// It is not done, and the answer gets lost.
    LostNotDone,
    /// The answer gets lost, and it is done after this time.
    Late(Duration),
    /// It is done, and mrctl is killed before it hears of it.
    Killed,
}

/// Something that is done later.
pub(super) enum Deed {
    /// A request, as it was written, to this server.
    Request(std::net::SocketAddr, Vec<u8>),
    /// A command.
    Command(String),
}

/// A fault that the next calls meet.
pub(super) struct Armed {
    /// Which of the calls since, counted from 1; nothing: the last of its task.
    pub call: Option<usize>,
    /// What it meets.
    pub met: Met,
    /// Calls since.
    pub calls: usize,
}

impl Armed {
    /// The next calls count from here.
    pub fn new(call: Option<usize>, met: Met) -> Self {
        Self { call, met, calls: 0 }
    }

    /// A call of a task of so many is about to be made: whether it is the one.
    pub fn turn(&mut self, task: Option<usize>) -> bool {
        self.calls += 1;
        self.calls >= self.call.or(task).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Armed, Met};

    #[test]
    fn a_kill_midway_comes_after_its_call_and_another_one_after_the_last() {
        let turns = |call| {
            let mut armed = Armed::new(call, Met::Killed);
            [armed.turn(Some(3)), armed.turn(Some(3)), armed.turn(Some(3))]
        };
        assert_eq!(turns(Some(2)), [false, true, true]);
        assert_eq!(turns(None), [false, false, true]);
        assert!(Armed::new(None, Met::Killed).turn(None));
    }
}
