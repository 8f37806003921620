//! Pods that belong together, as far as they wait and no gate keeps them out.

use super::{Queue, QueuedPod};
use crate::PodInfo;
use tokio::time::Instant;
use windlass_core::meta::Str;

/// Namespace and name of a PodGroup.
pub(crate) type GroupKey = (Str, Str);

/// The group that a pod belongs to.
pub(crate) fn group_of(pod: &PodInfo) -> Option<GroupKey> {
    (!pod.pod_group.is_empty()).then(|| (pod.namespace.clone(), pod.pod_group.clone()))
}

impl Queue {
    /// How many pods of a group wait.
    pub(crate) fn group_len(&self, group: &GroupKey) -> usize {
        self.groups.get(group).map_or(0, |uids| uids.len())
    }

    /// All pods of a group that wait, in the order they came. The others are looked at once, however many these are.
    pub(crate) fn take_group(&mut self, group: &GroupKey) -> Vec<QueuedPod> {
        let uids = self.groups.remove(group).unwrap_or_default();
        let active = self.is_active.len();
        let take = |uid: &str| {
            let waited = self.backing_off.remove(uid).or_else(|| self.unschedulable.remove(uid));
            waited.or_else(|| self.is_active.remove(uid))
        };
        let mut taken: Vec<_> = uids.iter().map(AsRef::as_ref).filter_map(take).collect();
        if self.is_active.len() < active {
            self.active.retain(|queued| !uids.contains(&queued.pod.uid));
        }
        taken.sort_by_key(|queued| queued.sequence);
        taken
    }

    /// Lets those of a group that wait for an event have their turn, after their back-off.
    pub(crate) fn rouse_group(&mut self, group: &GroupKey, now: Instant) {
        let uids: Vec<Box<str>> = self.groups.get(group).into_iter().flatten().cloned().collect();
        uids.iter().for_each(|uid| self.rouse(uid, now));
    }

    pub(super) fn join_group(&mut self, pod: &PodInfo) {
        if let Some(group) = group_of(pod) {
            self.groups.entry(group).or_default().insert(pod.uid.clone());
        }
    }

    pub(super) fn leave_group(&mut self, pod: &PodInfo) {
        let Some(group) = group_of(pod) else { return };
        if let Some(uids) = self.groups.get_mut(&group) {
            uids.remove(&pod.uid);
            if uids.is_empty() {
                self.groups.remove(&group);
            }
        }
    }
}
