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
        let missing = match self.missing(group) {
            Some(Policy::Gang(missing)) if missing > 0 => missing,
            // Each for itself, as those do who come to a gang that has enough.
            Some(_) => {
                let turn = self.one_turn(first, random, now);
                return self.taken.push_back(turn);
            }
            None => {
                let text = format!("waiting for pod group {:?} to appear", &*group.1);
                return self.waits(first, text, now);
            }
        };
        // Those that are there wait for the others without a look at each of them.
        if self.queue.group_len(group) + 1 < missing {
            let text = "waiting for minCount pods from a gang to appear in scheduling queue";
            return self.waits(first, text.to_owned(), now);
        }
        let mut members = vec![first];
        members.extend(self.queue.take_group(group));
        self.place_all(members, missing, random, now);
    }

    /// A pod of a group has come. Those that wait are tried when they are enough.
    pub(super) fn gang_grew(&mut self, group: &GroupKey, now: Instant) {
        if let Some(Policy::Gang(missing)) = self.missing(group)
            && missing > 0
            && self.queue.group_len(group) >= missing
        {
            self.queue.rouse_group(group, now);
        }
    }

    /// How a group is placed: of a gang, how many must have nodes beside those that have.
    fn missing(&self, group: &GroupKey) -> Option<Policy> {
        let groups = self.engine.snapshot.columns::<PodGroups>()?;
        let rest = |min_count: usize| min_count.saturating_sub(groups.placed(group));
        Some(match groups.policy(group)? {
            Policy::Basic => Policy::Basic,
            Policy::Gang(min_count) => Policy::Gang(rest(min_count)),
        })
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
            .map(|(at, node)| (take(at), self.assume(&pods[at], node, now)))
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

    fn waits(&mut self, queued: QueuedPod, message: String, now: Instant) {
        let why = Unschedulable { message, plugins: vec![PLUGIN], ..Unschedulable::default() };
        self.queue.park(queued.clone(), &why, now);
        self.taken.push_back(Turn::Refused(queued, why));
    }
}
