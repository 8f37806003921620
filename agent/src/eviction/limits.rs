//! Pods that use more local storage than they may (`sizeLimit`, `ephemeral-storage`), whatever the node has.

use super::message::bytes;
use crate::pod::PodExt;
use crate::resources::amount;
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::Pod;
use windlass_core::meta::Quantity;

const STORAGE: &str = "ephemeral-storage";

/// Bytes on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    /// Of each emptyDir that is not in memory, by the volume's name.
    pub(super) volumes: BTreeMap<String, i64>,
    /// Of each container's logs.
    pub(super) logs: BTreeMap<String, i64>,
    /// Files and folders of all of them.
    pub(super) inodes: i64,
}

impl Disk {
    pub(super) fn total(&self) -> i64 {
        self.volumes.values().chain(self.logs.values()).sum()
    }
}

/// Whether a pod has a limit that its use of the disk can break.
pub(super) fn limited(pod: &Pod) -> bool {
    sizes(pod).next().is_some() || storage(pod).next().is_some()
}

/// Why a pod must go, if it uses more than it may.
pub(super) fn exceeded(pod: &Pod, disk: &Disk) -> Option<String> {
    for (name, limit) in sizes(pod) {
        if disk.volumes.get(name).is_some_and(|used| *used > limit) {
            let limit = bytes(limit);
            return Some(format!(
                "Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". "
            ));
        }
    }
    // The pod's limit is the sum of those there are.
    let all: Vec<_> = storage(pod).collect();
    let total: i64 = all.iter().map(|(_, limit)| limit).sum();
    if !all.is_empty() && disk.total() > total {
        let limit = bytes(total);
        return Some(format!(
            "Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "
        ));
    }
    let (name, limit) = all
        .into_iter()
        .find(|(name, limit)| disk.logs.get(*name).is_some_and(|used| used > limit))?;
    let limit = bytes(limit);
    Some(format!("Container {name} exceeded its local ephemeral storage limit \"{limit}\". "))
}

fn sizes(pod: &Pod) -> impl Iterator<Item = (&str, i64)> {
    pod.pod_spec().volumes.iter().flatten().filter_map(|volume| {
        let source = volume.empty_dir.as_ref()?;
        let limit = source.size_limit.as_ref()?.0.parse::<Quantity>().ok()?;
        // One in memory can't grow over it.
        let on_disk = source.medium.as_deref() != Some("Memory");
        (on_disk && limit > Quantity::default()).then_some((volume.name.as_str(), limit.units()))
    })
}

fn storage(pod: &Pod) -> impl Iterator<Item = (&str, i64)> {
    pod.pod_spec().containers.iter().filter_map(|container| {
        let limit = amount(&container.resources.as_ref()?.limits, STORAGE)?;
        Some((container.name.as_str(), limit.units()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(spec: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).expect("a pod")
    }

    fn disk(volumes: &[(&str, i64)], logs: &[(&str, i64)]) -> Disk {
        let map =
            |all: &[(&str, i64)]| all.iter().map(|(n, used)| (n.to_string(), *used)).collect();
        Disk { volumes: map(volumes), logs: map(logs), inodes: 0 }
    }

    #[test]
    fn an_empty_dir_may_grow_to_its_limit() {
        let spec = json!({"containers": [{"name": "c"}], "volumes": [
            {"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}, {"name": "free", "emptyDir": {}},
            {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Ki"}}]});
        let pod = pod(&spec);
        assert!(limited(&pod));
        let full = disk(&[("v", 1 << 20), ("free", 1 << 40), ("m", 1 << 20)], &[]);
        assert_eq!(exceeded(&pod, &full), None);
        let over = exceeded(&pod, &disk(&[("v", (1 << 20) + 1)], &[]));
        assert_eq!(
            over.as_deref(),
            Some("Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ")
        );
    }

    #[test]
    fn containers_have_a_limit_each_and_together() {
        let limit = |size: &str| json!({"limits": {"ephemeral-storage": size}});
        let both = pod(
            &json!({"containers": [{"name": "a", "resources": limit("1Mi")}, {"name": "b", "resources": limit("2Mi")}]}),
        );
        let over = exceeded(&both, &disk(&[("v", 3 << 20)], &[("a", 1)]));
        let words = "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ";
        assert_eq!(over.as_deref(), Some(words));
        let over = exceeded(&both, &disk(&[], &[("a", 2 << 20)]));
        let words = "Container a exceeded its local ephemeral storage limit \"1Mi\". ";
        assert_eq!(over.as_deref(), Some(words));
        let one =
            pod(&json!({"containers": [{"name": "a", "resources": limit("1Mi")}, {"name": "b"}]}));
        let words = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ";
        let over = exceeded(&one, &disk(&[("v", 3 << 20)], &[]));
        assert_eq!(over.as_deref(), Some(words), "one limit is the pod's too");
        assert!(!limited(&pod(&json!({"containers": [{"name": "a"}]}))));
    }
}
