//! What to do about a claim for which there is no volume: wait, or have one made.

use super::claim::{CLAIM, key};
use crate::support::ops::Op;
use crate::support::owner::reference;
use crate::support::storage::{
    ClassView, NO_PROVISIONER, PROVISIONER, SELECTED_NODE, annotation, class_of,
};
use serde_json::json;
use windlass_core::apis::core::v1::PersistentVolumeClaim;

/// Whether a claim may take any volume that fits, or has to wait for the first pod that uses it.
pub(super) fn waits(claim: &PersistentVolumeClaim, class: Option<&ClassView>) -> bool {
    class.is_some_and(ClassView::waits_for_consumer) && annotation(claim, SELECTED_NODE).is_none()
}

/// What brings a claim a volume. `unscheduled` is a pod that uses it and has no node yet.
pub(super) fn plan(
    claim: &PersistentVolumeClaim,
    class: Option<&ClassView>,
    unscheduled: Option<&str>,
) -> Vec<Op> {
    let about = reference(&CLAIM, &claim.metadata);
    if waits(claim, class) {
        let (reason, message) = match unscheduled {
            Some(pod) => ("WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled")),
            None => (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding".to_owned(),
            ),
        };
        return vec![Op::normal(about, reason, message)];
    }
    let name = class_of(claim);
    if name.is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        return vec![Op::normal(about, "FailedBinding", message)];
    }
    let Some(class) = class else {
        let message = format!("storageclass.storage.k8s.io \"{name}\" not found");
        return vec![Op::warning(about, "ProvisioningFailed", message)];
    };
    let provisioner = &class.provisioner;
    if provisioner == NO_PROVISIONER {
        let message = format!("no volume plugin matched name: {provisioner}");
        return vec![Op::warning(about, "ProvisioningFailed", message)];
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
    );
    let event = Op::normal(about, "ExternalProvisioning", message);
    if PROVISIONER.iter().all(|mark| annotation(claim, mark) == Some(provisioner)) {
        return vec![event];
    }
    let marks: serde_json::Map<_, _> =
        PROVISIONER.iter().map(|mark| ((*mark).to_owned(), json!(provisioner))).collect();
    let patch = json!({"metadata": {"resourceVersion": claim.metadata.resource_version, "annotations": marks}});
    vec![Op::Patch(key(claim), patch), event]
}
