//! Which nodes lack a pod, which pods are too many, which are old.

use super::GVK;
use super::eligible::{NETWORK, Node, TOLERATED, verdict};
use crate::support::intstr::{Round, scaled};
use crate::support::pods::{created, from_template};
use crate::support::revisions::HASH_LABEL;
use crate::support::time::until;
use crate::views::Pod;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::apis::IntOrString;
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
    pub(super) now: Timestamp,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<ApiPod>,
    pub(super) delete: Vec<Pod>,
    pub(super) status: DaemonSetStatus,
    /// Look again after this time: a pod becomes available then.
    pub(super) again: Option<Duration>,
}

/// How it is with one node that shall have a pod.
struct Place<'a> {
    alive: Vec<&'a Pod>,
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
        // What failed is deleted, and made anew when it is gone.
        let failed =
            here.iter().filter(|pod| pod.view.is_terminal() && !pod.object.header().deleting);
        plan.delete.extend(failed.cloned());
        let alive: Vec<_> = here.iter().filter(|pod| !pod.view.is_terminal()).collect();
        if verdict.run && here.is_empty() {
            plan.create.push(pod_for(at, name));
        }
        if verdict.stay {
            plan.delete.extend(surplus(&alive));
        } else {
            plan.delete
                .extend(alive.iter().filter(|pod| pod.view.is_active()).map(|pod| (*pod).clone()));
        }
        if verdict.run {
            places.push(Place { alive });
        }
    }
    plan.delete.extend(outdated(at, &places));
    plan
}

/// All but the oldest of several pods on one node.
fn surplus(alive: &[&Pod]) -> Vec<Pod> {
    let mut active: Vec<_> = alive.iter().filter(|pod| pod.view.is_active()).collect();
    active.sort_by_key(|pod| (created(&pod.view), pod.object.name().to_owned()));
    active.iter().skip(1).map(|pod| (**pod).clone()).collect()
}

/// Pods of other revisions, so many that no more nodes than allowed are without an available pod.
fn outdated(at: &Snapshot<'_>, places: &[Place<'_>]) -> Vec<Pod> {
    let strategy = spec(at.set).update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
        return vec![];
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let one = IntOrString::Int(1);
    let max = rolling.and_then(|rolling| rolling.max_unavailable.as_ref()).unwrap_or(&one);
    let total = i32::try_from(places.len()).unwrap_or(i32::MAX);
    let max = usize::try_from(scaled(max, total, Round::Up).max(1)).unwrap_or(1);
    let available = |place: &&Place<'_>| place.alive.iter().any(|pod| is_available(at, pod));
    let (well, ill): (Vec<_>, Vec<_>) = places.iter().partition(available);
    let old = |place: &&Place<'_>| {
        let active: Vec<_> = place.alive.iter().filter(|pod| pod.view.is_active()).collect();
        active
            .first()
            .filter(|pod| active.len() == 1 && !is_new(at, pod))
            .map(|pod| (***pod).clone())
    };
    // Those that don't work are replaced at once: nobody loses by it.
    let budget = max.saturating_sub(ill.len());
    let broken = ill.iter().filter_map(&old);
    broken.chain(well.iter().filter_map(old).take(budget)).collect()
}

fn is_new(at: &Snapshot<'_>, pod: &Pod) -> bool {
    pod.object.header().label(HASH_LABEL) == Some(&at.hash)
}

fn is_available(at: &Snapshot<'_>, pod: &Pod) -> bool {
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
        let oldest =
            here.iter().filter(|pod| pod.view.is_active()).min_by_key(|pod| created(&pod.view));
        if !verdict(&pod_spec, node).run {
            status.number_misscheduled += i32::from(oldest.is_some());
            continue;
        }
        status.desired_number_scheduled += 1;
        let Some(pod) = oldest else { continue };
        status.current_number_scheduled += 1;
        status.number_ready += i32::from(pod.view.is_ready());
        available += i32::from(is_available(at, pod));
        updated += i32::from(is_new(at, pod));
    }
    let some = |number: i32| Some(number).filter(|number| *number > 0);
    status.number_available = some(available);
    status.number_unavailable = some(status.desired_number_scheduled - available);
    status.updated_number_scheduled = some(updated);
    status.observed_generation = at.set.metadata.generation;
    let before = at.set.status.clone().unwrap_or_default();
    status.collision_count = before.collision_count;
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
