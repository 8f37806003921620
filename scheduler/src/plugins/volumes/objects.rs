//! Claims, volumes and what else there is of storage, as far as it matters for a pod's place.

use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::Object;
use windlass_core::apis::core::v1::{
    NodeSelector, PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm,
};
use windlass_core::apis::storage::v1::{CSINode, CSIStorageCapacity, StorageClass};
use windlass_core::meta::{LabelSelector, Quantity, Str, intern};
use windlass_core::object::Labels;

pub(crate) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const ONE_POD: &str = "ReadWriteOncePod";

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claim {
    pub(crate) namespace: Str,
    pub(crate) name: Str,
    pub(crate) uid: Box<str>,
    /// The volume it has, or wants; mostly there.
    pub(crate) volume: Str,
    pub(crate) class: Str,
    pub(crate) access_modes: Vec<String>,
    pub(crate) block: bool,
    pub(crate) request: i64,
    pub(crate) selector: Option<LabelSelector>,
    /// The node it is to be made for.
    pub(crate) selected_node: Option<String>,
    pub(crate) state: ClaimState,
    /// Pods it was made for.
    pub(crate) owners: Vec<String>,
}

/// How far a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimState {
    Pending,
    Bound,
    Lost,
    Deleting,
}

/// A PersistentVolume.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Volume {
    pub(crate) name: Str,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) labels: Labels,
    pub(crate) class: Str,
    pub(crate) capacity: i64,
    pub(crate) access_modes: Vec<String>,
    pub(crate) block: bool,
    /// Namespace, name and uid (may be empty) of the claim it is for.
    pub(crate) claim: Option<(String, String, String)>,
    pub(crate) affinity: Option<NodeSelector>,
    pub(crate) available: bool,
    pub(crate) deleting: bool,
    /// CSI driver and the volume's name there.
    pub(crate) csi: Option<(Str, String)>,
}

/// A StorageClass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    pub(crate) provisioner: Str,
    /// Volumes are bound when the first pod that uses them has a node.
    pub(crate) waits: bool,
    pub(crate) topologies: Vec<TopologySelectorTerm>,
}

/// What a CSI driver can still make somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capacity {
    pub(crate) class: Str,
    /// Nodes with such labels can use it; none: no node.
    pub(crate) nodes: Option<LabelSelector>,
    pub(crate) capacity: Option<i64>,
    pub(crate) largest: Option<i64>,
}

/// A CSIDriver.
#[derive(Deserialize)]
struct Driver {
    spec: DriverSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DriverSpec {
    storage_capacity: bool,
}

type Amounts = BTreeMap<String, windlass_core::apis::Quantity>;

// === impl Claim ===

impl Claim {
    pub(crate) fn new(object: &Object) -> windlass_core::Result<Self> {
        let PersistentVolumeClaim { metadata, spec, status } = object.view()?;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let notes = metadata.annotations.unwrap_or_default();
        let volume = spec.volume_name.unwrap_or_default();
        let state = match status.phase.as_deref() {
            _ if metadata.deletion_timestamp.is_some() => ClaimState::Deleting,
            Some("Lost") => ClaimState::Lost,
            _ if !volume.is_empty() && notes.contains_key(BIND_COMPLETED) => ClaimState::Bound,
            _ => ClaimState::Pending,
        };
        let class = notes.get(CLASS).cloned().or(spec.storage_class_name).unwrap_or_default();
        let owners = metadata.owner_references.unwrap_or_default();
        let owners = owners.into_iter().filter(|owner| owner.controller == Some(true));
        Ok(Self {
            namespace: object.header().namespace.clone(),
            name: intern(object.name()),
            uid: object.header().uid.clone(),
            volume: intern(&volume),
            class: intern(&class),
            access_modes: spec.access_modes.unwrap_or_default(),
            block: spec.volume_mode.as_deref() == Some("Block"),
            request: storage(spec.resources.and_then(|resources| resources.requests).as_ref()),
            selector: spec.selector.and_then(|selector| LabelSelector::from_api(&selector).ok()),
            selected_node: notes.get(SELECTED_NODE).filter(|node| !node.is_empty()).cloned(),
            state,
            owners: owners.map(|owner| owner.uid).collect(),
        })
    }

    /// Its namespace and name.
    pub(crate) fn key(&self) -> (Str, Str) {
        (self.namespace.clone(), self.name.clone())
    }

