//! Which nodes lack a pod, which pods are too many, which are old.

use super::GVK;
use super::eligible::{NETWORK, Node, TOLERATED, verdict};
use super::rolling;
use crate::support::ops::Op;
use crate::support::owner::reference;
use crate::support::pods::{created, from_template};
use crate::support::revisions::HASH_LABEL;
use crate::support::time::until;
use crate::views::Pod;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::apis::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus};
use windlass_core::apis::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod as ApiPod, Toleration,
};

/// What a plan is made from.
pub(super) struct Snapshot<'a> {
    pub(super) set: &'a DaemonSet,
    pub(super) nodes: Vec<Node>,
    /// All pods it owns, by the node they are on or meant for.
    pub(super) pods: BTreeMap<String, Vec<Pod>>,
    /// The hash of the set's own template.
    pub(super) hash: String,
    /// How many hashes were taken by others.
    pub(super) collisions: Option<i32>,
    /// How long a node has to wait still before a pod that failed there is deleted, to be made anew.
    pub(super) backoff: &'a dyn Fn(&str) -> Option<Duration>,
    pub(super) now: Timestamp,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<ApiPod>,
    pub(super) delete: Vec<Pod>,
    pub(super) events: Vec<Op>,
    pub(super) status: DaemonSetStatus,
    /// Look again after this time: a pod becomes available then, or one that failed may be made anew.
    pub(super) again: Option<Duration>,
}

/// How it is with one node that shall have a pod.
pub(super) struct Place<'a> {
    pub(super) node: &'a str,
    pub(super) alive: Vec<&'a Pod>,
}

pub(super) fn spec(set: &DaemonSet) -> &DaemonSetSpec {
    set.spec.as_ref().expect("the server takes no DaemonSet without a spec")
}

pub(super) fn plan(at: &Snapshot<'_>) -> Plan {
    let mut plan = Plan { status: status(at), again: next_available(at), ..Plan::default() };
    if at.set.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let pod_spec = spec(at.set).template.spec.clone().unwrap_or_default();
    let mut places = vec![];
    for node in &at.nodes {
        let (name, verdict) = (node.object.name(), verdict(&pod_spec, node));
        let here = at.pods.get(name).map(Vec::as_slice).unwrap_or_default();
        plan.end(at, name, here);
        let alive: Vec<_> = here.iter().filter(|pod| !pod.view.is_terminal()).collect();
        if verdict.run && here.is_empty() {
            plan.create.push(pod_for(at, name));
        }
        if verdict.stay {
            plan.delete.extend(rolling::surplus(at, &alive));
        } else {
            plan.delete
                .extend(alive.iter().filter(|pod| pod.view.is_active()).map(|pod| (*pod).clone()));
        }
        if verdict.run {
            places.push(Place { node: name, alive });
        }
    }
    let roll = rolling::roll(at, &places);
    plan.create.extend(roll.create.into_iter().map(|node| pod_for(at, node)));
    plan.delete.extend(roll.delete);
    plan
}

// === impl Plan ===

impl Plan {
    /// What has ended is deleted, and made anew when it is gone; after a failure not at once each time.
    fn end(&mut self, at: &Snapshot<'_>, node: &str, here: &[Pod]) {
        let ended = |pod: &&Pod| pod.view.is_terminal() && !pod.object.header().deleting;
        for pod in here.iter().filter(ended) {
            let header = pod.object.header();
            let failed = pod.view.status.phase == "Failed";
            let name = format!("{}/{}", header.namespace, header.name);
            let about = reference(&GVK, &at.set.metadata);
            if !failed {
                let message = format!(
                    "Found succeeded daemon pod {name} on node {node}, will try to delete it"
                );
                self.events.push(Op::normal(about, "SucceededDaemonPod", message));
            } else if let Some(wait) = (at.backoff)(node) {
                self.again = Some(self.again.map_or(wait, |again| again.min(wait)));
                continue;
            } else {
                let message =
                    format!("Found failed daemon pod {name} on node {node}, will try to kill it");
                self.events.push(Op::warning(about, "FailedDaemonPod", message));
            }
            self.delete.push(pod.clone());
        }
    }
}

