//! Which volumes a pod's claims could have on which node. Pure.

use super::assumed::Assumed;
use crate::framework::Reason;
use crate::plugins::node_affinity::select::{selected, with_values};
use crate::plugins::volumes::{Capacity, Claim, ClaimState, Class, Storage, Volume};
use crate::snapshot::NodeId;
use crate::{NodeSet, PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::apis::core::v1::TopologySelectorTerm;

/// The claims of a pod.
#[derive(Default)]
pub(super) struct Needs {
    /// Those that have a volume.
    pub(super) bound: Vec<Arc<Claim>>,
    /// Those that get one when the pod has a node.
    pub(super) waiting: Vec<Arc<Claim>>,
}

/// What a waiting claim could get.
pub(super) struct Want {
    pub(super) claim: Arc<Claim>,
    /// Volumes it fits, the smallest first, each with the nodes that can use it; none: all.
    volumes: Vec<(Arc<Volume>, Option<NodeSet>)>,
    /// Nodes for which one can be made.
    made: NodeSet,
    /// Those of them for which there is no space.
    no_space: NodeSet,
}

/// What a claim gets.
#[derive(Clone)]
pub(crate) enum Choice {
    /// This volume.
    Bind(Arc<Claim>, Arc<Volume>),
    /// A volume that is made for the node.
    Provision(Arc<Claim>),
}

/// Why the claims can't have volumes on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Volumes,
    Space,
}

// === impl Needs ===

impl Needs {
    /// # Errors
    /// Why the pod can go nowhere for now.
    pub(super) fn of(storage: &Storage, pod: &PodInfo) -> Result<Self, Reason> {
        let mut needs = Self::default();
        let mut unbound = false;
        for wanted in &pod.claims {
            let name = &*wanted.name;
            let claim = storage.claims.get(&(pod.namespace.clone(), wanted.name.clone()));
            let claim = claim.ok_or_else(|| match wanted.ephemeral {
                true => format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"),
                false => format!("persistentvolumeclaim {name:?} not found"),
            })?;
            usable(claim, pod, wanted.ephemeral)?;
            let class = storage.classes.get(&claim.class);
            let waits = claim.volume.is_empty() && class.is_some_and(|class| class.waits);
            match claim.state {
                ClaimState::Bound => needs.bound.push(claim.clone()),
                _ if waits => needs.waiting.push(claim.clone()),
                _ => unbound = true,
            }
        }
        if unbound {
            return Err("pod has unbound immediate PersistentVolumeClaims".into());
        }
        // The small ones first, so that they leave the large volumes to the others.
        needs.waiting.sort_by_key(|claim| claim.request);
        Ok(needs)
    }
}

fn usable(claim: &Claim, pod: &PodInfo, ephemeral: bool) -> Result<(), Reason> {
    let (name, namespace) = (&*claim.name, &claim.namespace);
    match claim.state {
        ClaimState::Lost => {
            let volume = &*claim.volume;
            Err(format!(
                "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
            )
            .into())
        }
        ClaimState::Deleting => {
            Err(format!("persistentvolumeclaim {name:?} is being deleted").into())
        }
        _ if ephemeral && !claim.owners.iter().any(|uid| **uid == *pod.uid) => {
            let pod = format!("{namespace}/{}", pod.name);
            Err(format!("PVC {namespace}/{name} was not created for pod {pod} (pod is not owner)")
                .into())
        }
        _ => Ok(()),
    }
}

// === impl Want ===

impl Want {
    pub(super) fn new(
        snapshot: &Snapshot,
        storage: &Storage,
        claim: &Arc<Claim>,
        assumed: &Assumed,
    ) -> Self {
        let class = storage.classes.get(&claim.class);
        let mut made = match class {
            Some(class) if class.provisions() => allowed(snapshot, &class.topologies),
            _ => NodeSet::default(),
        };
        let selected = assumed.node(claim).or(claim.selected_node.as_deref());
        let volumes = match selected {
            // It is being made for a node already.
            Some(node) => {
                made.intersect(&snapshot.id(node).into_iter().collect());
                Vec::new()
            }
            None => candidates(snapshot, storage, claim, assumed),
        };
        let no_space = match class {
            Some(class) => full(snapshot, storage, class, claim, &made),
            None => NodeSet::default(),
        };
        Self { claim: claim.clone(), volumes, made, no_space }
    }

