//! Nodes with rare devices are tainted with the devices' names; pods that ask for one tolerate it (Kubernetes'
//! ExtendedResourceToleration admission controller).

use super::tolerations::merge;
use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::json::{existing_mut, map_at, maps_of};
use async_trait::async_trait;
use serde_json::json;
use std::collections::BTreeSet;
use windlass_core::meta::Status;
use windlass_core::quota::is_extended;
use windlass_core::scheme::{self, GroupVersionResource};

/// Adds a toleration for each extended resource that a pod asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtendedResourceToleration;

#[async_trait]
impl Admission for ExtendedResourceToleration {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let pod = request.object.as_mut().filter(|_| request.subresource.is_empty());
        let Some(spec) = pod.and_then(|pod| existing_mut(pod, "spec")) else { return Ok(()) };
        let containers =
            ["containers", "initContainers"].into_iter().flat_map(|list| maps_of(spec, list));
        let names: BTreeSet<String> = containers
            .filter_map(|(_, container)| map_at(container, &["resources", "requests"]))
            .flat_map(|requests| requests.keys())
            .filter(|name| is_extended(name))
            .cloned()
            .collect();
        let all: Vec<_> =
            names.iter().map(|name| json!({"key": name, "operator": "Exists"})).collect();
        merge(spec, &all);
        Ok(())
    }
}
