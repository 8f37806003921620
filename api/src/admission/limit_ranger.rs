//! LimitRanges: what containers get that ask for nothing, and how little and how much may be asked for
//! (Kubernetes' LimitRanger admission controller).

mod defaults;
mod limits;

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use async_trait::async_trait;
use windlass_core::apis::core::v1::{LimitRange, LimitRangeItem};
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// Gives containers the requests and limits that the LimitRanges of their namespace have for them, and refuses pods
/// and claims that ask for less or more than those allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct LimitRanger;

/// All limits of a namespace, in the order of their objects' names.
async fn limits_of(request: &AdmissionRequest<'_>) -> Result<Vec<LimitRangeItem>, Status> {
    let scope = Scope::namespace(scheme::LIMITRANGES, request.namespace);
    let mut limits = vec![];
    for object in request.objects.list_at(&scope, ReadVersion::Any).await? {
        let range: LimitRange = object.view().map_err(Status::internal)?;
        limits.extend(range.spec.into_iter().flat_map(|spec| spec.limits));
    }
    Ok(limits)
}

#[async_trait]
impl Admission for LimitRanger {
    /// Pods are bounded when they are made and when they are resized, claims as often as they are written.
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        match operation {
            Operation::Create => {
                *resource == scheme::PODS || *resource == scheme::PERSISTENTVOLUMECLAIMS
            }
            Operation::Update => {
                *resource == scheme::PODS || *resource == scheme::PERSISTENTVOLUMECLAIMS
            }
            Operation::Delete | Operation::Connect => false,
        }
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if *request.resource != scheme::PODS
            || request.operation != Operation::Create
            || !request.subresource.is_empty()
        {
            return Ok(());
        }
        let limits = limits_of(request).await?;
        if let Some(pod) = &mut request.object {
            defaults::fill(pod, &limits);
        }
        Ok(())
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let sized = match (request.operation, request.subresource) {
            (Operation::Update, part) if *request.resource == scheme::PODS => part == "resize",
            (_, part) => part.is_empty(),
        };
        let Some(object) = request.object.as_ref().filter(|_| sized) else { return Ok(()) };
        // What is about to go is let go.
        if request.old.is_some_and(|old| !old["metadata"]["deletionTimestamp"].is_null()) {
            return Ok(());
        }
        let limits = limits_of(request).await?;
        let wrong = if *request.resource == scheme::PODS {
            limits::of_pod(object, &limits)
        } else {
            limits::of_claim(object, &limits)
        };
        let why = match wrong.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        Err(request.forbidden(&why))
    }
}
