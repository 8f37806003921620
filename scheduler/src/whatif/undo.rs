//! What was done, so that it can be undone.

use super::Simulation;
use crate::{NodeInfo, PodInfo};
use std::sync::Arc;
use windlass_core::meta::Str;

/// A point in a simulation to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

/// One change, with what it takes to undo it.
pub(super) enum Step {
    PodPlaced(Box<str>),
    PodRemoved(Arc<PodInfo>, Str),
    NodeSet(Str, Option<Arc<NodeInfo>>),
    NodeRemoved(Arc<NodeInfo>),
}

impl Simulation {
    /// This point.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.log.len())
    }

    /// Undoes all that was done since. Nothing happens for a mark that lies behind one that was gone back to.
    pub fn undo(&mut self, mark: Mark) {
        while self.log.len() > mark.0
            && let Some(step) = self.log.pop()
        {
            self.undo_step(step);
        }
    }

    /// Tries something, and undoes it.
    pub fn attempt<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.mark();
        let outcome = what(self);
        self.undo(mark);
        outcome
    }

    fn undo_step(&mut self, step: Step) {
        let snapshot = &mut self.engine.snapshot;
        match step {
            Step::PodPlaced(uid) => snapshot.remove_pod(&uid),
            Step::PodRemoved(pod, node) => {
                let id = snapshot.id(&node).expect("what was done to the node since is undone");
                snapshot.place(pod, id);
            }
            Step::NodeSet(_, Some(old)) | Step::NodeRemoved(old) => snapshot.set_node(old),
            Step::NodeSet(name, None) => snapshot.remove_node(&name),
        }
    }
}
