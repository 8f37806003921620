//! Clusters and pods as upstream's scheduler_perf has them.

use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_scheduler::{NodeInfo, PodInfo, Snapshot};

/// What is placed, and on which cluster.
#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Fields of the pods' spec.
    pub(crate) spec: Value,
    pub(crate) labels: Value,
    pub(crate) existing: Existing,
}

/// Pods that are there before.
#[derive(Clone)]
pub(crate) enum Existing {
    None,
    /// One a node, like those to come.
    Alike,
    /// Four a node of low priority, that fill it.
    Low,
}

fn containers(cpu: &str, memory: &str) -> Value {
    json!([{"name": "pause", "image": "registry.k8s.io/pause:3.10",
        "resources": {"requests": {"cpu": cpu, "memory": memory}}}])
}

fn term(app: &str, key: &str) -> Value {
    json!([{"labelSelector": {"matchLabels": {"color": app}}, "topologyKey": key, "namespaces": ["sched-1", "sched-0"]}])
}

impl Workload {
    pub(crate) fn basic() -> Self {
        let spec = json!({"containers": containers("100m", "500Mi")});
        Self { name: "SchedulingBasic", spec, labels: json!({}), existing: Existing::Alike }
    }

    fn new(name: &'static str, labels: Value, more: Value) -> Self {
        let mut this = Self { name, labels, ..Self::basic() };
        let fields = more.as_object().expect("an object").clone();
        this.spec.as_object_mut().expect("an object").extend(fields);
        this
    }

    pub(crate) fn all() -> Vec<Self> {
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let in_zones = json!([{"matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone1", "zone2"]}]}]);
        vec![
            Self::basic(),
            Self::new(
                "SchedulingPodAntiAffinity",
                json!({"color": "green"}),
                json!({"affinity": {"podAntiAffinity": {required: term("green", "kubernetes.io/hostname")}}}),
            ),
            Self::new(
                "SchedulingPodAffinity",
                json!({"color": "blue"}),
                json!({"affinity": {"podAffinity": {required: term("blue", "topology.kubernetes.io/zone")}}}),
            ),
            Self::new(
                "TopologySpreading",
                json!({"color": "blue"}),
                json!({"topologySpreadConstraints": [{"maxSkew": 5, "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"color": "blue"}}}]}),
            ),
            Self::new(
                "SchedulingNodeAffinity",
                json!({}),
                json!({"affinity": {"nodeAffinity": {required: {"nodeSelectorTerms": in_zones}}}}),
            ),
            Self::new("Unschedulable", json!({}), json!({"containers": containers("9", "500Mi")})),
            Self {
                existing: Existing::Low,
                ..Self::new(
                    "Preemption",
                    json!({}),
                    json!({"priority": 10, "containers": containers("3", "500Mi")}),
                )
            },
        ]
    }

    /// One of the pods to place.
    pub(crate) fn pod(&self, n: u64) -> Arc<PodInfo> {
        pod(&format!("p{n}"), &self.labels, &self.spec)
    }

    /// One that is like no other, nor asks for the same.
    pub(crate) fn distinct(&self, n: u64) -> Arc<PodInfo> {
        let mut spec = self.spec.clone();
        let (cpu, memory) = (format!("{}m", 50 + n % 97), format!("{}Ki", 200_000 + n));
        spec["containers"][0]["resources"]["requests"] = json!({"cpu": cpu, "memory": memory});
        pod(&format!("p{n}"), &json!({"only": n.to_string()}), &spec)
    }
}

/// Nodes in three zones, with their pods.
pub(crate) fn cluster(snapshot: &mut Snapshot, nodes: u64, workload: &Workload) {
    for n in 0..nodes {
        let name = format!("node-{n}");
        let labels = json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": format!("zone{}", n % 3)});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"}}});
        let object = Object::from_wire(node.to_string().into()).expect("an object");
        snapshot.set_node(NodeInfo::new(&object).expect("a node"));
        let low = json!({"containers": containers("900m", "500Mi")});
        let (count, spec) = match workload.existing {
            Existing::None => (0, &low),
            // Those that keep each other away leave room for others.
            Existing::Alike if workload.name == "SchedulingPodAntiAffinity" && n % 5 != 0 => {
                (0, &low)
            }
            Existing::Alike if workload.name == "Unschedulable" => (0, &low),
            Existing::Alike => (1, &workload.spec),
            Existing::Low => (4, &low),
        };
        let id = snapshot.id(&name).expect("just put in");
        for p in 0..count {
            snapshot.place(pod(&format!("e{n}-{p}"), &workload.labels, spec), id);
        }
    }
}

fn pod(name: &str, labels: &Value, spec: &Value) -> Arc<PodInfo> {
    let metadata = json!({"name": name, "namespace": "sched-1", "uid": name, "labels": labels});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let object = Object::from_wire(pod.to_string().into()).expect("an object");
    Arc::new(PodInfo::new(&object).expect("a pod"))
}
