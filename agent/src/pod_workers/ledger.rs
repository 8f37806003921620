//! What the pods here have of the node's cpu and memory, and who waits for more.

use super::admission::{self, Taken};
use super::memory::{Rejection, Resize};
use crate::config::Config;
use crate::pod::PodExt;
use crate::resources::requests;
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::apis::core::v1::Pod;

/// The node's accounts.
#[derive(Default)]
pub(crate) struct Ledger {
    taken: Taken,
    /// The pods whose wish for more was deferred.
    waiting: BTreeSet<String>,
}

// === impl Ledger ===

impl Ledger {
    /// Takes what a pod asks for; why it may not run here, if so. One that `runs` already has it.
    pub(super) fn admit(
        &mut self,
        pod: &Pod,
        runs: bool,
        config: &Config,
        node_labels: &BTreeMap<String, String>,
    ) -> Option<Rejection> {
        let rejection =
            if runs { None } else { admission::admit(pod, &self.taken, config, node_labels) };
        if rejection.is_none() {
            self.taken.insert(pod.uid().to_owned(), requests(pod));
        }
        rejection
    }

    /// Gives back what a pod has; the uids of those that wait for something.
    #[must_use]
    pub(super) fn release(&mut self, uid: &str) -> Vec<String> {
        self.waiting.remove(uid);
        match self.taken.remove(uid) {
            Some(_) => self.waiting.iter().cloned().collect(),
            None => Vec::new(),
        }
    }

    /// Takes what a pod asks for now in the place of what it has (KEP-1287); the uids of those that wait for something.
    ///
    /// # Errors
    /// Why it can't have it yet, or ever.
    pub(super) fn resize(&mut self, pod: &Pod, config: &Config) -> Result<Vec<String>, Resize> {
        let fits = admission::can_ever(pod, config).map_err(Resize::Infeasible).and_then(|()| {
            admission::resources(pod, &self.taken, config).map_err(Resize::Deferred)
        });
        match fits {
            Ok(()) => {
                self.waiting.remove(pod.uid());
                self.taken.insert(pod.uid().to_owned(), requests(pod));
                Ok(self.waiting.iter().cloned().collect())
            }
            Err(no) => {
                if matches!(no, Resize::Deferred(_)) {
                    self.waiting.insert(pod.uid().to_owned());
                }
                Err(no)
            }
        }
    }
}
