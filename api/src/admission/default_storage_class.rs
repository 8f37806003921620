//! A claim that names no class gets the default one (Kubernetes' DefaultStorageClass admission controller).

use super::classes::default_class;
use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::json::{is_nil, map_at, map_mut, map_of};
use async_trait::async_trait;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const OF_CLAIM: &str = "volume.beta.kubernetes.io/storage-class";
const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// Fills in `spec.storageClassName` of new claims. One that is empty means no class, and stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultStorageClass;

#[async_trait]
impl Admission for DefaultStorageClass {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::PERSISTENTVOLUMECLAIMS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(claim) = request.object.as_ref().filter(|_| request.subresource.is_empty()) else {
            return Ok(());
        };
        let annotated = map_at(claim, &["metadata", "annotations"])
            .is_some_and(|all| all.contains_key(OF_CLAIM));
        if annotated || map_of(claim, "spec").is_some_and(|spec| !is_nil(spec, "storageClassName"))
        {
            return Ok(());
        }
        let class = default_class(request, scheme::STORAGECLASSES, &DEFAULT).await?;
        if let (Some(class), Some(claim)) = (class, &mut request.object) {
            map_mut(claim, "spec").insert("storageClassName".into(), class.into());
        }
        Ok(())
    }
}
