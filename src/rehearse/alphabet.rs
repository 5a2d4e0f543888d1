//! What can go wrong: one row for each fault.

use crate::world::Member;
use crate::world::dns::RecordName;
use crate::world::sim::Fault;

/// One thing that happened to a run, besides what it did itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mishap {
    /// A changing call (counted from 1 within its task) met a fault of its port.
    Call(usize, CallFault),
    /// The process was killed after its last record.
    Killed,
    /// The process was killed after so many of the calls of one task, and before the next.
    KilledMidway(usize),
    /// The process was killed after a call had done its work, and before the answer was recorded.
    KilledBeforeReply,
    /// A server does not answer any more.
    Silent(String),
    /// Nothing in a region answers any more.
    RegionLost(String),
    /// No number that conditions ask for can be had any more.
    NoNumbers,
    /// Every number that conditions ask for is far too high from now on.
    BadNumbers,
    /// An endpoint answers, and not as it should.
    Unhealthy(Member),
    /// A name server goes on answering for a while as it did.
    OldAnswers(String),
    /// The old primary has died.
    SourceDied(Member),
    /// A server crashed and was started again.
    Restarted(Member),
    /// Replay on a standby stays behind.
    LagGrows(Member),
    /// A standby has lost its upstream.
    CutOff(Member),
    /// Somebody else promoted a standby.
    PromotedByOthers(Member),
    /// Somebody else put the write setting back.
    ThawedByOthers(Member),
    /// Somebody else gave the write setting a value of their own.
    SetByOthers(Member),
    /// Somebody else started a server that this run had stopped, or that was gone when it began.
    StartedByOthers(Member),
    /// A server that was out of sight is there again.
    InSightAgain(Member),
    /// Somebody else changed a record at a name server.
    RecordByOthers(RecordName),
    /// A second operator took the locks of a cluster over, and moved its writer.
    SecondOperator(String),
    /// A client that ignores the freeze has committed.
    WroteThroughFreeze(Member),
    /// Another run took a lock over.
    LockTaken(Member),
    /// The process was asked to stop.
    AskedToStop,
    /// A person said no.
    No,
    /// Nobody answered.
    Absent,
    /// A watched condition was untrue for too long.
    Breached(String),
    /// A watched condition could not be told for too long.
    NoData(String),
    /// The write gap lasted longer than allowed.
    GapExpired,
}

/// What a port does to one changing call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallFault {
    /// Refused; nothing was changed.
    Refused,
    /// Done; the answer was lost.
    LostDone,
    /// Not done; the answer was lost.
    LostNotDone,
    /// A part of it was done; the answer was lost. Only of what can be half done.
    LostHalf,
    /// It says that it was done, and it was not. Only of what may say so: a fence command.
    Claimed,
    /// The answer was lost, and it is done later.
    Late,
}

impl CallFault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Refused, Self::LostDone, Self::LostNotDone, Self::LostHalf, Self::Claimed, Self::Late];

    /// As the port understands it.
    pub(super) fn fault(self, late: std::time::Duration) -> Fault {
        match self {
            Self::Refused => Fault::Refuse,
            Self::LostDone => Fault::LostApplied,
            Self::LostNotDone => Fault::LostAbsent,
            Self::LostHalf => Fault::LostHalf,
            Self::Claimed => Fault::Claimed,
            Self::Late => Fault::Late(late),
        }
    }
}

