//! Which claims a pod lacks, and who still needs a claim.

use super::POD;
use crate::support::owner::controller_ref;
use crate::views::{Pod, PodView, ResourceClaim};
use serde_json::{Value, json};
use windlass_core::apis::resource::v1::{
    ResourceClaim as Claim, ResourceClaimConsumerReference, ResourceClaimTemplate,
};
use windlass_core::object::{Header, Owner};

/// Who gives a claim devices holds it with this until they are given back.
const PROTECTION: &str = "resource.kubernetes.io/delete-protection";
/// Which of the pod's claims a claim was made for.
pub(super) const FOR: &str = "resource.kubernetes.io/pod-claim-name";

/// What to do about a claim.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is as it should be.
    Keep,
    /// Fewer need it: this is its new status.
    Reserve(Value),
    /// It has no devices, so nothing holds it any more: these are its finalizers then.
    Unprotect(Vec<String>),
    /// It was made for a pod that is over.
    Delete,
}

/// The name of the claim that a pod means, if that is known yet.
pub(super) fn claim_name(pod: &PodView, claim: &ResourceClaim) -> Option<String> {
    let made = pod.status.resource_claim_statuses.iter().flatten();
    let mut made = made.filter(|status| status.name == claim.name);
    claim.resource_claim_name.clone().or_else(|| made.next()?.resource_claim_name.clone())
}

/// The claims of a pod that are yet to be made: each with its template.
pub(super) fn missing(pod: &PodView) -> Vec<(&str, &str)> {
    let told = pod.status.resource_claim_statuses.iter().flatten();
    let told: Vec<&str> = told.map(|status| status.name.as_str()).collect();
    let named = pod.spec.resource_claims.iter().flatten();
    named
        .filter(|claim| !told.contains(&claim.name.as_str()))
        .filter_map(|claim| Some((&*claim.name, claim.resource_claim_template_name.as_deref()?)))
        .collect()
}

/// A claim by a template, for one pod.
pub(super) fn claim(pod: &Header, name: &str, template: &ResourceClaimTemplate) -> Value {
    let given = template.spec.metadata.clone().unwrap_or_default();
    let mut annotations = given.annotations.unwrap_or_default();
    annotations.insert(FOR.into(), name.into());
    let owner = controller_ref(&POD, &pod.name, &pod.uid);
    json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim",
        "metadata": {"generateName": format!("{}-{name}-", pod.name), "namespace": pod.namespace, "labels": given.labels,
            "annotations": annotations, "ownerReferences": [owner]},
        "spec": template.spec.spec})
}

/// Names and uids of the pods that decide what becomes of a claim: who reserved it, and whom it was made for.
pub(super) fn users(claim: &Claim, owner: Option<&Owner>) -> Vec<(String, String)> {
    let reserved = claim.status.as_ref().and_then(|status| status.reserved_for.as_ref());
    let pods = reserved.into_iter().flatten().filter(|consumer| consumer.resource == "pods");
    let pods = pods.map(|consumer| (consumer.name.clone(), consumer.uid.clone()));
    pods.chain(owner.map(|owner| (owner.name.to_string(), owner.uid.to_string()))).collect()
}

/// What becomes of a claim. `find` gives the pod of a name; `owner` is the pod the claim was made for, if it is there.
pub(super) fn step(
    claim: &Claim,
    made_for_pod: bool,
    owner: Option<&Pod>,
    find: impl Fn(&str) -> Option<Pod>,
) -> Step {
    let status = claim.status.clone().unwrap_or_default();
    let reserved = status.reserved_for.clone().unwrap_or_default();
    let needs = |consumer: &ResourceClaimConsumerReference| {
        // Who is no pod is not looked after here.
        consumer.resource != "pods"
            || find(&consumer.name)
                .is_some_and(|pod| *pod.object.header().uid == *consumer.uid && !is_over(&pod))
    };
    let goes = claim.metadata.deletion_timestamp.is_some();
    let left: Vec<_> = reserved.iter().filter(|consumer| needs(consumer)).cloned().collect();
    // What goes gives its devices back also when nobody had reserved it.
    let unused = goes && left.is_empty() && status.allocation.is_some();
    if left != reserved || unused {
        let free = left.is_empty();
        let mut status = json!(status);
        status["reservedFor"] = if free { Value::Null } else { json!(left) };
        if free {
            status["allocation"] = Value::Null;
        }
        return Step::Reserve(status);
    }
    // While it stays, who gives it devices next may have put it there just now.
    if goes
        && status.allocation.is_none()
        && let Some(left) = unprotected(claim)
    {
        return Step::Unprotect(left);
    }
    let over = made_for_pod && owner.is_none_or(is_over) && reserved.is_empty();
    if over && !goes { Step::Delete } else { Step::Keep }
}

/// A claim's finalizers without the one that holds its devices; none when it is not among them.
pub(super) fn unprotected(claim: &Claim) -> Option<Vec<String>> {
    let has = claim.metadata.finalizers.as_ref()?;
    let left: Vec<_> = has.iter().filter(|one| **one != PROTECTION).cloned().collect();
    (left.len() < has.len()).then_some(left)
}

/// Its containers will use nothing any more: it has ended, or goes without ever having been bound.
fn is_over(pod: &Pod) -> bool {
    pod.view.is_terminal() || (pod.object.header().deleting && pod.view.spec.node_name.is_empty())
}
