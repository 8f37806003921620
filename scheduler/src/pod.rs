//! What the scheduler knows of a pod.

mod affinity;
mod requests;
mod shared;
mod spread;
mod volumes;

pub use affinity::{PodTerm, PodTerms};
pub use spread::SpreadConstraint;
pub use volumes::{Disk, PodClaim};

use crate::snapshot::Resources;
use jiff::Timestamp;
use requests::{Amounts, ContainerStatus, DEFAULT_REQUESTS, Requests};
use serde::Deserialize;
use shared::share;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use volumes::Volume;
use windlass_core::apis::core::v1::{Affinity, NodeAffinity, Toleration, TopologySpreadConstraint};
use windlass_core::meta::{Str, intern};
use windlass_core::object::{Labels, Object};

/// A pod as filters and scores see it: what is its own, and the [class](PodClass) it is of, to which it derefs.
#[derive(Clone, Debug, PartialEq)]
pub struct PodInfo {
    /// Its name.
    pub name: Box<str>,
    /// Its uid.
    pub uid: Box<str>,
    /// The node it is bound to; empty while it is not.
    pub node_name: Str,
    /// The node that it is promised (`status.nominatedNodeName`); mostly empty.
    pub nominated_node_name: Str,
    /// It has ended: it needs nothing any more.
    pub terminal: bool,
    /// Its end has been asked for.
    pub deleting: bool,
    /// The scheduler has ended it to make room (condition `DisruptionTarget`).
    pub preempted: bool,
    /// Since when it runs, in seconds of Unix time, once an agent has said so.
    pub started: Option<i64>,
    /// What it demands and is.
    pub class: Arc<PodClass>,
}

/// What pods made from one template have in common: all that decides where a pod may go, its namespace and labels
/// included. Equal ones are mostly one allocation ([`PodInfo::new`] shares them), so that one answer serves all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodClass {
    /// Its namespace.
    pub namespace: Str,
    /// Its labels.
    pub labels: Labels,
    /// Higher goes first.
    pub priority: i32,
    /// `preemptionPolicy: Never`: it takes no room from others.
    pub never_preempts: bool,
    /// Which scheduler shall place it.
    pub scheduler_name: Str,
    /// The PodGroup it belongs to (`spec.schedulingGroup.podGroupName`); mostly empty.
    pub pod_group: Str,
    /// What it asks for, one pod included.
    pub requests: Resources,
    /// The same, with a least amount of CPU and memory where it asks for none; for scores.
    pub non_zero_requests: Resources,
    /// Ports of the node it wants.
    pub host_ports: Vec<HostPort>,
    /// Labels its node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Which nodes it demands and likes.
    pub node_affinity: Option<Box<NodeAffinity>>,
    /// Which company it demands and likes.
    pub pod_terms: Option<Box<PodTerms>>,
    /// How it and its like shall be spread.
    pub spread: Box<[SpreadConstraint]>,
    /// Its containers' images and those it mounts, tags included, one for each use.
    pub images: Box<[Str]>,
    /// The claims of its volumes.
    pub claims: Box<[PodClaim]>,
    /// Disks it names without a claim.
    pub disks: Box<[Disk]>,
    /// Kind and name of what manages it.
    pub controller: Option<(Str, Box<str>)>,
    /// The taints it bears.
    pub tolerations: Vec<Toleration>,
    /// Names of the gates that keep it from being scheduled.
    pub scheduling_gates: Vec<String>,
    /// Its ResourceClaims, in its namespace; none for one that is still to be made.
    pub resource_claims: Box<[Option<Str>]>,
}

/// A port of the node that a pod wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// On this address; empty or `0.0.0.0` for all.
    pub ip: String,
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The port.
    pub port: i32,
}

