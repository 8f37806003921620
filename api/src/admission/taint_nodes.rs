//! A new node gets no pods before it is ready (Kubernetes' TaintNodesByCondition admission controller).

use super::{Admission, AdmissionRequest, Operation};
use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Taints nodes `not-ready` when they are made; the node lifecycle controller takes it away.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaintNodesByCondition;

#[async_trait]
impl Admission for TaintNodesByCondition {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::NODES
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(node) = &mut request.object else { return Ok(()) };
        let spec = node.entry("spec").or_insert_with(|| json!({}));
        let taints =
            spec.as_object_mut().map(|spec| spec.entry("taints").or_insert_with(|| json!([])));
        if let Some(taints) = taints.and_then(Value::as_array_mut)
            && !taints.iter().any(|taint| taint["key"] == NOT_READY)
        {
            taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
        }
        Ok(())
    }
}
