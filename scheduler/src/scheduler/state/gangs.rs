//! Groups of pods have their turn together.

use super::{Placed, State, Turn};
use crate::PodInfo;
use crate::framework::Unschedulable;
use crate::gang::{PodGroups, Policy};
use crate::queue::{GroupKey, QueuedPod};
use smallvec::SmallVec;
use tokio::time::Instant;
use windlass_core::clock::Random;

const PLUGIN: &str = "GangScheduling";

impl State {
    /// Whether the groups of such a pod are heeded at all.
    pub(super) fn gangs_together(&self, pod: &PodInfo) -> bool {
        let plugins = self.profiles.of(pod).plugins();
        plugins.iter().any(|enabled| enabled.plugin.name() == PLUGIN)
    }

    /// The turn of a whole group; what became of it lies in `taken`.
    pub(super) fn gang_turn(
        &mut self,
        first: QueuedPod,
        group: &GroupKey,
        random: &dyn Random,
        now: Instant,
    ) {
        let groups = self.engine.snapshot.columns::<PodGroups>();
        let policy = groups.and_then(|groups| groups.policy(group));
        let placed = groups.map_or(0, |groups| groups.placed(group));
        let min_count = match policy {
            Some(Policy::Gang(min_count)) => min_count,
            Some(Policy::Basic) => {
                let turn = self.one_turn(first, random, now);
                return self.taken.push_back(turn);
            }
            None => {
                let text = format!("waiting for pod group {:?} to appear", &*group.1);
                return self.all_wait(vec![first], &text, now);
            }
        };
        let mut members = vec![first];
        members.extend(self.queue.take_group(group));
        if members.len() + placed < min_count {
            let text = "waiting for minCount pods from a gang to appear in scheduling queue";
            return self.all_wait(members, text, now);
        }
        self.place_all(members, min_count.saturating_sub(placed), random, now);
    }

    /// Places at least `needed` of these pods, or none.
    fn place_all(
        &mut self,
        members: Vec<QueuedPod>,
        needed: usize,
        random: &dyn Random,
        now: Instant,
    ) {
        let mut got: SmallVec<[Placed; 1]> = SmallVec::new();
        let mut refused: Vec<(QueuedPod, Unschedulable)> = Vec::new();
        for queued in members {
            let profile = self.profiles.of(&queued.pod).clone();
            match self.engine.place(&queued.pod, &profile, random) {
                Ok(id) => {
                    let placement = self.assume(&queued.pod, id);
                    got.push((queued, placement));
                }
                // Nobody goes for the sake of a part of a group.
                Err(why) => {
                    refused
                        .push((queued, Unschedulable { nominated: None, victims: vec![], ..why }));
                }
            }
        }
        if got.len() < needed {
            self.give_back(got, &mut refused, needed);
        } else if !got.is_empty() {
            self.taken.push_back(Turn::Placed(got));
        }
        for (queued, why) in refused {
            self.queue.park(queued.clone(), &why, now);
            self.taken.push_back(Turn::Refused(queued, why));
        }
    }

    fn give_back(
        &mut self,
        got: SmallVec<[Placed; 1]>,
        refused: &mut Vec<(QueuedPod, Unschedulable)>,
        needed: usize,
    ) {
        let mut plugins: Vec<_> = refused.iter().flat_map(|(_, why)| why.plugins.clone()).collect();
        plugins.sort_unstable();
        plugins.dedup();
        let message = format!("only {} of {needed} pods of the gang have room", got.len());
        for (queued, _) in got {
            self.assumed.remove(&queued.pod.uid);
            self.engine.snapshot.remove_pod(&queued.pod.uid);
            // What helps one of them helps all.
            let why = Unschedulable {
                message: message.clone(),
                plugins: plugins.clone(),
                ..Unschedulable::default()
            };
            refused.push((queued, why));
        }
    }

    fn all_wait(&mut self, members: Vec<QueuedPod>, message: &str, now: Instant) {
        for queued in members {
            let why = Unschedulable {
                message: message.to_owned(),
                plugins: vec![PLUGIN],
                ..Unschedulable::default()
            };
            self.queue.park(queued.clone(), &why, now);
            self.taken.push_back(Turn::Refused(queued, why));
        }
    }
}