#[derive(Deserialize)]
struct View {
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    nominated_node_name: String,
    resource_claim_statuses: Vec<ClaimStatus>,
    start_time: Option<Timestamp>,
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    node_name: String,
    #[serde(default)]
    priority: Option<i32>,
    #[serde(default)]
    preemption_policy: String,
    #[serde(default)]
    scheduling_group: Option<SchedulingGroup>,
    #[serde(default)]
    scheduler_name: String,
    #[serde(default)]
    containers: Vec<Container>,
    #[serde(default)]
    init_containers: Vec<Container>,
    #[serde(default)]
    overhead: Amounts,
    #[serde(default)]
    resources: Option<Requests>,
    #[serde(default)]
    host_network: bool,
    #[serde(default)]
    node_selector: BTreeMap<String, String>,
    #[serde(default)]
    affinity: Option<Box<Affinity>>,
    #[serde(default)]
    tolerations: Vec<Toleration>,
    #[serde(default)]
    scheduling_gates: Vec<Gate>,
    #[serde(default)]
    topology_spread_constraints: Vec<TopologySpreadConstraint>,
    #[serde(default)]
    resource_claims: Vec<ResourceClaim>,
    #[serde(default)]
    volumes: Vec<Volume>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchedulingGroup {
    #[serde(default)]
    pod_group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceClaim {
    name: String,
    #[serde(default)]
    resource_claim_name: Option<String>,
}

/// Which claim was made for the pod from a template; none when it needs none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimStatus {
    name: String,
    #[serde(default)]
    resource_claim_name: Option<String>,
}

#[derive(Deserialize)]
struct Gate {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    image: String,
    resources: Requests,
    ports: Vec<Port>,
    restart_policy: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    container_port: i32,
    host_port: i32,
    #[serde(rename = "hostIP")]
    host_ip: String,
    protocol: String,
}

// === impl PodInfo ===

impl PodInfo {
    /// Reads a pod.
    ///
    /// # Errors
    /// When the object is no pod.
    pub fn new(object: &Object) -> windlass_core::Result<Self> {
        let View { spec, status } = object.view()?;
        let header = object.header();
        let resource_claims = spec.resource_claims(&status);
        let requests = spec.total(&status, &[]);
        let non_zero_requests = spec.total(&status, &DEFAULT_REQUESTS);
        let (host_ports, images) = (spec.host_ports(), spec.images());
        let affinity = spec.affinity.map(|affinity| *affinity).unwrap_or_default();
        let (with, apart) = (affinity.pod_affinity, affinity.pod_anti_affinity);
        let spread = spec.topology_spread_constraints.into_iter();
        let controller = header.controller().map(|owner| (owner.kind.clone(), owner.name.clone()));
        let class = PodClass {
            namespace: header.namespace.clone(),
            labels: header.labels.clone(),
            priority: spec.priority.unwrap_or(0),
            never_preempts: spec.preemption_policy == "Never",
            scheduler_name: intern(&spec.scheduler_name),
            pod_group: spec.scheduling_group.as_ref().map_or("", |g| &g.pod_group_name).into(),
            requests,
            non_zero_requests,
            host_ports,
            node_selector: spec.node_selector,
            node_affinity: affinity.node_affinity.map(Box::new),
            pod_terms: PodTerms::new(with, apart, &header.namespace, &header.labels),
            spread: spread.map(|api| SpreadConstraint::new(api, &header.labels)).collect(),
            images,
            claims: spec.volumes.iter().filter_map(|v| v.claim(&header.name)).collect(),
            disks: spec.volumes.iter().filter_map(Volume::disk).collect(),
            controller,
            tolerations: spec.tolerations,
            scheduling_gates: spec.scheduling_gates.into_iter().map(|gate| gate.name).collect(),
            resource_claims,
        };
        Ok(Self {
            name: header.name.clone(),
            uid: header.uid.clone(),
            node_name: intern(&spec.node_name),
            nominated_node_name: intern(&status.nominated_node_name),
            terminal: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
            deleting: header.deleting,
            preempted: status.conditions.iter().any(Condition::says_preempted),
            started: status.start_time.map(Timestamp::as_second),
            class: share(class),
        })
    }

    /// Whether it demands and is the same as another one.
    #[must_use]
    pub fn same_class(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.class, &other.class) || self.class == other.class
    }

    /// Whether it counts on its node just as another one would.
    #[must_use]
    pub fn counts_like(&self, other: &Self) -> bool {
        self.deleting == other.deleting && self.same_class(other)
    }

    /// Whether it waits for a node.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.node_name.is_empty() && !self.terminal
    }
}

impl Deref for PodInfo {
    type Target = PodClass;

    fn deref(&self) -> &PodClass {
        &self.class
    }
}

// === impl Condition ===

impl Condition {
    fn says_preempted(&self) -> bool {
        self.says("DisruptionTarget", "PreemptionByScheduler")
    }

    fn says(&self, kind: &str, reason: &str) -> bool {
        (&*self.r#type, &*self.status, &*self.reason) == (kind, "True", reason)
    }
}

// === impl Spec ===

impl Spec {
    fn resource_claims(&self, status: &Status) -> Box<[Option<Str>]> {
        let made = |name: &str| status.resource_claim_statuses.iter().find(|s| s.name == name);
        let claim = |claim: &ResourceClaim| match (&claim.resource_claim_name, made(&claim.name)) {
            (Some(name), _) => Some(Some(intern(name))),
            (None, Some(made)) => {
                made.resource_claim_name.as_deref().map(|name| Some(intern(name)))
            }
            (None, None) => Some(None),
        };
        self.resource_claims.iter().filter_map(claim).collect()
    }

    fn images(&self) -> Box<[Str]> {
        let containers = self.init_containers.iter().chain(&self.containers);
        let mounted = self.volumes.iter().filter_map(Volume::image);
        containers.map(|c| c.image.as_str()).chain(mounted).map(|i| intern(&tagged(i))).collect()
    }

    fn host_ports(&self) -> Vec<HostPort> {
        let sidecars = self.init_containers.iter().filter(|c| c.restart_policy == "Always");
        let ports = self.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
        let wanted = |port: &Port| {
            let number = if self.host_network { port.container_port } else { port.host_port };
            let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
            let ip = port.host_ip.clone();
            HostPort { ip, protocol: protocol.to_owned(), port: number }
        };
        ports.map(wanted).filter(|port| port.port > 0).collect()
    }
}

/// The name under which a node lists an image: a name without a tag means the latest.
fn tagged(image: &str) -> std::borrow::Cow<'_, str> {
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[name..].contains(':') {
        true => image.into(),
        false => format!("{image}:latest").into(),
    }
}
