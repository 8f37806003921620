//! A node can have only so many volumes of a CSI driver.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::plugins::volumes::{self, Claim, Storage};
use crate::queue::ClusterEvent;
use crate::snapshot::NodeId;
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use std::collections::HashSet;
use std::sync::Arc;
use windlass_core::meta::Str;
use windlass_core::scheme;

/// Refuses nodes where a CSI driver could not attach the pod's volumes beside those that are there (`CSINode`).
pub struct NodeVolumeLimits;

/// A driver, and a volume's name there; a claim without a volume goes by its own name.
type Attached = (Str, String);

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        let columns =
            vec![(|| Box::<Storage>::default()) as fn() -> Box<dyn crate::framework::Columns>];
        Extensions { filter: Some(self), columns, ..Extensions::default() }
    }

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        if pod.claims.is_empty() { Reach::Nothing } else { Reach::Cluster }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match event {
            ClusterEvent::PodDeleted(other) => !other.claims.is_empty(),
            ClusterEvent::ObjectSet(resource, object) => {
                volumes::may_help(pod, resource, object, &[scheme::CSINODES])
            }
            ClusterEvent::NodeAdded(_) => true,
            _ => false,
        }
    }
}

impl Filter for NodeVolumeLimits {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let Some(storage) = cycle.snapshot.columns::<Storage>() else { return };
        let wanted: HashSet<Attached> =
            storage.claims(cycle.pod).filter_map(|claim| attached(storage, claim)).collect();
        if wanted.is_empty() || storage.limits.is_empty() {
            return;
        }
        let full: NodeSet = feasible
            .nodes()
            .iter()
            .filter(|node| is_full(cycle.snapshot, storage, *node, &wanted))
            .collect();
        feasible.refuse(full, "node(s) exceed max volume count");
    }
}

fn is_full(
    snapshot: &Snapshot,
    storage: &Storage,
    node: NodeId,
    wanted: &HashSet<Attached>,
) -> bool {
    let Some(limits) = storage.limits.get(snapshot.name(node)) else { return false };
    let limited = |driver: &Str| limits.iter().any(|(d, limit)| d == driver && limit.is_some());
    if !wanted.iter().any(|(driver, _)| limited(driver)) {
        return false;
    }
    let claims = storage.in_use.get(&node).into_iter().flat_map(|claims| claims.keys());
    let claims = claims.filter_map(|key| storage.claims.get(key));
    let there: HashSet<Attached> = claims.filter_map(|claim| attached(storage, claim)).collect();
    limits.iter().any(|(driver, limit)| {
        let count =
            |of: &mut dyn Iterator<Item = &Attached>| of.filter(|(d, _)| d == driver).count();
        let new = count(&mut wanted.difference(&there)) as i64;
        new > 0 && limit.is_some_and(|limit| count(&mut there.iter()) as i64 + new > limit)
    })
}

/// What a claim's volume is to its driver; none when it has none, or no driver will make it one.
fn attached(storage: &Storage, claim: &Claim) -> Option<Attached> {
    if let Some(volume) = storage.volumes.get(&claim.volume) {
        return volume.csi.clone();
    }
    let class = storage.classes.get(&claim.class)?;
    Some((class.provisioner.clone(), format!("{}/{}", claim.namespace, claim.name)))
}
