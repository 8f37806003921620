//! Pods: a node shows those it runs by itself, reports on those it was given, and gives them up.

use super::Asked;
use crate::admission::Operation;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{
    is_empty, is_nil, is_true, list_of, map_at, map_of, maps_of, str_at, str_of,
};
use serde_json::Value;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme;

const MIRROR: &str = "kubernetes.io/config.mirror";

// === impl Asked ===

impl Asked<'_, '_> {
    pub(super) async fn pod(&self) -> Result<Result<(), String>, Status> {
        let node = self.node;
        let here = |pod: &Map| str_at(pod, &["spec", "nodeName"]) == node;
        let empty = Map::new();
        let object = self.object().unwrap_or(&empty);
        Ok(match (self.request.subresource, self.request.operation) {
            ("", Operation::Create) => match self.mirror(object) {
                Ok(()) => self.owner(object).await?,
                refused => refused,
            },
            ("", Operation::Delete) if here(object) => Ok(()),
            ("", Operation::Delete) => Err(format!(
                "node \"{node}\" can only delete pods with spec.nodeName set to itself"
            )),
            ("", operation) => Err(format!(
                "unexpected operation \"{}\", node \"{node}\" can only create and delete mirror pods",
                operation.as_str()
            )),
            ("status", Operation::Update) => self.status(object),
            ("status", operation) => {
                Err(format!("unexpected operation \"{}\"", operation.as_str()))
            }
            ("eviction", Operation::Create) => self.eviction(object).await?,
            ("eviction", operation) => Err(format!("unexpected operation {}", operation.as_str())),
            (other, _) => Err(format!(
                "unexpected pod subresource \"{other}\", only 'status' and 'eviction' are allowed"
            )),
        })
    }

    /// A pod that a node makes stands for one it runs already. It can't use what would be given to it.
    fn mirror(&self, pod: &Map) -> Result<(), String> {
        let node = self.node;
        let annotations = map_at(pod, &["metadata", "annotations"]);
        if !annotations.is_some_and(|all| all.contains_key(MIRROR)) {
            return Err(format!(
                "pod does not have \"{MIRROR}\" annotation, node \"{node}\" can only create mirror pods"
            ));
        }
        let empty = Map::new();
        let spec = map_of(pod, "spec").unwrap_or(&empty);
        if str_of(spec, "nodeName") != node {
            return Err(format!(
                "node \"{node}\" can only create pods with spec.nodeName set to itself"
            ));
        }
        let refuse =
            |what: &str| Err(format!("node \"{node}\" can not create pods that reference {what}"));
        if !str_of(spec, "serviceAccountName").is_empty() {
            return refuse("a service account");
        }
        let Some(what) = referenced(spec) else { return Ok(()) };
        refuse(what)
    }

    async fn owner(&self, pod: &Map) -> Result<Result<(), String>, Status> {
        let node = self.node;
        let owners =
            map_of(pod, "metadata").map_or(&[][..], |meta| list_of(meta, "ownerReferences"));
        let owner = match owners {
            [] => return Ok(Ok(())),
            [Value::Object(owner)] => owner,
            _ => {
                return Ok(Err(format!(
                    "node \"{node}\" can only create pods with a single owner reference set to itself"
                )));
            }
        };
        let itself = (str_of(owner, "apiVersion"), str_of(owner, "kind"), str_of(owner, "name"));
        if itself != ("v1", "Node", node) {
            return Ok(Err(format!(
                "node \"{node}\" can only create pods with an owner reference set to itself"
            )));
        }
        if !is_true(owner, "controller") {
            return Ok(Err(format!(
                "node \"{node}\" can only create pods with a controller owner reference set to itself"
            )));
        }
        if is_true(owner, "blockOwnerDeletion") {
            return Ok(Err(format!(
                "node \"{node}\" must not set blockOwnerDeletion on an owner reference"
            )));
        }
        let key = Key::cluster(scheme::NODES, node);
        let Some(found) = self.request.objects.get_at(&key, ReadVersion::Newest).await? else {
            return Err(Status::not_found("", "nodes", node));
        };
        let (meant, is) = (str_of(owner, "uid"), found.header().uid.to_string());
        if meant != is {
            return Ok(Err(format!("node {node} UID mismatch: expected {meant} got {is}")));
        }
        Ok(Ok(()))
    }

