//! What pods, volumes and attachments name.

use super::graph::{Edges, Kind, Vertex};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::{Object, Result};

/// On pods that a node made itself: nobody vouches for what they name.
const MIRROR: &str = "kubernetes.io/config.mirror";

#[derive(Deserialize)]
struct PodView {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Map<String, Value>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
    service_account_name: String,
    image_pull_secrets: Vec<Named>,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    ephemeral_containers: Vec<Container>,
    volumes: Vec<Map<String, Value>>,
    resource_claims: Vec<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    env: Vec<Env>,
    env_from: Vec<EnvFrom>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Env {
    value_from: Option<ValueFrom>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ValueFrom {
    secret_key_ref: Named,
    config_map_key_ref: Named,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EnvFrom {
    secret_ref: Named,
    config_map_ref: Named,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

/// Gathers what is named, each once.
struct Found {
    namespace: Arc<str>,
    all: Vec<Vertex>,
}

// === impl Found ===

impl Found {
    fn add(&mut self, kind: Kind, name: &str) {
        if name.is_empty() {
            return;
        }
        let vertex = Vertex::new(kind, self.namespace.clone(), name);
        if !self.all.contains(&vertex) {
            self.all.push(vertex);
        }
    }

    fn container(&mut self, container: &Container) {
        for from in container.env.iter().filter_map(|env| env.value_from.as_ref()) {
            self.add(Kind::Secret, &from.secret_key_ref.name);
            self.add(Kind::ConfigMap, &from.config_map_key_ref.name);
        }
        for from in &container.env_from {
            self.add(Kind::Secret, &from.secret_ref.name);
            self.add(Kind::ConfigMap, &from.config_map_ref.name);
        }
    }

    fn volume(&mut self, pod: &str, volume: &Map<String, Value>) {
        let at = |path: &str| {
            let mut parts = path.split('.');
            let first = volume.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))?.as_str()
        };
        let mut add = |kind, path: &str| self.add(kind, at(path).unwrap_or_default());
        add(Kind::Claim, "persistentVolumeClaim.claimName");
        add(Kind::ConfigMap, "configMap.name");
        add(Kind::Secret, "secret.secretName");
        add(Kind::Secret, "azureFile.secretName");
        for kind in ["cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"] {
            add(Kind::Secret, &format!("{kind}.secretRef.name"));
        }
        add(Kind::Secret, "csi.nodePublishSecretRef.name");
        if volume.get("ephemeral").is_some_and(|it| !it.is_null()) {
            self.add(Kind::Claim, &format!("{pod}-{}", at("name").unwrap_or_default()));
        }
        let sources = volume.get("projected").and_then(|it| it["sources"].as_array());
        for source in sources.into_iter().flatten() {
            self.add(Kind::Secret, source["secret"]["name"].as_str().unwrap_or_default());
            self.add(Kind::ConfigMap, source["configMap"]["name"].as_str().unwrap_or_default());
        }
    }
}

/// Where a pod leads; nowhere as long as it is on no node.
pub(super) fn pod(object: &Object) -> Result<Option<Edges>> {
    let PodView { metadata, spec, status } = object.view()?;
    if spec.node_name.is_empty() {
        return Ok(None);
    }
    let mut found = Found { namespace: object.header().namespace.clone(), all: Vec::new() };
    found.add(Kind::Pod, object.name());
    if metadata.annotations.contains_key(MIRROR) {
        return Ok(Some(Edges::Node(spec.node_name.into(), found.all)));
    }
    found.add(Kind::ServiceAccount, &spec.service_account_name);
    spec.image_pull_secrets.iter().for_each(|secret| found.add(Kind::Secret, &secret.name));
    let containers = spec.containers.iter().chain(&spec.init_containers);
    containers.chain(&spec.ephemeral_containers).for_each(|one| found.container(one));
    spec.volumes.iter().for_each(|volume| found.volume(object.name(), volume));
    let named = spec.resource_claims.iter();
    let made = status.get("resourceClaimStatuses").and_then(Value::as_array).into_iter().flatten();
    let made = made.filter_map(Value::as_object);
    for name in named.chain(made).filter_map(|claim| claim.get("resourceClaimName")?.as_str()) {
        found.add(Kind::ResourceClaim, name);
    }
    Ok(Some(Edges::Node(spec.node_name.into(), found.all)))
}

/// Where a volume leads from: the claim it is bound to; and to: itself and its secrets.
pub(super) fn volume(object: &Object) -> Result<Option<Edges>> {
    let whole: Value = object.view()?;
    let spec = &whole["spec"];
    let claim = |field: &str| spec["claimRef"][field].as_str().unwrap_or_default();
    let (namespace, name) = (claim("namespace"), claim("name"));
    if name.is_empty() {
        return Ok(None);
    }
    let mut to = vec![Vertex::new(Kind::Volume, "", object.name())];
    let mut secret = |own: &Value, field: &str| {
        let Some(name) = own[field].as_str().filter(|name| !name.is_empty()) else { return };
        let of = ["namespace", "secretNamespace"].into_iter().find_map(|it| own[it].as_str());
        let of = of.filter(|of| !of.is_empty()).unwrap_or(namespace);
        to.push(Vertex::new(Kind::Secret, of, name));
    };
    secret(&spec["azureFile"], "secretName");
    for kind in ["cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos"] {
        secret(&spec[kind]["secretRef"], "name");
    }
    // Those that the agent reads; the controllers' own stay with them.
    for field in ["nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"] {
        secret(&spec["csi"][field], "name");
    }
    Ok(Some(Edges::Claim(Vertex::new(Kind::Claim, namespace, name), to)))
}

/// The node that a volume is attached to.
pub(super) fn attachment(object: &Object) -> Result<Option<Edges>> {
    of_node(object, Kind::Attachment)
}

/// The node whose devices a slice lists.
pub(super) fn slice(object: &Object) -> Result<Option<Edges>> {
    of_node(object, Kind::Slice)
}

/// From the node in `spec.nodeName` to the object.
fn of_node(object: &Object, kind: Kind) -> Result<Option<Edges>> {
    let whole: Value = object.view()?;
    let node = whole["spec"]["nodeName"].as_str().filter(|node| !node.is_empty());
    let to = vec![Vertex::new(kind, "", object.name())];
    Ok(node.map(|node| Edges::Node(node.into(), to)))
}
