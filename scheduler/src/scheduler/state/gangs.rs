//! Groups of pods have their turn together.

use super::{Placed, State, Turn};
use crate::PodInfo;
use crate::framework::Unschedulable;
use crate::gang::{PodGroups, Policy};
use crate::queue::{GroupKey, QueuedPod};
use smallvec::SmallVec;
use std::sync::Arc;
use tokio::time::Instant;
use windlass_core::clock::Random;

const PLUGIN: &str = "GangScheduling";

impl State {
    /// Whether the groups of such a pod are heeded at all.
    pub(super) fn gangs_together(&self, pod: &PodInfo) -> bool {
        self.profiles.of(pod).has(PLUGIN)
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
        let pods: Vec<Arc<PodInfo>> = members.iter().map(|queued| queued.pod.clone()).collect();
        let Some(first) = pods.first() else { return };
        let profile = self.profiles.of(first).clone();
        let together = self.engine.place_together(&pods, needed, &profile, random);
        let mut members: Vec<Option<QueuedPod>> = members.into_iter().map(Some).collect();
        let mut take = |at: usize| members[at].take().expect("each has one outcome");
        let placed: SmallVec<[Placed; 1]> = together
            .placed
            .into_iter()
            .map(|(at, node)| (take(at), self.assume(&pods[at], node)))
            .collect();
        if !placed.is_empty() {
            self.taken.push_back(Turn::Placed(placed));
        }
        for (at, why) in together.refused {
            let queued = take(at);
            self.queue.park(queued.clone(), &why, now);
            self.taken.push_back(Turn::Refused(queued, why));
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