/// A row of the table of faults.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name, as it stands in reports.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// The alphabet, in the order of the docs.
pub const ALPHABET: &[Row] = &[
    Row { name: "refused", meaning: "a changing call is refused; nothing was changed" },
    Row { name: "lost_done", meaning: "a changing call is done, and its answer is lost" },
    Row { name: "lost_not_done", meaning: "a changing call is not done, and its answer is lost" },
    Row {
        name: "lost_half",
        meaning: "the answer of a changing call is lost, and a part of it was done: a setting is written and not loaded, \
                  one of the sessions is ended, one of the keys is copied",
    },
    Row { name: "claimed", meaning: "a fence command says that it is done, and it is not" },
    Row { name: "late", meaning: "the answer of a changing call is lost, and it is done later" },
    Row {
        name: "killed",
        meaning: "mrctl is killed after a record, or cannot write the next one, and a person resumes or rolls back",
    },
    Row {
        name: "killed_before_reply",
        meaning: "mrctl is killed between a call and its answer, or cannot write the answer",
    },
    Row {
        name: "silent",
        meaning: "a server, name server, endpoint or command does not answer from here on",
    },
    Row { name: "region_lost", meaning: "nothing in a region answers from here on" },
    Row { name: "no_numbers", meaning: "no number that a condition asks for can be had from here on" },
    Row {
        name: "bad_numbers",
        meaning: "every number that a condition asks for is far too high from here on",
    },
    Row { name: "unhealthy", meaning: "an endpoint answers with an error from here on" },
    Row {
        name: "old_answers",
        meaning: "a name server goes on answering as before for a while, whatever stands there",
    },
    Row {
        name: "source_died",
        meaning: "the old primary dies, and what it committed last went nowhere; a person may take the run over as unplanned",
    },
    Row { name: "restarted", meaning: "a database server crashes and starts again" },
    Row { name: "lag_grows", meaning: "replay on the target stays behind" },
    Row { name: "cut_off", meaning: "the target has lost its upstream: its lag is unknown" },
    Row { name: "promoted_by_others", meaning: "other automation promotes the target" },
    Row { name: "thawed_by_others", meaning: "somebody takes the freeze back" },
    Row {
        name: "set_by_others",
        meaning: "somebody sets the write setting of a frozen server to a value of their own, under which it takes writes",
    },
    Row {
        name: "started_by_others",
        meaning: "an init system or an operator starts the server that the run has stopped, or that was gone when it began",
    },
    Row {
        name: "in_sight_again",
        meaning: "an old primary that nobody, or not everybody, could reach is there again",
    },
    Row {
        name: "record_by_others",
        meaning: "somebody else changes a record at a name server, under a time to live of their own",
    },
    Row {
        name: "second_operator",
        meaning: "a second operator takes the locks of a cluster over, and moves its writer at once",
    },
    Row { name: "wrote_through_freeze", meaning: "a client that ignores the freeze commits" },
    Row { name: "lock_taken", meaning: "a second operator takes a lock over" },
    Row { name: "asked_to_stop", meaning: "the operator asks mrctl to stop" },
    Row { name: "no", meaning: "a person says no" },
    Row { name: "absent", meaning: "nobody answers" },
    Row { name: "breached", meaning: "a watched condition is untrue for too long" },
    Row { name: "no_data", meaning: "a watched condition cannot be told for too long" },
    Row { name: "gap_expired", meaning: "writes are stopped for longer than the write gap allows" },
];

