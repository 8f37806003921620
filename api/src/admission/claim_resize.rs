//! Claims grow where their class lets them (Kubernetes' PersistentVolumeClaimResize admission controller).

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{is_true, map_at, str_at};
use crate::validation::rules::quantity;
use async_trait::async_trait;
use windlass_core::client::Key;
use windlass_core::meta::{Quantity, Status};
use windlass_core::scheme::{self, GroupVersionResource};

/// Refuses a larger request of a claim that is not bound, or whose class does not allow expansion.
#[derive(Clone, Copy, Debug, Default)]
pub struct PersistentVolumeClaimResize;

#[async_trait]
impl Admission for PersistentVolumeClaimResize {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Update && *resource == scheme::PERSISTENTVOLUMECLAIMS
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let (Some(new), Some(old), "") = (&request.object, request.old, request.subresource) else {
            return Ok(());
        };
        if size(new) <= size(old) {
            return Ok(());
        }
        if str_at(old, &["status", "phase"]) != "Bound" {
            return Err(request.forbidden("Only bound persistent volume claims can be expanded"));
        }
        let name = class(new);
        if !name.is_empty() && name == class(old) {
            let key = Key::cluster(scheme::STORAGECLASSES, name);
            let found = match request.objects.serves(&scheme::STORAGECLASSES) {
                true => request.objects.get_at(&key, ReadVersion::Newest).await?,
                false => None,
            };
            let class = found.map(|class| class.view::<Map>()).transpose();
            let class = class.map_err(Status::internal)?;
            if class.is_some_and(|class| is_true(&class, "allowVolumeExpansion")) {
                return Ok(());
            }
        }
        Err(request.forbidden(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
        ))
    }
}

fn size(claim: &Map) -> Quantity {
    let requests = map_at(claim, &["spec", "resources", "requests"]);
    requests.and_then(|all| quantity(all.get("storage")?)).unwrap_or_default()
}

fn class(claim: &Map) -> &str {
    let annotated =
        str_at(claim, &["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"]);
    if annotated.is_empty() { str_at(claim, &["spec", "storageClassName"]) } else { annotated }
}
