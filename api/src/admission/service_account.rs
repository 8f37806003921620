//! Pods run as a service account and find its token in `/var/run/secrets` (Kubernetes' ServiceAccount admission controller).

use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::Map;
use crate::strategy::json::str_at;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::client::{Key, Reader};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Fills in `spec.serviceAccountName`, refuses one that does not exist, and mounts its token.
pub struct ServiceAccount {
    objects: Arc<dyn Reader>,
    suffix: Box<dyn Fn() -> String + Send + Sync>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountView {
    #[serde(default)]
    automount_service_account_token: Option<bool>,
    #[serde(default)]
    image_pull_secrets: Option<Vec<Value>>,
}

impl ServiceAccount {
    /// Reads service accounts through `objects`; `suffix` gives the five characters that make a volume's name unique.
    pub fn new(
        objects: Arc<dyn Reader>,
        suffix: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self { objects, suffix: Box::new(suffix) }
    }

    /// The account of a pod.
    async fn account(&self, namespace: &str, name: &str, pod: &str) -> Result<AccountView, Status> {
        let key = Key::new(scheme::SERVICEACCOUNTS, namespace, name);
        let found = self.objects.get(&key).await.and_then(|object| object.view());
        found.map_err(|error| match error.is_not_found() {
            true => {
                let why = format!("serviceaccount \"{name}\" not found");
                let why = format!("error looking up service account {namespace}/{name}: {why}");
                Status::forbidden("", "pods", pod, &why)
            }
            false => Status::internal(error),
        })
    }
}

#[async_trait]
impl Admission for ServiceAccount {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let (namespace, pod) = (request.namespace, request.object.as_mut());
        let Some(pod) = pod.filter(|_| request.subresource.is_empty()) else { return Ok(()) };
        let mirror = pod.get("metadata").is_some_and(|meta| !meta["annotations"][MIRROR].is_null());
        let title = title(pod);
        let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut).filter(|_| !mirror)
        else {
            return Ok(());
        };
        let name = match spec.get("serviceAccountName").and_then(Value::as_str) {
            None | Some("") => "default".to_owned(),
            Some(name) => name.to_owned(),
        };
        spec.insert("serviceAccountName".into(), name.clone().into());
        spec.insert("serviceAccount".into(), name.clone().into());
        let account = self.account(namespace, &name, &title).await?;
        if let (Some(secrets), None) = (account.image_pull_secrets, spec.get("imagePullSecrets")) {
            spec.insert("imagePullSecrets".into(), secrets.into());
        }
        let own = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
        if own.or(account.automount_service_account_token).unwrap_or(true) {
            mount_token(spec, &format!("kube-api-access-{}", (self.suffix)()));
        }
        Ok(())
    }
}

/// The name of a pod, or how it will begin.
fn title(pod: &Map) -> String {
    let given = |field| str_at(pod, &["metadata", field]);
    if given("name").is_empty() { given("generateName") } else { given("name") }.to_owned()
}

/// Gives the volume to every container that has nothing of its own in that place.
fn mount_token(spec: &mut Map, volume: &str) {
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            mounted |= mount_in(container, volume);
        }
    }
    if mounted {
        let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
        if let Some(volumes) = volumes.as_array_mut() {
            volumes.push(token_volume(volume));
        }
    }
}

fn mount_in(container: &mut Value, volume: &str) -> bool {
    let Some(container) = container.as_object_mut() else { return false };
    let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
    let Some(mounts) = mounts.as_array_mut() else { return false };
    let free = mounts.iter().all(|mount| mount["mountPath"] != MOUNT);
    if free {
        mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT}));
    }
    free
}

fn token_volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}})
}
