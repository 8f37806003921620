//! What the pods of a namespace tolerate (Kubernetes' PodTolerationRestriction admission controller).

use super::tolerations::{covers, merge};
use super::{Admission, AdmissionRequest, Operation, rules};
use crate::strategy::json::{list_of, map_mut, map_of};
use crate::strategy::qos_class;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const DEFAULTS: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
const ALLOWED: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";

/// Adds the default tolerations of the namespace, or of the configuration, to pods, and refuses what is not allowed there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodTolerationRestriction {
    /// What pods tolerate where the namespace does not say.
    default: Vec<Value>,
    /// What they may tolerate where the namespace does not say; everything when there is none.
    whitelist: Vec<Value>,
}

// === impl PodTolerationRestriction ===

impl PodTolerationRestriction {
    /// A list of the namespace, or that of the configuration.
    async fn list(
        &self,
        request: &AdmissionRequest<'_>,
        annotation: &str,
        otherwise: &[Value],
    ) -> Result<Vec<Value>, Status> {
        match rules::annotation(request, annotation).await?.as_deref() {
            None => Ok(otherwise.to_vec()),
            Some("") => Ok(Vec::new()),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                request.forbidden(&format!("the annotation {annotation} can't be read: {error}"))
            }),
        }
    }
}

#[async_trait]
impl Admission for PodTolerationRestriction {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !request.subresource.is_empty() {
            return Ok(());
        }
        let mut more = match request.operation {
            Operation::Create => self.list(request, DEFAULTS, &self.default).await?,
            _ => Vec::new(),
        };
        let Some(pod) = request.object.as_mut() else { return Ok(()) };
        if qos_class(map_mut(pod, "spec")) != "BestEffort" {
            // Who asked for memory is not put out for want of it.
            more.push(json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists",
                "effect": "NoSchedule"}));
        }
        merge(map_mut(pod, "spec"), &more);
        Ok(())
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !request.subresource.is_empty() {
            return Ok(());
        }
        let allowed = self.list(request, ALLOWED, &self.whitelist).await?;
        let spec = request.object.as_ref().and_then(|pod| map_of(pod, "spec"));
        let own = spec.map_or(&[][..], |spec| list_of(spec, "tolerations"));
        let fits = |one: &Value| allowed.iter().any(|allowed| covers(allowed, one));
        if allowed.is_empty() || own.iter().all(fits) {
            return Ok(());
        }
        Err(request.forbidden(
            "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist",
        ))
    }
}
