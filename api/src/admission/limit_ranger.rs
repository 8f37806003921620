//! LimitRanges: what containers get that ask for nothing, and how little and how much may be asked for
//! (Kubernetes' LimitRanger admission controller).

mod defaults;
mod limits;

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::apis::core::v1::{LimitRange, LimitRangeItem};
use windlass_core::client::{ListOptions, Reader, Scope};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// Gives containers the requests and limits that the LimitRanges of their namespace have for them, and refuses pods
/// and claims that ask for less or more than those allow.
pub struct LimitRanger {
    objects: Arc<dyn Reader>,
}

impl LimitRanger {
    /// Reads LimitRanges through `objects`.
    pub fn new(objects: Arc<dyn Reader>) -> Self {
        Self { objects }
    }

    /// All limits of a namespace, in the order of their objects' names.
    async fn limits(&self, namespace: &str) -> Result<Vec<LimitRangeItem>, Status> {
        let scope = Scope::namespace(scheme::LIMITRANGES, namespace);
        let options = ListOptions { resource_version: "0".into(), ..ListOptions::default() };
        let list = self.objects.list(&scope, &options).await.map_err(Status::internal)?;
        let mut limits = vec![];
        for object in &list.items {
            let range: LimitRange = object.view().map_err(Status::internal)?;
            limits.extend(range.spec.into_iter().flat_map(|spec| spec.limits));
        }
        Ok(limits)
    }
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
        let limits = self.limits(request.namespace).await?;
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
        let limits = self.limits(request.namespace).await?;
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