    fn status(&self, new: &Map) -> Result<(), String> {
        let node = self.node;
        let empty = Map::new();
        let old = self.request.old.unwrap_or(&empty);
        if str_at(old, &["spec", "nodeName"]) != node {
            return Err(format!(
                "node \"{node}\" can only update pod status for pods with spec.nodeName set to itself"
            ));
        }
        let labels = |pod| map_at(pod, &["metadata", "labels"]).filter(|labels| !labels.is_empty());
        if labels(new) != labels(old) {
            return Err(format!("node \"{node}\" cannot update labels through pod status"));
        }
        let claims =
            |pod: &Map| map_of(pod, "status").map(|s| list_of(s, "resourceClaimStatuses").to_vec());
        if claims(new).unwrap_or_default() != claims(old).unwrap_or_default() {
            return Err(format!("node \"{node}\" cannot update resource claim statuses"));
        }
        Ok(())
    }

    async fn eviction(&self, eviction: &Map) -> Result<Result<(), String>, Status> {
        let name = match self.request.name {
            "" => str_at(eviction, &["metadata", "name"]),
            name => name,
        };
        if name.is_empty() {
            return Ok(Err("could not determine pod from request data".into()));
        }
        let Some(pod) = self.stored_pod(name).await? else {
            return Err(Status::not_found("", "pods", name));
        };
        if str_at(&pod, &["spec", "nodeName"]) == self.node {
            return Ok(Ok(()));
        }
        let node = self.node;
        Ok(Err(format!("node {node} can only evict pods with spec.nodeName set to itself")))
    }
}

/// What a pod uses of other objects.
fn referenced(spec: &Map) -> Option<&'static str> {
    let volumes = || maps_of(spec, "volumes").map(|(_, volume)| volume);
    let sources = || {
        let projected = volumes().filter_map(|volume| map_of(volume, "projected"));
        projected.flat_map(|projected| maps_of(projected, "sources").map(|(_, source)| source))
    };
    let containers = || {
        let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
        lists.flat_map(|list| maps_of(spec, list).map(|(_, container)| container))
    };
    let environment = |whole: &str, single: &str| {
        let all = |container: &Map| maps_of(container, "envFrom").any(|(_, it)| !is_nil(it, whole));
        let one = |container: &Map| {
            let sources = maps_of(container, "env").filter_map(|(_, it)| map_of(it, "valueFrom"));
            sources.into_iter().any(|from| !is_nil(from, single))
        };
        containers().any(|container| all(container) || one(container))
    };
    let mounted = |field: &str| volumes().any(|volume| !is_nil(volume, field));
    let projected = |field: &str| sources().any(|source| !is_nil(source, field));
    // Other kinds of volumes name secrets too.
    let secret_refs =
        volumes().flat_map(|volume| volume.values().filter_map(Value::as_object)).any(|source| {
            ["secretRef", "secretName", "nodePublishSecretRef"]
                .iter()
                .any(|field| !is_nil(source, field))
        });
    if mounted("secret")
        || projected("secret")
        || secret_refs
        || environment("secretRef", "secretKeyRef")
        || !is_empty(spec, "imagePullSecrets")
    {
        Some("secrets")
    } else if mounted("configMap")
        || projected("configMap")
        || environment("configMapRef", "configMapKeyRef")
    {
        Some("configmaps")
    } else if !is_empty(spec, "resourceClaims") {
        Some("resourceclaims")
    } else if mounted("persistentVolumeClaim") || mounted("ephemeral") {
        Some("persistentvolumeclaims")
    } else if projected("serviceAccountToken") || projected("clusterTrustBundle") {
        Some("service account tokens or trust bundles")
    } else {
        None
    }
}
