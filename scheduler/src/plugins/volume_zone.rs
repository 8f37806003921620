//! Volumes of a zone can be used from nodes of that zone.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, PreFilter, Reach, Reason};
use crate::plugins::node_affinity::select::with_values;
use crate::plugins::volumes::{self, ClaimState, Storage, Volume};
use crate::queue::ClusterEvent;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::scheme;

/// Refuses nodes that are not in the zone or region that a label of one of the pod's volumes names.
pub struct VolumeZone;

const LABELS: [(&str, &str); 4] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "topology.kubernetes.io/region"),
];

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            pre_filter: Some(self.clone()),
            filter: Some(self),
            columns: vec![|| Box::<Storage>::default()],
            ..Extensions::default()
        }
    }

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        if pod.claims.is_empty() { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
            ClusterEvent::ObjectSet(resource, object) => {
                let others = [scheme::PERSISTENTVOLUMES, scheme::STORAGECLASSES];
                volumes::may_help(pod, resource, object, &others)
            }
            _ => false,
        }
    }
}

impl PreFilter for VolumeZone {
    fn pre_filter(&self, cycle: &mut Cycle<'_>) -> Result<(), Reason> {
        let Some(storage) = cycle.snapshot.columns::<Storage>() else { return Ok(()) };
        for claim in storage.claims(cycle.pod).filter(|claim| claim.volume.is_empty()) {
            if claim.class.is_empty() {
                return Err("PersistentVolumeClaim had no pv name and storageClass name".into());
            }
            let class = storage.classes.get(&claim.class);
            let class = class.ok_or_else(|| {
                format!("storageclass.storage.k8s.io {:?} not found", &*claim.class)
            })?;
            if !class.waits {
                return Err("PersistentVolume had no name".into());
            }
        }
        let bound = storage.claims(cycle.pod).filter(|claim| claim.state == ClaimState::Bound);
        for claim in bound {
            if !storage.volumes.contains_key(&claim.volume) {
                return Err(format!("persistentvolume {:?} not found", &*claim.volume).into());
            }
        }
        Ok(())
    }
}

impl Filter for VolumeZone {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let Some(storage) = cycle.snapshot.columns::<Storage>() else { return };
        let claims = storage.claims(cycle.pod);
        let volumes: Vec<_> = claims.filter_map(|c| storage.volumes.get(&c.volume)).collect();
        let zoned = |v: &&Arc<Volume>| LABELS.iter().any(|(label, _)| value(v, label).is_some());
        if !volumes.iter().any(zoned) {
            return;
        }
        // A node without any of the labels is in a cluster without zones.
        let mut labelled = NodeSet::default();
        for (label, _) in LABELS {
            labelled.unite(&with_values(cycle.snapshot, label, |_| true));
        }
        let mut fits = labelled.clone();
        for volume in volumes {
            for (label, newer) in LABELS {
                if let Some(zones) = value(volume, label) {
                    fits.intersect(&in_zones(cycle.snapshot, label, newer, zones));
                }
            }
        }
        let mut out = labelled;
        out.subtract(&fits);
        out.intersect(feasible.nodes());
        feasible.refuse(out, "node(s) had no available volume zone");
    }
}

fn value<'a>(volume: &'a Volume, label: &str) -> Option<&'a str> {
    volume.labels.iter().find(|(key, _)| **key == *label).map(|(_, value)| &**value)
}

/// Nodes with one of the zones (`a__b`) under the volume's label, or else under the one that took its place.
fn in_zones(snapshot: &Snapshot, label: &str, newer: &str, zones: &str) -> NodeSet {
    let listed = |value: &str| zones.split("__").any(|zone| zone.trim() == value);
    let mut with = with_values(snapshot, label, listed);
    let mut newer = with_values(snapshot, newer, listed);
    newer.subtract(&with_values(snapshot, label, |_| true));
    with.unite(&newer);
    with
}
