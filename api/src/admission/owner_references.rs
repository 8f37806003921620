//! Who says what an object belongs to may have a say in that object's end (Kubernetes'
//! OwnerReferencesPermissionEnforcement admission controller).

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::authorization::{Attributes, Authorizer, Decision};
use crate::strategy::Map;
use crate::strategy::json::{is_true, list_of, map_of, str_of};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::GroupVersionResource;

/// Owners are changed only by who may delete the object; one that its dependents hold back (`blockOwnerDeletion`) is
/// named only by who may set its finalizers.
pub struct OwnerReferencesPermissionEnforcement {
    authorizer: Arc<dyn Authorizer>,
}

// === impl OwnerReferencesPermissionEnforcement ===

impl OwnerReferencesPermissionEnforcement {
    /// Asks `authorizer` who may delete, and who may set finalizers.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer }
    }

    async fn ask(
        &self,
        request: &AdmissionRequest<'_>,
        verb: &str,
        target: ResourceTarget,
    ) -> Decision {
        let user = request.user;
        let attributes = Attributes::of(user, verb, &target);
        self.authorizer.authorize(&attributes).await
    }

    /// Whether the deletion of an owner may be held back.
    async fn check(&self, request: &AdmissionRequest<'_>, owner: &Map) -> Result<(), Status> {
        let (version, kind) = (str_of(owner, "apiVersion"), str_of(owner, "kind"));
        let all = request.objects.resources().all();
        let of_kind = |info: &windlass_core::scheme::ResourceInfo| {
            info.kind == kind && info.gvr.group_version().to_string() == version
        };
        let owners: Vec<_> = all.iter().filter(|entry| of_kind(&entry.info)).collect();
        if owners.is_empty() {
            return Err(request.forbidden(&format!(
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion {version} Kind {kind}: no matches for kind \"{kind}\" in version \"{version}\""
            )));
        }
        for entry in owners {
            let namespace = Some(request.namespace.to_owned());
            let target = ResourceTarget {
                resource: entry.info.gvr.clone(),
                namespace: namespace.filter(|name| entry.info.namespaced && !name.is_empty()),
                name: Some(str_of(owner, "name").to_owned()),
                subresource: Some("finalizers".into()),
                rest: String::new(),
            };
            let decision = self.ask(request, "update", target).await;
            if !decision.is_allowed() {
                return Err(request.forbidden(&format!(
                    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: {}, <nil>",
                    decision.reason()
                )));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Admission for OwnerReferencesPermissionEnforcement {
    fn handles(&self, operation: Operation, _: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(new) = &request.object else { return Ok(()) };
        // A pod's owners can't be changed with its status.
        let status = *request.resource.resource == *"pods" && request.subresource == "status";
        let before = request.old.map(owners).unwrap_or_default();
        if status || owners(new) == before {
            return Ok(());
        }
        if request.operation != Operation::Create {
            let target = ResourceTarget {
                resource: request.resource.clone(),
                namespace: Some(request.namespace.to_owned()).filter(|name| !name.is_empty()),
                name: Some(request.name.to_owned()),
                subresource: Some(request.subresource.to_owned()).filter(|part| !part.is_empty()),
                rest: String::new(),
            };
            let decision = self.ask(request, "delete", target).await;
            if !decision.is_allowed() {
                let why = decision.reason();
                return Err(request.forbidden(&format!(
                    "cannot set an ownerRef on a resource you can't delete: {why}, <nil>"
                )));
            }
        }
        let blocked: Vec<_> = before.iter().filter_map(|owner| blocking(owner)).collect();
        let uid = |owner: &Map| str_of(owner, "uid").to_owned();
        for owner in owners(new).iter().filter_map(blocking) {
            if !blocked.iter().any(|known| uid(known) == uid(owner)) {
                self.check(request, owner).await?;
            }
        }
        Ok(())
    }
}

fn owners(object: &Map) -> &[Value] {
    map_of(object, "metadata").map_or(&[], |metadata| list_of(metadata, "ownerReferences"))
}

/// An owner that must not go before its dependents.
fn blocking(owner: &Value) -> Option<&Map> {
    owner.as_object().filter(|owner| is_true(owner, "blockOwnerDeletion"))
}
