//! What a person does with a run that stands still: goes on, goes back, or takes it over.

use super::node::{Ground, Node};
use crate::engine::record::Choice;

/// What a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    /// `mrctl resume`.
    GoOn,
    /// `mrctl rollback`.
    GoBack,
    /// `mrctl resume --mode unplanned`.
    TakeOver,
}

impl Hand {
    /// Its name in what is counted; nothing for what every run knows.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Self::GoOn | Self::GoBack => None,
            Self::TakeOver => Some("taken_over"),
        }
    }
}

impl Node {
    /// What a person may do here. A rollback goes on as one, whichever way it is asked to.
    pub(super) fn hands(&self, ground: &Ground) -> Vec<Hand> {
        let mut hands = vec![Hand::GoOn];
        if self.alive || !self.rolls_back() {
            hands.push(Hand::GoBack);
        }
        if ground.unplanned.is_some() {
            hands.push(Hand::TakeOver);
        }
        hands
    }

    /// The process that begins with it; nothing where mrctl refuses.
    pub(super) fn begun(&self, ground: &Ground, hand: &Hand) -> Option<Box<Self>> {
        match hand {
            Hand::GoOn | Hand::GoBack => {
                let mut node = self.fork();
                node.open(ground, if *hand == Hand::GoOn { Choice::Continue } else { Choice::RollBack });
                Some(node)
            }
            Hand::TakeOver => {
                let mut node = self.taken_over(ground).ok()?;
                let taken = node.taken.clone()?;
                node.only_killed = false;
                node.open(&taken, Choice::Continue);
                Some(node)
            }
        }
    }
}
