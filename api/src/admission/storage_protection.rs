//! Volumes and claims in use outlive their deletion (Kubernetes' StorageObjectInUseProtection admission controller).

use super::{Admission, AdmissionRequest, Operation};
use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// Puts the finalizers on volumes and claims that the protection controllers take away.
#[derive(Clone, Copy, Debug, Default)]
pub struct StorageObjectInUseProtection;

#[async_trait]
impl Admission for StorageObjectInUseProtection {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && finalizer(resource).is_some()
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let (Some(object), Some(finalizer)) = (&mut request.object, finalizer(request.resource))
        else {
            return Ok(());
        };
        let metadata = object.entry("metadata").or_insert_with(|| json!({}));
        let list =
            metadata.as_object_mut().map(|m| m.entry("finalizers").or_insert_with(|| json!([])));
        if let Some(list) = list.and_then(Value::as_array_mut)
            && !list.iter().any(|one| one == finalizer)
        {
            list.push(finalizer.into());
        }
        Ok(())
    }
}

fn finalizer(resource: &GroupVersionResource) -> Option<&'static str> {
    if *resource == scheme::PERSISTENTVOLUMECLAIMS {
        Some("kubernetes.io/pvc-protection")
    } else if *resource == scheme::PERSISTENTVOLUMES {
        Some("kubernetes.io/pv-protection")
    } else {
        None
    }
}