impl Mishap {
    /// Its row's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Call(_, CallFault::Refused) => "refused",
            Self::Call(_, CallFault::LostDone) => "lost_done",
            Self::Call(_, CallFault::LostNotDone) => "lost_not_done",
            Self::Call(_, CallFault::LostHalf) => "lost_half",
            Self::Call(_, CallFault::Claimed) => "claimed",
            Self::Call(_, CallFault::Late) => "late",
            Self::Killed => "killed",
            Self::KilledMidway(_) | Self::KilledBeforeReply => "killed_before_reply",
            Self::Silent(_) => "silent",
            Self::RegionLost(_) => "region_lost",
            Self::NoNumbers => "no_numbers",
            Self::BadNumbers => "bad_numbers",
            Self::Unhealthy(_) => "unhealthy",
            Self::OldAnswers(_) => "old_answers",
            Self::RecordByOthers(_) => "record_by_others",
            Self::SecondOperator(_) => "second_operator",
            Self::SourceDied(_) => "source_died",
            Self::Restarted(_) => "restarted",
            Self::LagGrows(_) => "lag_grows",
            Self::CutOff(_) => "cut_off",
            Self::PromotedByOthers(_) => "promoted_by_others",
            Self::ThawedByOthers(_) => "thawed_by_others",
            Self::SetByOthers(_) => "set_by_others",
            Self::StartedByOthers(_) => "started_by_others",
            Self::InSightAgain(_) => "in_sight_again",
            Self::WroteThroughFreeze(_) => "wrote_through_freeze",
            Self::LockTaken(_) => "lock_taken",
            Self::AskedToStop => "asked_to_stop",
            Self::No => "no",
            Self::Absent => "absent",
            Self::Breached(_) => "breached",
            Self::NoData(_) => "no_data",
            Self::GapExpired => "gap_expired",
        }
    }

    /// What others changed of ours: that need not end as it began.
    pub fn foreign(&self) -> Option<String> {
        match self {
            Self::PromotedByOthers(at)
            | Self::ThawedByOthers(at)
            | Self::SetByOthers(at)
            | Self::StartedByOthers(at) => Some(at.resource.clone()),
            Self::SecondOperator(cluster) => Some(cluster.clone()),
            Self::RecordByOthers(at) => Some(format!("{} at {}", at.record, at.server)),
            _ => None,
        }
    }

    /// In words, for a story.
    pub fn in_words(&self) -> String {
        match self {
            Self::Call(1, fault) => fault.in_words().to_owned(),
            Self::Call(n, fault) => format!("call {n} of it: {}", fault.in_words()),
            Self::Killed => "mrctl is killed".into(),
            Self::KilledMidway(n) => format!("mrctl is killed after call {n} of it, before the next"),
            Self::KilledBeforeReply => "mrctl is killed after the call, before its answer is recorded".into(),
            Self::Silent(place) => format!("{place} does not answer any more"),
            Self::NoNumbers => "no number that a condition asks for can be had any more".into(),
            Self::RegionLost(region) => format!("nothing in {region} answers any more"),
            Self::BadNumbers => "every number that a condition asks for is far too high".into(),
            Self::Unhealthy(at) => format!("{at} answers with an error"),
            Self::OldAnswers(server) => format!("{server} goes on answering as before for a while"),
            Self::RecordByOthers(at) => {
                format!("somebody else changes {} at {}", at.record, at.server)
            }
            Self::SecondOperator(cluster) => {
                format!("a second operator takes the locks of {cluster} over, and moves its writer")
            }
            Self::SourceDied(at) => format!("{at} dies"),
            Self::Restarted(at) => format!("{at} crashes and starts again"),
            Self::LagGrows(at) => format!("replay of {at} stays behind"),
            Self::CutOff(at) => format!("{at} loses its upstream"),
            Self::PromotedByOthers(at) => format!("somebody else promotes {at}"),
            Self::ThawedByOthers(at) => format!("somebody else takes the freeze of {at} back"),
            Self::SetByOthers(at) => {
                format!("somebody else sets default_transaction_read_only of {at} to off")
            }
            Self::StartedByOthers(at) => format!("somebody else starts {at} again"),
            Self::InSightAgain(at) => format!("{at}, which was out of sight, is there again"),
            Self::WroteThroughFreeze(at) => format!("a client that ignores the freeze commits on {at}"),
            Self::LockTaken(at) => format!("another run takes the lock on {at}"),
            Self::AskedToStop => "the operator asks mrctl to stop".into(),
            Self::No => "the answer is no".into(),
            Self::Absent => "nobody answers".into(),
            Self::Breached(watch) => format!("watch {watch} is breached"),
            Self::NoData(watch) => format!("watch {watch} has no data"),
            Self::GapExpired => "writes were stopped for longer than allowed".into(),
        }
    }
}

impl CallFault {
    fn in_words(self) -> &'static str {
        match self {
            Self::Refused => "refused; nothing was changed",
            Self::LostDone => "the answer is lost, and it was done",
            Self::LostNotDone => "the answer is lost, and it was not done",
            Self::LostHalf => "the answer is lost, and a part of it was done",
            Self::Claimed => "it says that it is done, and it is not",
            Self::Late => "the answer is lost, and it is done later",
        }
    }
}