    /// Only one pod may use it at a time.
    pub(crate) fn for_one_pod(&self) -> bool {
        self.access_modes.iter().any(|mode| mode == ONE_POD)
    }
}

// === impl Volume ===

impl Volume {
    pub(crate) fn new(object: &Object) -> windlass_core::Result<Self> {
        let PersistentVolume { metadata, spec, status } = object.view()?;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let notes = metadata.annotations.unwrap_or_default();
        let class = notes.get(CLASS).cloned().or(spec.storage_class_name).unwrap_or_default();
        let text = |text: Option<String>| text.unwrap_or_default();
        Ok(Self {
            name: intern(object.name()),
            uid: text(metadata.uid),
            resource_version: object.header().resource_version.to_string(),
            labels: object.header().labels.clone(),
            class: intern(&class),
            capacity: storage(spec.capacity.as_ref()),
            access_modes: spec.access_modes.unwrap_or_default(),
            block: spec.volume_mode.as_deref() == Some("Block"),
            claim: spec.claim_ref.map(|c| (text(c.namespace), text(c.name), text(c.uid))),
            affinity: spec.node_affinity.and_then(|affinity| affinity.required),
            available: status.phase.as_deref() == Some("Available"),
            deleting: object.header().deleting,
            csi: spec.csi.map(|csi| (intern(&csi.driver), csi.volume_handle)),
        })
    }

    /// Whether it was set aside for this claim.
    pub(crate) fn is_for(&self, claim: &Claim) -> bool {
        self.claim.as_ref().is_some_and(|(namespace, name, uid)| {
            **namespace == *claim.namespace
                && **name == *claim.name
                && (uid.is_empty() || **uid == *claim.uid)
        })
    }

    /// Whether the claim may take it, wherever it is.
    pub(crate) fn fits(&self, claim: &Claim) -> bool {
        if self.capacity < claim.request || self.block != claim.block || self.deleting {
            return false;
        }
        let modes = claim.access_modes.iter().all(|mode| self.access_modes.contains(mode));
        let selected = claim.selector.as_ref().is_none_or(|s| s.matches(&self.labels));
        let free = self.claim.is_none() && self.available && self.class == claim.class;
        self.is_for(claim) || (free && selected && modes)
    }
}

// === impl Class ===

impl Class {
    pub(crate) fn new(object: &Object) -> windlass_core::Result<Self> {
        let class: StorageClass = object.view()?;
        Ok(Self {
            provisioner: intern(&class.provisioner),
            waits: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            topologies: class.allowed_topologies.unwrap_or_default(),
        })
    }

    /// Whether somebody makes its volumes.
    pub(crate) fn provisions(&self) -> bool {
        !matches!(&*self.provisioner, "" | "kubernetes.io/no-provisioner")
    }
}

// === impl Capacity ===

impl Capacity {
    pub(crate) fn new(object: &Object) -> windlass_core::Result<Self> {
        let capacity: CSIStorageCapacity = object.view()?;
        let bytes = |q: windlass_core::apis::Quantity| Some(q.0.parse::<Quantity>().ok()?.units());
        let nodes = capacity.node_topology.and_then(|s| LabelSelector::from_api(&s).ok());
        Ok(Self {
            class: intern(&capacity.storage_class_name),
            nodes,
            capacity: capacity.capacity.and_then(bytes),
            largest: capacity.maximum_volume_size.and_then(bytes),
        })
    }

    /// Whether a volume of this size can be made from it.
    pub(crate) fn holds(&self, size: i64) -> bool {
        self.largest.or(self.capacity).is_some_and(|limit| limit >= size)
    }
}

/// The drivers of a node, each with the number of volumes it can attach there.
pub(crate) fn limits(object: &Object) -> windlass_core::Result<Vec<(Str, Option<i64>)>> {
    let node: CSINode = object.view()?;
    let drivers = node.spec.drivers.into_iter();
    let count = |count: Option<i32>| count.map(i64::from);
    Ok(drivers.map(|d| (intern(&d.name), count(d.allocatable.and_then(|a| a.count)))).collect())
}

/// Whether a driver says how much it can still make.
pub(crate) fn tracks_capacity(object: &Object) -> windlass_core::Result<bool> {
    Ok(object.view::<Driver>()?.spec.storage_capacity)
}

fn storage(amounts: Option<&Amounts>) -> i64 {
    let amount = amounts.and_then(|amounts| amounts.get("storage"));
    amount.and_then(|q| q.0.parse::<Quantity>().ok()).map_or(0, Quantity::units)
}
