//! For each plugin a pod that it has work with, and a cluster in which it has something to look at.

use super::cluster::{object, pod, set_node};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_benches::workload::{BEFORE, PLACED, Template, Workload, node};
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_scheduler::framework::Profile;
use windlass_scheduler::{PodInfo, Snapshot};

/// These have no say about nodes: the first two are measured with the queue, the last as a workload.
const ELSEWHERE: [&str; 3] = ["SchedulingGates", "PrioritySort", "DefaultPreemption"];
const IMAGE: &str = "registry.example/large:1";
const ZONES: [&str; 3] = ["zone1", "zone2", "zone3"];

/// The plugins of a profile that look at nodes, each with its pod.
pub(crate) fn cases(profile: &Profile) -> Vec<(&'static str, Arc<PodInfo>)> {
    let names = profile.names().filter(|name| !ELSEWHERE.contains(name));
    let case = |name| {
        let template = template(name).unwrap_or_else(|| panic!("{name} has no pod"));
        (name, pod(&template, PLACED, "p"))
    };
    names.map(case).collect()
}

fn template(plugin: &str) -> Option<Template> {
    let of = |name: &str| {
        let found = Workload::all().into_iter().find(|workload| workload.name == name);
        found.map(|workload| workload.placed)
    };
    let with = |more: Value| {
        let mut plain = Workload::basic().placed;
        plain.spec.as_object_mut()?.extend(more.as_object()?.clone());
        Some(plain)
    };
    let container = |more: Value| {
        let mut template = Workload::basic().placed;
        template.spec["containers"][0].as_object_mut()?.extend(more.as_object()?.clone());
        Some(template)
    };
    let claim =
        json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}]});
    match plugin {
        "NodeName" => with(json!({"nodeName": "node-7"})),
        "NodePorts" => container(json!({"ports": [{"containerPort": 80, "hostPort": 8080}]})),
        "NodeUnschedulable" | "NodeResourcesFit" | "NodeResourcesBalancedAllocation" => {
            of("SchedulingBasic")
        }
        "TaintToleration" => with(json!({"tolerations": [{"key": "soft", "operator": "Exists"}]})),
        "NodeAffinity" => of("SchedulingNodeAffinity"),
        "InterPodAffinity" => of("SchedulingPodAntiAffinity"),
        "PodTopologySpread" => of("TopologySpreading"),
        "ImageLocality" => container(json!({"image": IMAGE})),
        "VolumeRestrictions" => {
            with(json!({"volumes": [{"name": "v", "gcePersistentDisk": {"pdName": "disk"}}]}))
        }
        "VolumeBinding" | "VolumeZone" | "NodeVolumeLimits" => with(claim),
        "DynamicResources" => {
            with(json!({"resourceClaims": [{"name": "r", "resourceClaimName": "device"}]}))
        }
        _ => None,
    }
}

/// Nodes with taints, images, devices and volume drivers; on each a pod, of several kinds.
pub(crate) fn furnished(profile: &Profile, nodes: u64) -> Snapshot {
    let mut snapshot = profile.snapshot();
    objects(&mut snapshot);
    let kinds = ["NodePorts", "InterPodAffinity", "PodTopologySpread", "VolumeRestrictions"];
    let kinds = kinds.map(|name| template(name).expect("one of the cases"));
    for number in 0..nodes {
        set_node(&mut snapshot, &furnished_node(number));
        let name = format!("node-{number}");
        let id = snapshot.id(&name).expect("just put in");
        let kind = &kinds[number as usize % kinds.len()];
        snapshot.place(pod(kind, BEFORE, &format!("e{number}")), id);
        set(
            &mut snapshot,
            &scheme::CSINODES,
            &json!({"metadata": {"name": name}, "spec": {"drivers": [
            {"name": "csi.example", "nodeID": name, "allocatable": {"count": 16}}]}}),
        );
        let pool = json!({"name": name, "generation": 1, "resourceSliceCount": 1});
        set(
            &mut snapshot,
            &scheme::RESOURCESLICES,
            &json!({"metadata": {"name": name}, "spec": {
            "driver": "x.io", "nodeName": name, "pool": pool, "devices": [{"name": "a"}, {"name": "b"}]}}),
        );
    }
    snapshot
}

fn furnished_node(number: u64) -> Value {
    let room = json!({"cpu": "4", "memory": "32Gi", "pods": "110"});
    let mut node = node(number, ZONES[number as usize % ZONES.len()], &room);
    let taint = match number % 8 {
        0 => json!([{"key": "hard", "effect": "NoSchedule"}]),
        1 | 2 => json!([{"key": "soft", "effect": "PreferNoSchedule"}]),
        _ => json!([]),
    };
    node["spec"] = json!({"taints": taint, "unschedulable": number % 16 == 9});
    if number.is_multiple_of(3) {
        node["status"]["images"] = json!([{"names": [IMAGE], "sizeBytes": 700_000_000}]);
    }
    node
}

/// What the pods of the plugins for volumes and devices name.
fn objects(snapshot: &mut Snapshot) {
    let size = json!({"storage": "1Gi"});
    let in_zones = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone1", "zone2"]});
    set(
        snapshot,
        &scheme::PERSISTENTVOLUMES,
        &json!({
        "metadata": {"name": "volume", "labels": {"topology.kubernetes.io/zone": "zone1"}},
        "spec": {"capacity": size, "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "csi.example", "volumeHandle": "h"},
            "claimRef": {"namespace": PLACED, "name": "claim", "uid": "claim"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [in_zones]}]}}},
        "status": {"phase": "Bound"}}),
    );
    set(
        snapshot,
        &scheme::PERSISTENTVOLUMECLAIMS,
        &json!({
        "metadata": {"name": "claim", "namespace": PLACED, "uid": "claim",
            "annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        "spec": {"volumeName": "volume", "accessModes": ["ReadWriteOnce"], "resources": {"requests": size}}}),
    );
    set(snapshot, &scheme::DEVICECLASSES, &json!({"metadata": {"name": "gpu"}, "spec": {}}));
    set(
        snapshot,
        &scheme::RESOURCECLAIMS,
        &json!({
        "metadata": {"name": "device", "namespace": PLACED, "uid": "device"},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]}}}),
    );
}

fn set(snapshot: &mut Snapshot, resource: &GroupVersionResource, json: &Value) {
    snapshot.set_object(resource, &Arc::new(object(json.to_string())));
}
