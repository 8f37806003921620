//! Pods. There are many: what repeats is held once, and lists have no room to grow.

use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::apis::meta::v1::Time;
use windlass_core::meta::Interned;

/// What controllers read of each pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodView {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
    pub(crate) status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) creation_timestamp: Option<Time>,
    pub(crate) deletion_timestamp: Option<Time>,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) node_name: Interned,
    pub(crate) hostname: Interned,
    pub(crate) subdomain: Interned,
    pub(crate) tolerations: Box<[Toleration]>,
    pub(crate) containers: Box<[Container]>,
    pub(crate) volumes: Option<Box<[Volume]>>,
    pub(crate) resource_claims: Option<Box<[ResourceClaim]>>,
}

/// A claim for devices: one that is there, or one made from a template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResourceClaim {
    pub(crate) name: String,
    pub(crate) resource_claim_name: Option<String>,
    pub(crate) resource_claim_template_name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Toleration {
    pub(crate) key: Interned,
    pub(crate) operator: Interned,
    pub(crate) value: Interned,
    pub(crate) effect: Interned,
    pub(crate) toleration_seconds: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    pub(crate) ports: Option<Box<[ContainerPort]>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerPort {
    pub(crate) name: Interned,
    pub(crate) container_port: i32,
    pub(crate) protocol: Interned,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) persistent_volume_claim: Option<Claim>,
    pub(crate) ephemeral: Option<Ephemeral>,
}

/// A claim that lives as long as the pod: only that it is there matters here.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ephemeral {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Claim {
    pub(crate) claim_name: Box<str>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) phase: Interned,
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: Box<str>,
    #[serde(rename = "podIPs")]
    pub(crate) pod_ips: Box<[PodIp]>,
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) container_statuses: Option<Box<[ContainerStatus]>>,
    pub(crate) start_time: Option<Time>,
    pub(crate) resource_claim_statuses: Option<Box<[ResourceClaim]>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodIp {
    pub(crate) ip: Box<str>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: Interned,
    pub(crate) status: Interned,
    pub(crate) last_transition_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerStatus {
    pub(crate) restart_count: i32,
}

// === impl PodView ===

impl PodView {
    /// The condition of this type.
    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Its `Ready` condition is true.
    pub(crate) fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|condition| condition.status == "True")
    }

    /// All its containers have ended for good.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// It counts as a replica: neither ended nor ending.
    pub(crate) fn is_active(&self) -> bool {
        !self.is_terminal() && self.metadata.deletion_timestamp.is_none()
    }

    /// It ends, but its containers may still run.
    pub(crate) fn is_terminating(&self) -> bool {
        !self.is_terminal() && self.metadata.deletion_timestamp.is_some()
    }

    /// Since when it is ready.
    pub(crate) fn ready_since(&self) -> Option<jiff::Timestamp> {
        self.condition("Ready")
            .filter(|c| c.status == "True")?
            .last_transition_time
            .as_ref()
            .map(|time| time.0)
    }

    /// It has been ready for so long.
    pub(crate) fn is_available(&self, min_ready_seconds: i32, now: jiff::Timestamp) -> bool {
        self.is_ready()
            && (min_ready_seconds == 0
                || self.ready_since().is_some_and(|since| {
                    now.as_second() - since.as_second() >= i64::from(min_ready_seconds)
                }))
    }

    /// How often its containers were started again, all together.
    pub(crate) fn restarts(&self) -> i32 {
        self.status.container_statuses.iter().flatten().map(|status| status.restart_count).sum()
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The claims its volumes name; those of ephemeral volumes have names that follow from the pod's, `pod`.
    pub(crate) fn claims(&self, pod: &str) -> impl Iterator<Item = String> {
        self.spec.volumes.iter().flatten().filter_map(move |volume| {
            let named = volume.persistent_volume_claim.as_ref();
            let own = || volume.ephemeral.map(|_| format!("{pod}-{}", volume.name));
            named.map(|claim| claim.claim_name.to_string()).or_else(own)
        })
    }
}
