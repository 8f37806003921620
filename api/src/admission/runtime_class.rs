//! What a runtime needs beside the pod, and where it is (Kubernetes' RuntimeClass admission controller).

#[cfg(test)]
mod tests;

use super::tolerations::merge;
use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{existing_mut, list_of, map_at, map_mut, map_of, str_at};
use crate::validation::rules::quantity;
use async_trait::async_trait;
use serde_json::Value;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// Fills in `spec.overhead`, node selector and tolerations from the class that a new pod names, and refuses a class that
/// is not there and an overhead that is not the class's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeClass;

// === impl RuntimeClass ===

impl RuntimeClass {
    /// The class that a pod names, if it names one.
    async fn class(request: &AdmissionRequest<'_>) -> Result<Option<Map>, Status> {
        let pod = request.object.as_ref();
        let name = pod.map(|pod| str_at(pod, &["spec", "runtimeClassName"])).unwrap_or_default();
        if name.is_empty() {
            return Ok(None);
        }
        let key = Key::cluster(scheme::RUNTIMECLASSES, name);
        let found = match request.objects.serves(&scheme::RUNTIMECLASSES) {
            true => request.objects.get_at(&key, ReadVersion::Newest).await?,
            false => None,
        };
        let Some(class) = found else {
            let why = format!("pod rejected: RuntimeClass \"{name}\" not found");
            return Err(request.forbidden(&why));
        };
        class.view().map(Some).map_err(Status::internal)
    }
}

#[async_trait]
impl Admission for RuntimeClass {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !request.subresource.is_empty() {
            return Ok(());
        }
        let Some(class) = Self::class(request).await? else { return Ok(()) };
        let Some(pod) = &mut request.object else { return Ok(()) };
        let done = fill(map_mut(pod, "spec"), &class);
        done.map_err(|why| request.forbidden(&why))
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !request.subresource.is_empty() {
            return Ok(());
        }
        let class = Self::class(request).await?;
        let given = class.as_ref().and_then(|class| map_at(class, &["overhead", "podFixed"]));
        let own = request.object.as_ref().and_then(|pod| map_at(pod, &["spec", "overhead"]));
        match (given, own.filter(|own| !own.is_empty())) {
            (None, Some(_)) => Err(request.forbidden(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            )),
            (Some(given), own) if !own.is_some_and(|own| same(own, given)) => {
                Err(request.forbidden(MISMATCH))
            }
            _ => Ok(()),
        }
    }
}

const MISMATCH: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

/// Puts into a pod what a class asks for.
fn fill(spec: &mut Map, class: &Map) -> Result<(), String> {
    if let Some(overhead) = map_at(class, &["overhead", "podFixed"]) {
        if map_of(spec, "overhead").is_some_and(|own| !own.is_empty() && !same(own, overhead)) {
            return Err(MISMATCH.into());
        }
        spec.insert("overhead".into(), overhead.clone().into());
    }
    let Some(scheduling) = map_of(class, "scheduling") else { return Ok(()) };
    let selector = map_of(scheduling, "nodeSelector");
    for (key, value) in selector.into_iter().flatten() {
        let own = existing_mut(spec, "nodeSelector").and_then(|own| own.get(key));
        if let Some(own) = own.filter(|own| *own != value) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                text(value),
                text(own)
            ));
        }
        map_mut(spec, "nodeSelector").insert(key.clone(), value.clone());
    }
    merge(spec, list_of(scheduling, "tolerations"));
    Ok(())
}

/// The same amounts, in whatever form.
fn same(one: &Map, other: &Map) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, amount)| {
            other.get(name).is_some_and(|other| quantity(amount) == quantity(other))
        })
}
