//! Pods stay for five minutes on a node that went silent (Kubernetes' DefaultTolerationSeconds admission controller).

use super::{Admission, AdmissionRequest, Operation};
use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const SECONDS: u32 = 300;

/// Adds tolerations of the taints `not-ready` and `unreachable` for 300 s to pods that say nothing of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultTolerationSeconds;

#[async_trait]
impl Admission for DefaultTolerationSeconds {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let spec = request.object.as_mut().filter(|_| request.subresource.is_empty());
        let Some(spec) = spec.and_then(|pod| pod.get_mut("spec")?.as_object_mut()) else {
            return Ok(());
        };
        let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
        if let Some(tolerations) = tolerations.as_array_mut() {
            for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
                if !tolerations.iter().any(|toleration| bears(toleration, taint)) {
                    tolerations
                        .push(json!({"key": taint, "operator": "Exists", "effect": "NoExecute",
                        "tolerationSeconds": SECONDS}));
                }
            }
        }
        Ok(())
    }
}

fn bears(toleration: &Value, taint: &str) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    let key = text("key") == taint || (text("key").is_empty() && text("operator") == "Exists");
    key && matches!(text("effect"), "" | "NoExecute")
}
