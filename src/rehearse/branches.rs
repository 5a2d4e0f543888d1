//! The ways in which one task can come out: each call that meets a fault, each answer of a person, each kill within.

use super::alphabet::{CallFault, Mishap};
use super::hands::Hand;
use super::moves::late;
use super::node::Node;
use super::open::{Open, Waiting};
use super::search::Search;
use super::takeover::ground;
use crate::engine::decide::Task;
use crate::world::sim::Fault;

impl Search<'_> {
    /// Makes a task, in every way in which it can come out.
    pub(super) fn perform(&mut self, at: &Open, task: &Task, open: &mut Vec<Waiting>) {
        let left = self.bound.mishaps - at.node.mishaps;
        if matches!(task, Task::Ask(_)) {
            self.answer(at, task, left, open);
            return;
        }
        let taken = at.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        let changes = matches!(task, Task::Apply(..));
        let mut tapes: Vec<Vec<Option<CallFault>>> = vec![Vec::new()];
        while let Some(tape) = tapes.pop() {
            let late = late(ground, task);
            let faults: Vec<Fault> =
                tape.iter().map(|fault| fault.map_or(Fault::None, |fault| fault.fault(late))).collect();
            let used = u32::try_from(tape.iter().flatten().count()).unwrap_or(u32::MAX);
            let mut node = at.node.fork();
            let Some((record, calls)) = node.perform(ground, task, &faults, (true, false)) else {
                self.found(&node, at.depth, "I11", "it does not end", format!("{task:?} waits for ever"));
                continue;
            };
            self.suffered(&mut node, &tape);
            if used < left && changes {
                for place in tape.len()..calls {
                    for fault in CallFault::ALL {
                        // Half done would be the same as done, or as not done.
                        if fault == CallFault::LostHalf && !node.sim.tape.halves(place) {
                            continue;
                        }
                        if fault == CallFault::Claimed && !node.sim.tape.claims(place) {
                            continue;
                        }
                        let mut next = tape.clone();
                        next.resize(place, None);
                        next.push(Some(fault));
                        tapes.push(next);
                    }
                }
                let mut killed = node.fork();
                killed.suffer(ground, &Mishap::KilledBeforeReply);
                self.resumed(at, &killed, false, open);
                // Those that fault none of its first calls are killed between them, too.
                for done in tape.len().max(1)..calls {
                    let mut cut = faults.clone();
                    cut.resize(done, Fault::None);
                    cut.push(Fault::LostAbsent);
                    let mut killed = at.node.fork();
                    if killed.perform(ground, task, &cut, (true, false)).is_some() {
                        self.suffered(&mut killed, &tape);
                        killed.suffer(ground, &Mishap::KilledMidway(done));
                        self.resumed(at, &killed, false, open);
                    }
                }
            }
            self.cover(&node, task, &record);
            node.append(ground, record);
            let claim = self.claim(at, node.mishaps);
            open.push(Waiting::State(at.then(node), claim));
        }
    }

    fn suffered(&self, node: &mut Node, tape: &[Option<CallFault>]) {
        for (place, fault) in tape.iter().enumerate().filter_map(|(place, fault)| Some((place, (*fault)?))) {
            let taken = node.taken.clone();
            node.suffer(ground(self.ground, taken.as_ref()), &Mishap::Call(place + 1, fault));
        }
    }

    fn answer(&mut self, at: &Open, task: &Task, left: u32, open: &mut Vec<Waiting>) {
        let taken = at.node.taken.clone();
        let ground = ground(self.ground, taken.as_ref());
        let mut ways = vec![(None, (true, false))];
        if left > 0 {
            ways.push((Some(Mishap::No), (false, false)));
            ways.push((Some(Mishap::Absent), (false, true)));
        }
        for (mishap, answer) in ways {
            let mut node = at.node.fork();
            let Some((record, _)) = node.perform(ground, task, &[], answer) else { continue };
            let denied = mishap.is_some();
            if let Some(mishap) = mishap {
                node.suffer(ground, &mishap);
            }
            node.append(ground, record);
            // Whatever the engine made of the answer.
            node.denied = denied;
            let claim = self.claim(at, node.mishaps);
            open.push(Waiting::State(at.then(node), claim));
        }
    }

    /// The process was killed: a person resumes, or rolls back, or takes the run over.
    pub(super) fn resumed(&mut self, at: &Open, killed: &Node, claimed: bool, open: &mut Vec<Waiting>) {
        let ground = ground(self.ground, killed.taken.as_ref());
        for hand in killed.hands(ground) {
            let Some(mut node) = killed.begun(ground, &hand) else { continue };
            node.only_killed &= hand == Hand::GoOn;
            self.count(&hand);
            let claim = if claimed { None } else { self.claim(at, killed.mishaps) };
            open.push(Waiting::State(at.then(node), claim));
        }
    }
}
