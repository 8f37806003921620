//! Pods run as a service account and find its token in `/var/run/secrets` (Kubernetes' ServiceAccount admission controller).

mod mount;
mod secrets;

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{is_empty, map_at, map_mut, map_of, maps_of, str_at};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const MIRROR: &str = "kubernetes.io/config.mirror";
/// An account with this one says which secrets its pods may use.
const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// Fills in `spec.serviceAccountName`, refuses one that does not exist, and mounts its token.
pub struct ServiceAccount {
    suffix: Box<dyn Fn() -> String + Send + Sync>,
}

/// What is looked at in an account.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Account {
    metadata: Metadata,
    automount_service_account_token: Option<bool>,
    image_pull_secrets: Option<Vec<Value>>,
    secrets: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    annotations: Option<BTreeMap<String, String>>,
}

// === impl ServiceAccount ===

impl ServiceAccount {
    /// `suffix` gives the five characters that make a volume's name unique.
    pub fn new(suffix: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { suffix: Box::new(suffix) }
    }
}

/// The account of a pod.
async fn account(request: &AdmissionRequest<'_>, name: &str) -> Result<Account, Status> {
    let namespace = request.namespace;
    let key = Key::new(scheme::SERVICEACCOUNTS, namespace, name);
    let found = request.objects.get_at(&key, ReadVersion::Newest).await?;
    let missing = || {
        let why = format!("serviceaccount \"{name}\" not found");
        request.forbidden(&format!("error looking up service account {namespace}/{name}: {why}"))
    };
    found.ok_or_else(missing)?.view().map_err(Status::internal)
}

#[async_trait]
impl Admission for ServiceAccount {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.operation != Operation::Create || !request.subresource.is_empty() {
            return Ok(());
        }
        let Some(pod) = request.object.as_ref().filter(|pod| !is_mirror(pod)) else {
            return Ok(());
        };
        let name = account_name(pod);
        let account = account(request, &name).await?;
        let Some(pod) = request.object.as_mut() else { return Ok(()) };
        let spec = map_mut(pod, "spec");
        spec.insert("serviceAccountName".into(), name.clone().into());
        spec.insert("serviceAccount".into(), name.into());
        if is_empty(spec, "imagePullSecrets")
            && let Some(secrets) = account.image_pull_secrets
        {
            spec.insert("imagePullSecrets".into(), secrets.into());
        }
        let own = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
        if own.or(account.automount_service_account_token).unwrap_or(true) {
            mount::token(spec, &*self.suffix);
        }
        Ok(())
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(pod) = &request.object else { return Ok(()) };
        let ephemeral = match (request.operation, request.subresource) {
            (Operation::Create, "") => false,
            (Operation::Update, "ephemeralcontainers") => true,
            _ => return Ok(()),
        };
        if is_mirror(pod) {
            let why = if ephemeral { None } else { mirror(pod) };
            return why.map_or(Ok(()), |why| Err(request.forbidden(why)));
        }
        if !map_of(pod, "spec").is_some_and(secrets::any) {
            return Ok(());
        }
        let account = account(request, &account_name(pod)).await?;
        let enforced = account.metadata.annotations.as_ref().and_then(|all| all.get(ENFORCE));
        if !enforced
            .is_some_and(|text| matches!(&**text, "true" | "True" | "TRUE" | "t" | "T" | "1"))
        {
            return Ok(());
        }
        let why = secrets::unnamed(pod, &account, ephemeral);
        why.map_or(Ok(()), |why| Err(request.forbidden(&why)))
    }
}

fn is_mirror(pod: &Map) -> bool {
    map_at(pod, &["metadata", "annotations"]).is_some_and(|all| all.contains_key(MIRROR))
}

fn account_name(pod: &Map) -> String {
    match str_at(pod, &["spec", "serviceAccountName"]) {
        "" => "default".to_owned(),
        name => name.to_owned(),
    }
}

/// What a pod that stands for one on a node must not have.
fn mirror(pod: &Map) -> Option<&'static str> {
    let spec = map_of(pod, "spec")?;
    if !str_at(spec, &["serviceAccountName"]).is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    if secrets::any(spec) {
        return Some("a mirror pod may not reference secrets");
    }
    let mut projected =
        maps_of(spec, "volumes").filter_map(|(_, volume)| map_of(volume, "projected"));
    let tokens = projected.any(|projected| {
        maps_of(projected, "sources").any(|(_, source)| !is_empty(source, "serviceAccountToken"))
    });
    tokens.then_some("a mirror pod may not use service account token projections")
}
