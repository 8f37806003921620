//! What of a pod's volumes matters for its place.

use serde::Deserialize;
use windlass_core::meta::{Str, intern};

/// A claim that a pod uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodClaim {
    /// Its name, in the pod's namespace.
    pub name: Str,
    /// It is made for the pod (a generic ephemeral volume).
    pub ephemeral: bool,
}

/// A disk that a pod names without a claim, and that not everybody can have at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disk {
    /// What makes two of them the same; a Ceph image has one for each monitor.
    pub ids: Box<[Str]>,
    /// All may have it who only read it.
    pub read_only: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Volume {
    name: String,
    persistent_volume_claim: Option<Claim>,
    ephemeral: Option<serde::de::IgnoredAny>,
    gce_persistent_disk: Option<Gce>,
    aws_elastic_block_store: Option<Aws>,
    iscsi: Option<Iscsi>,
    rbd: Option<Rbd>,
    image: Option<ImageSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    claim_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gce {
    pd_name: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
struct Aws {
    #[serde(rename = "volumeID")]
    volume_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iscsi {
    iqn: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rbd {
    #[serde(default)]
    monitors: Vec<String>,
    #[serde(default)]
    pool: String,
    image: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
struct ImageSource {
    #[serde(default)]
    reference: String,
}

// === impl Disk ===

impl Disk {
    /// Whether two pods can't have them on one node.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        !(self.read_only && other.read_only) && self.ids.iter().any(|id| other.ids.contains(id))
    }
}

// === impl Volume ===

impl Volume {
    pub(super) fn claim(&self, pod: &str) -> Option<PodClaim> {
        let named = self.persistent_volume_claim.as_ref();
        let named = named.map(|c| PodClaim { name: intern(&c.claim_name), ephemeral: false });
        named.or_else(|| {
            let name = intern(&format!("{pod}-{}", self.name));
            self.ephemeral.is_some().then_some(PodClaim { name, ephemeral: true })
        })
    }

    pub(super) fn image(&self) -> Option<&str> {
        self.image.as_ref().map(|image| image.reference.as_str())
    }

    pub(super) fn disk(&self) -> Option<Disk> {
        let one = |id: String, read_only| Disk { ids: [intern(&id)].into(), read_only };
        if let Some(gce) = &self.gce_persistent_disk {
            return Some(one(format!("gce/{}", gce.pd_name), gce.read_only));
        }
        if let Some(aws) = &self.aws_elastic_block_store {
            return Some(one(format!("aws/{}", aws.volume_id), false));
        }
        if let Some(iscsi) = &self.iscsi {
            return Some(one(format!("iscsi/{}", iscsi.iqn), iscsi.read_only));
        }
        let rbd = self.rbd.as_ref()?;
        let pool = if rbd.pool.is_empty() { "rbd" } else { &rbd.pool };
        let id = |monitor: &String| intern(&format!("rbd/{monitor}/{pool}/{}", rbd.image));
        Some(Disk { ids: rbd.monitors.iter().map(id).collect(), read_only: rbd.read_only })
    }
}
