//! Disks that not everybody can have at a time.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::plugins::volumes::{self, Storage};
use crate::queue::ClusterEvent;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use std::sync::Arc;

/// Refuses nodes where a pod has a disk that this one names too (GCE, AWS, iSCSI, Ceph), and all nodes while
/// another pod uses a claim of mode `ReadWriteOncePod`.
pub struct VolumeRestrictions;

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        let columns =
            vec![(|| Box::<Storage>::default()) as fn() -> Box<dyn crate::framework::Columns>];
        Extensions { filter: Some(self), columns, ..Extensions::default() }
    }

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        let none = pod.claims.is_empty() && pod.disks.is_empty();
        if none { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match event {
            ClusterEvent::PodDeleted(other) => {
                let claims = other.namespace == pod.namespace
                    && other.claims.iter().any(|claim| pod.claims.contains(claim));
                let conflict = |disk| pod.disks.iter().any(|own| own.conflicts(disk));
                claims || other.disks.iter().any(conflict)
            }
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::ObjectSet(resource, object) => {
                volumes::may_help(pod, resource, object, &[])
            }
            _ => false,
        }
    }
}

impl Filter for VolumeRestrictions {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let pod = cycle.pod;
        let Some(storage) = cycle.snapshot.columns::<Storage>() else { return };
        let mut taken = NodeSet::default();
        for disk in &pod.disks {
            for [readers, writers] in disk.ids.iter().filter_map(|id| storage.disks.get(id)) {
                let readers = readers.keys().filter(|_| !disk.read_only);
                readers.chain(writers.keys()).for_each(|node| taken.set(*node, true));
            }
        }
        taken.intersect(feasible.nodes());
        feasible.refuse(taken, "node(s) had no available disk");
        let used = |claim: &Arc<crate::plugins::volumes::Claim>| {
            claim.for_one_pod()
                && storage.users.contains_key(&(claim.namespace.clone(), claim.name.clone()))
        };
        if storage.claims(pod).any(used) {
            let reason = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
            feasible.refuse(feasible.nodes().clone(), reason);
        }
    }
}
