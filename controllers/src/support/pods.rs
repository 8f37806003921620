//! Pods from templates, and which of them to delete first.

use super::owner::{name_of, owned_meta};
use crate::views::{Pod, PodView};
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use windlass_core::apis::core::v1::{Pod as ApiPod, PodTemplateSpec};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::scheme::GroupVersionKind;

/// Lower goes first when there are too many.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod by a template, controlled by `owner`, with a name the server makes up.
pub(crate) fn from_template(
    gvk: &GroupVersionKind,
    owner: &ObjectMeta,
    template: &PodTemplateSpec,
) -> ApiPod {
    let given = template.metadata.clone().unwrap_or_default();
    let metadata = ObjectMeta {
        generate_name: Some(format!("{}-", name_of(owner))),
        labels: given.labels,
        annotations: given.annotations,
        finalizers: given.finalizers,
        ..owned_meta(gvk, owner, "")
    };
    ApiPod { metadata, spec: template.spec.clone(), status: None }
}

/// Orders pods by how little it matters to lose them: not bound before bound, pending before running, not ready before
/// ready, cheap before dear, crowded nodes before lonely ones (`ranks`), ready for a short time before a long one,
/// often restarted first, young before old.
pub(crate) fn deletion_order(a: (&Pod, usize), b: (&Pod, usize)) -> Ordering {
    let (x, y) = (&a.0.view, &b.0.view);
    let bound = |pod: &PodView| !pod.spec.node_name.is_empty();
    bound(x)
        .cmp(&bound(y))
        .then_with(|| phase(x).cmp(&phase(y)))
        .then_with(|| x.is_ready().cmp(&y.is_ready()))
        .then_with(|| cost(x).cmp(&cost(y)))
        .then_with(|| b.1.cmp(&a.1))
        .then_with(|| younger(x.ready_since(), y.ready_since()))
        .then_with(|| y.restarts().cmp(&x.restarts()))
        .then_with(|| younger(created(x), created(y)))
}

/// How many of `pods` share each one's node.
pub(crate) fn ranks(pods: &[Pod]) -> Vec<usize> {
    let mut on_node: FxHashMap<&str, usize> = FxHashMap::default();
    for pod in pods.iter().filter(|pod| pod.view.is_active()) {
        *on_node.entry(&pod.view.spec.node_name).or_default() += 1;
    }
    let rank = |pod: &Pod| on_node.get(pod.view.spec.node_name.as_str()).copied();
    pods.iter().map(|pod| rank(pod).unwrap_or(0)).collect()
}

/// When it was made, in seconds.
pub(crate) fn created(pod: &PodView) -> Option<jiff::Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

fn phase(pod: &PodView) -> u8 {
    match pod.status.phase.as_str() {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    }
}

fn cost(pod: &PodView) -> i32 {
    // A cost that is no number counts as none, as in Kubernetes.
    pod.annotation(DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

/// Later times first; not known before all.
fn younger(a: Option<jiff::Timestamp>, b: Option<jiff::Timestamp>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.cmp(&a),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}
