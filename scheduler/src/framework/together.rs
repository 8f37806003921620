//! Pods that are placed whole or not at all.

use super::{Engine, Profile, Unschedulable};
use crate::PodInfo;
use crate::snapshot::NodeId;
use std::sync::Arc;
use windlass_core::clock::Random;

/// What became of pods that belong together: each with its place in the list that was given.
#[derive(Debug, Default)]
pub struct Together {
    /// Those that are on a node now; none, or as many as were needed at least.
    pub placed: Vec<(usize, NodeId)>,
    /// The others, with why.
    pub refused: Vec<(usize, Unschedulable)>,
}

impl Engine {
    /// Puts at least `needed` of these pods on nodes, or none of them. Nobody has to go for it.
    pub fn place_together(
        &mut self,
        pods: &[Arc<PodInfo>],
        needed: usize,
        profile: &Arc<Profile>,
        random: &dyn Random,
    ) -> Together {
        let mut together = Together::default();
        for (at, pod) in pods.iter().enumerate() {
            match self.place(pod, profile, random) {
                Ok(node) => {
                    self.snapshot.place(pod.clone(), node);
                    together.placed.push((at, node));
                }
                // Room that others leave for a part of a group may be in vain.
                Err(why) => {
                    let why = Unschedulable { nominated: None, victims: Vec::new(), ..why };
                    together.refused.push((at, why));
                }
            }
        }
        if together.placed.len() < needed {
            self.give_back(pods, needed, &mut together);
        }
        together
    }

    fn give_back(&mut self, pods: &[Arc<PodInfo>], needed: usize, together: &mut Together) {
        // What helps one of them helps all.
        let refused = together.refused.iter();
        let mut plugins: Vec<_> = refused.flat_map(|(_, why)| why.plugins.clone()).collect();
        plugins.sort_unstable();
        plugins.dedup();
        let count = together.placed.len();
        let message = format!("only {count} of {needed} pods of the gang have room");
        let why = Unschedulable { message, plugins, ..Unschedulable::default() };
        for (at, _) in std::mem::take(&mut together.placed) {
            self.snapshot.remove_pod(&pods[at].uid);
            together.refused.push((at, why.clone()));
        }
    }
}
