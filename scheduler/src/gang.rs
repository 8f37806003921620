//! `GangScheduling`: the pods of a PodGroup get nodes together or not at all (KEP-4671).
//!
//! A group's pods have their turn together. When fewer than `minCount` of them fit, those that did give their nodes back
//! before anybody else has a turn, and all wait; nothing of it leaves the scheduler. So nobody holds nodes while he waits
//! for others, and two groups can't keep each other from running.

use crate::framework::{Columns, Extensions, Plugin, Reach};
use crate::queue::{GroupKey, group_of};
use crate::snapshot::NodeId;
use crate::{ClusterEvent, PodClass, PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::GroupVersionResource;

/// The resource that groups are.
pub const POD_GROUPS: GroupVersionResource =
    GroupVersionResource::new("scheduling.k8s.io", "v1alpha2", "podgroups");

/// Places pods of a PodGroup together. Off in the default profile, as in Kubernetes.
#[derive(Clone, Copy, Debug, Default)]
pub struct GangScheduling;

/// The groups and how many of their pods have nodes.
#[derive(Clone, Default)]
pub(crate) struct PodGroups {
    policies: FxHashMap<GroupKey, Policy>,
    placed: FxHashMap<GroupKey, usize>,
}

/// How the pods of a group are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Each for itself.
    Basic,
    /// So many at once at least.
    Gang(usize),
}

#[derive(Deserialize)]
struct View {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    scheduling_policy: SchedulingPolicy,
}

#[derive(Deserialize)]
struct SchedulingPolicy {
    gang: Option<Gang>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gang {
    min_count: usize,
}

impl Plugin for GangScheduling {
    fn name(&self) -> &'static str {
        "GangScheduling"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { columns: vec![|| Box::<PodGroups>::default()], ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }

    /// A group that came or changed; a pod of the group that came is no event, but wakes the others of it.
    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        let group = |object: &Object| {
            *object.namespace() == *pod.namespace && *object.name() == *pod.pod_group
        };
        matches!(event, ClusterEvent::ObjectSet(resource, object) if *resource == POD_GROUPS && group(object))
    }

    fn hears(&self, event: &ClusterEvent) -> bool {
        matches!(event, ClusterEvent::ObjectSet(resource, _) if *resource == POD_GROUPS)
    }
}

impl PodGroups {
    /// How a group is placed; none while there is no such group.
    pub(crate) fn policy(&self, group: &GroupKey) -> Option<Policy> {
        self.policies.get(group).copied()
    }

    /// How many pods of a group have a node.
    pub(crate) fn placed(&self, group: &GroupKey) -> usize {
        self.placed.get(group).copied().unwrap_or(0)
    }
}

impl Columns for PodGroups {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn watches(&self) -> Vec<GroupVersionResource> {
        vec![POD_GROUPS]
    }

    fn pod_added(&mut self, _: &Snapshot, _: NodeId, pod: &Arc<PodInfo>) {
        if let Some(group) = group_of(pod) {
            *self.placed.entry(group).or_default() += 1;
        }
    }

    fn pod_removed(&mut self, _: &Snapshot, _: NodeId, pod: &Arc<PodInfo>) {
        let Some(group) = group_of(pod) else { return };
        if let Some(count) = self.placed.get_mut(&group) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.placed.remove(&group);
            }
        }
    }

    fn object_set(&mut self, _: &Snapshot, resource: &GroupVersionResource, object: &Arc<Object>) {
        if *resource != POD_GROUPS {
            return;
        }
        let key = (object.header().namespace.clone(), object.name().into());
        match object.view::<View>() {
            Ok(View { spec }) => {
                let gang = spec.scheduling_policy.gang;
                let policy = gang.map_or(Policy::Basic, |gang| Policy::Gang(gang.min_count));
                self.policies.insert(key, policy);
            }
            Err(error) => tracing::error!(group = object.name(), %error, "PodGroup left out"),
        }
    }

    fn object_removed(
        &mut self,
        _: &Snapshot,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
    ) {
        if *resource == POD_GROUPS {
            self.policies.remove(&(object.header().namespace.clone(), object.name().into()));
        }
    }
}