pub(super) fn is_new(at: &Snapshot<'_>, pod: &Pod) -> bool {
    pod.object.header().label(HASH_LABEL) == Some(&at.hash)
}

pub(super) fn is_available(at: &Snapshot<'_>, pod: &Pod) -> bool {
    pod.view.is_active()
        && pod.view.is_available(spec(at.set).min_ready_seconds.unwrap_or(0), at.now)
}

/// A pod that fits one node only.
fn pod_for(at: &Snapshot<'_>, node: &str) -> ApiPod {
    let mut pod = from_template(&GVK, &at.set.metadata, &spec(at.set).template);
    pod.metadata.labels.get_or_insert_default().insert(HASH_LABEL.into(), at.hash.clone());
    let spec = pod.spec.get_or_insert_default();
    let tolerated = TOLERATED.iter().chain(spec.host_network.unwrap_or(false).then_some(&NETWORK));
    spec.tolerations.get_or_insert_default().extend(tolerated.map(|(key, effect)| Toleration {
        key: Some((*key).into()),
        operator: Some("Exists".into()),
        effect: Some((*effect).into()),
        ..Toleration::default()
    }));
    let by_name = NodeSelectorRequirement {
        key: "metadata.name".into(),
        operator: "In".into(),
        values: Some(vec![node.into()]),
    };
    let affinity = spec.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    let required = &mut affinity.required_during_scheduling_ignored_during_execution;
    // The template's own terms were looked at already: this node meets them.
    let term = NodeSelectorTerm { match_fields: Some(vec![by_name]), match_expressions: None };
    *required = Some(NodeSelector { node_selector_terms: vec![term] });
    pod
}

/// The node a pod that is not bound yet is meant for.
pub(super) fn target(pod: &ApiPod) -> Option<String> {
    let affinity = pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let mut fields =
        required.node_selector_terms.iter().flat_map(|term| term.match_fields.iter().flatten());
    fields.find(|field| field.key == "metadata.name")?.values.as_ref()?.first().cloned()
}

fn status(at: &Snapshot<'_>) -> DaemonSetStatus {
    let pod_spec = spec(at.set).template.spec.clone().unwrap_or_default();
    let mut status = DaemonSetStatus::default();
    let (mut updated, mut available) = (0, 0);
    for node in &at.nodes {
        let here = at.pods.get(node.object.name()).map(Vec::as_slice).unwrap_or_default();
        let active = || here.iter().filter(|pod| pod.view.is_active());
        let oldest = active().min_by_key(|pod| created(&pod.view));
        if !verdict(&pod_spec, node).run {
            status.number_misscheduled += i32::from(oldest.is_some());
            continue;
        }
        status.desired_number_scheduled += 1;
        if oldest.is_none() {
            continue;
        }
        // While a new pod comes before the old one goes, the node has what either of them is.
        status.current_number_scheduled += 1;
        status.number_ready += i32::from(active().any(|pod| pod.view.is_ready()));
        available += i32::from(active().any(|pod| is_available(at, pod)));
        updated += i32::from(active().any(|pod| is_new(at, pod)));
    }
    let some = |number: i32| Some(number).filter(|number| *number > 0);
    status.number_available = some(available);
    status.number_unavailable = some(status.desired_number_scheduled - available);
    status.updated_number_scheduled = some(updated);
    status.observed_generation = at.set.metadata.generation;
    let before = at.set.status.clone().unwrap_or_default();
    status.collision_count = at.collisions;
    status.conditions = before.conditions;
    status
}

fn next_available(at: &Snapshot<'_>) -> Option<Duration> {
    let seconds = spec(at.set).min_ready_seconds.unwrap_or(0);
    let waiting =
        at.pods.values().flatten().filter(|pod| pod.view.is_active() && !is_available(at, pod));
    waiting
        .filter_map(|pod| pod.view.ready_since())
        .map(|since| until(since, i64::from(seconds), at.now))
        .min()
}
