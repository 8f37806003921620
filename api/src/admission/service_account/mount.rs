//! The token of a pod, in a volume of its own.

use crate::strategy::Map;
use crate::strategy::json::{each_mut, maps_of, str_of};
use serde_json::{Value, json};

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME: &str = "kube-api-access-";

/// Gives the volume to every container that has nothing of its own in that place. One that is there already is used.
pub(super) fn token(spec: &mut Map, suffix: &dyn Fn() -> String) {
    let there = maps_of(spec, "volumes").map(|(_, volume)| str_of(volume, "name"));
    let there = there.filter(|name| name.starts_with(VOLUME)).map(str::to_owned).next();
    let name = there.clone().unwrap_or_else(|| format!("{VOLUME}{}", suffix()));
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in each_mut(spec, list) {
            mounted |= mount_in(container, &name);
        }
    }
    if mounted && there.is_none() {
        let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
        if let Some(volumes) = volumes.as_array_mut() {
            volumes.push(volume(&name));
        }
    }
}

fn mount_in(container: &mut Map, volume: &str) -> bool {
    let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
    let Some(mounts) = mounts.as_array_mut() else { return false };
    let free = mounts.iter().all(|mount| mount["mountPath"] != MOUNT);
    if free {
        mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT}));
    }
    free
}

fn volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}})
}