    /// What the claim gets on a node where these choices were made for others.
    fn choose(&self, node: NodeId, others: &[Choice], assumed: &Assumed) -> Result<Choice, Lack> {
        let taken = |volume: &Volume| {
            let by_other =
                |choice: &Choice| matches!(choice, Choice::Bind(_, v) if v.name == volume.name);
            others.iter().any(by_other) || assumed.by_other(volume, &self.claim)
        };
        let usable = |nodes: &Option<NodeSet>| nodes.as_ref().is_none_or(|n| n.contains(node));
        let volume = self.volumes.iter().find(|(v, nodes)| usable(nodes) && !taken(v));
        match volume {
            Some((volume, _)) => Ok(Choice::Bind(self.claim.clone(), volume.clone())),
            None if !self.made.contains(node) => Err(Lack::Volumes),
            None if self.no_space.contains(node) => Err(Lack::Space),
            None => Ok(Choice::Provision(self.claim.clone())),
        }
    }
}

/// What all claims get on a node.
pub(super) fn choose(wants: &[Want], node: NodeId, assumed: &Assumed) -> Result<Vec<Choice>, Lack> {
    let mut choices = Vec::with_capacity(wants.len());
    for want in wants {
        choices.push(want.choose(node, &choices, assumed)?);
    }
    Ok(choices)
}

/// The volumes that a claim fits. One that was set aside for it leaves no other choice.
fn candidates(
    snapshot: &Snapshot,
    storage: &Storage,
    claim: &Claim,
    assumed: &Assumed,
) -> Vec<(Arc<Volume>, Option<NodeSet>)> {
    let mut volumes: Vec<_> = storage.volumes.values().filter(|v| v.fits(claim)).collect();
    let own = |volume: &&Arc<Volume>| volume.is_for(claim) || assumed.for_claim(volume, claim);
    if volumes.iter().any(own) {
        volumes.retain(own);
    }
    volumes.sort_by(|a, b| (a.capacity, &a.name).cmp(&(b.capacity, &b.name)));
    let nodes = |volume: &Volume| volume.affinity.as_ref().map(|a| selected(snapshot, a));
    volumes.into_iter().map(|volume| (volume.clone(), nodes(volume))).collect()
}

/// The nodes where a class may make volumes.
fn allowed(snapshot: &Snapshot, terms: &[TopologySelectorTerm]) -> NodeSet {
    if terms.is_empty() {
        return snapshot.nodes().clone();
    }
    let mut any = NodeSet::default();
    for term in terms {
        let expressions = term.match_label_expressions.iter().flatten();
        let mut sets = expressions.map(|expression| {
            let listed = |value: &str| expression.values.iter().any(|v| v == value);
            with_values(snapshot, &expression.key, listed)
        });
        let Some(mut all) = sets.next() else { continue };
        for set in sets {
            all.intersect(&set);
        }
        any.unite(&all);
    }
    any
}

/// Those of the nodes for which the driver can't make a volume of this size any more, as far as it says (KEP-1472).
fn full(
    snapshot: &Snapshot,
    storage: &Storage,
    class: &Class,
    claim: &Claim,
    made: &NodeSet,
) -> NodeSet {
    if !storage.drivers.get(&class.provisioner).copied().unwrap_or(false) {
        return NodeSet::default();
    }
    let fits =
        |capacity: &&Arc<Capacity>| capacity.class == claim.class && capacity.holds(claim.request);
    let places: Vec<_> = storage.capacities.values().filter(fits).collect();
    let reaches = |node: NodeId| {
        let labels = &snapshot.node(node).labels;
        places.iter().any(|place| place.nodes.as_ref().is_some_and(|s| s.matches(labels)))
    };
    made.iter().filter(|node| !reaches(*node)).collect()
}
