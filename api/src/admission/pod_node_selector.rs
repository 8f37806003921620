//! The pods of a namespace run on nodes with its labels (Kubernetes' PodNodeSelector admission controller).

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation, rules};
use crate::strategy::Map;
use crate::strategy::json::{map_at, map_mut};
use async_trait::async_trait;
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const ANNOTATION: &str = "scheduler.alpha.kubernetes.io/node-selector";
/// The selector of namespaces that have none, in the configuration.
const DEFAULT: &str = "clusterDefaultNodeSelector";

/// Merges the node selector of the namespace (its annotation `scheduler.alpha.kubernetes.io/node-selector`) into those of
/// pods, and refuses pods that ask for others than the configuration lets their namespace have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct PodNodeSelector {
    /// `clusterDefaultNodeSelector`, and by namespace what its pods may ask for: `env=test,disk=ssd`.
    selectors: BTreeMap<String, String>,
}

type Labels = BTreeMap<String, String>;

// === impl PodNodeSelector ===

impl From<BTreeMap<String, String>> for PodNodeSelector {
    fn from(selectors: BTreeMap<String, String>) -> Self {
        Self { selectors }
    }
}

impl PodNodeSelector {
    async fn of_namespace(&self, request: &AdmissionRequest<'_>) -> Result<Labels, Status> {
        let own = rules::annotation(request, ANNOTATION).await?;
        let text = own.as_deref().or(self.selectors.get(DEFAULT).map(String::as_str));
        let text = text.unwrap_or_default();
        parse(text).ok_or_else(|| {
            let why = format!("the node selector of the namespace can't be read: \"{text}\"");
            request.forbidden(&why)
        })
    }
}

#[async_trait]
impl Admission for PodNodeSelector {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !request.subresource.is_empty() {
            return Ok(());
        }
        let wanted = self.of_namespace(request).await?;
        let Some(pod) = request.object.as_ref() else { return Ok(()) };
        let own = selector(pod);
        if wanted.iter().any(|(key, value)| own.get(key).is_some_and(|own| own != value)) {
            let why = "pod node label selector conflicts with its namespace node label selector";
            return Err(request.forbidden(why));
        }
        if let Some(pod) = request.object.as_mut().filter(|_| !wanted.is_empty()) {
            let to = map_mut(map_mut(pod, "spec"), "nodeSelector");
            to.extend(wanted.into_iter().map(|(key, value)| (key, value.into())));
        }
        Ok(())
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(pod) = request.object.as_ref().filter(|_| request.subresource.is_empty()) else {
            return Ok(());
        };
        let Some(allowed) = self.selectors.get(request.namespace) else { return Ok(()) };
        let Some(allowed) = parse(allowed) else {
            let why = format!("the node selectors of the namespace can't be read: \"{allowed}\"");
            return Err(request.forbidden(&why));
        };
        let fits = |(key, value): (&String, &String)| allowed.get(key) == Some(value);
        if !allowed.is_empty() && !selector(pod).iter().all(fits) {
            let why = "pod node label selector labels conflict with its namespace whitelist";
            return Err(request.forbidden(why));
        }
        Ok(())
    }
}

fn selector(pod: &Map) -> Labels {
    let all = map_at(pod, &["spec", "nodeSelector"]).into_iter().flatten();
    all.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// `a=b,c=d`.
fn parse(text: &str) -> Option<Labels> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.split_once('=').map(|(key, value)| (key.trim().into(), value.trim().into()))
        })
        .collect()
}
