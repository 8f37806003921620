//! Clusters and pods as upstream's scheduler_perf has them, by its names and in its numbers.

use serde_json::{Value, json};

/// Where pods are that are there before.
pub const BEFORE: &str = "sched-0";
/// Where pods are that are placed.
pub const PLACED: &str = "sched-1";
/// The class of pods that may push others away, and its value.
pub const HIGH: (&str, i32) = ("high", 10);

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// What is placed, and on which cluster.
#[derive(Clone)]
pub struct Workload {
    /// Upstream's.
    pub name: &'static str,
    /// The pods that are placed.
    pub placed: Template,
    /// Pods that are there before.
    pub before: Template,
    /// Pods that find no room. They come beside those that are placed, five a second.
    pub hopeless: Option<Template>,
    /// The nodes are dealt out to these.
    pub zones: &'static [&'static str],
    /// How many pods are there before on so many nodes, and how many are placed.
    pub counts: fn(u64) -> (u64, u64),
}

/// Pods that differ in their names only.
#[derive(Clone)]
pub struct Template {
    /// `metadata.labels`
    pub labels: Value,
    /// `spec`
    pub spec: Value,
}

// === impl Workload ===

impl Workload {
    /// The plainest.
    #[must_use]
    pub fn basic() -> Self {
        Self {
            name: "SchedulingBasic",
            placed: Template::plain(),
            before: Template::plain(),
            hopeless: None,
            zones: &["zone1", "zone2", "zone3"],
            counts: |nodes| (nodes.min(1_000), (2 * nodes).min(10_000)),
        }
    }

    /// Each of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let apart = Template::new("green", affinity("podAntiAffinity", term("green", HOST)));
        let together = Template::new("blue", affinity("podAffinity", term("blue", ZONE)));
        let here = json!({"nodeSelectorTerms": [{"matchExpressions": [
            {"key": ZONE, "operator": "In", "values": ["zone1", "zone2"]}]}]});
        let here = Template::new("", affinity("nodeAffinity", here));
        let spread = json!({"topologySpreadConstraints": [{"maxSkew": 5, "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"color": "blue"}}}]});
        vec![
            Self::basic(),
            Self {
                name: "SchedulingPodAntiAffinity",
                placed: apart.clone(),
                before: apart,
                counts: |nodes| (nodes / 5, (nodes * 4 / 5).min(2_000)),
                ..Self::basic()
            },
            Self {
                name: "SchedulingPodAffinity",
                placed: together.clone(),
                before: together,
                zones: &["zone1"],
                counts: |nodes| (nodes.min(5_000), (2 * nodes).min(5_000)),
                ..Self::basic()
            },
            Self {
                name: "TopologySpreading",
                placed: Template::new("blue", spread),
                zones: &["moon-1", "moon-2", "moon-3"],
                counts: |nodes| ((2 * nodes).min(5_000), (2 * nodes).min(5_000)),
                ..Self::basic()
            },
            Self {
                name: "SchedulingNodeAffinity",
                placed: here.clone(),
                before: here,
                zones: &["zone1"],
                counts: |nodes| (nodes.min(5_000), (2 * nodes).min(10_000)),
                ..Self::basic()
            },
            Self {
                name: "Unschedulable",
                hopeless: Some(Template::high("9")),
                counts: |nodes| (nodes / 50, (2 * nodes).min(10_000)),
                ..Self::basic()
            },
            Self {
                name: "Preemption",
                placed: Template::high("3"),
                before: Template::low(),
                counts: |nodes| (4 * nodes, nodes),
                ..Self::basic()
            },
        ]
    }

    /// The node of this number.
    #[must_use]
    pub fn node(&self, number: u64) -> Value {
        let zone = self.zones[number as usize % self.zones.len()];
        node(number, zone, &json!({"cpu": "4", "memory": "32Gi", "pods": "110"}))
    }
}

/// A node of this number with room for that much.
#[must_use]
pub fn node(number: u64, zone: &str, room: &Value) -> Value {
    let name = format!("node-{number}");
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {HOST: name, ZONE: zone}},
        "status": {"allocatable": room, "capacity": room}})
}

// === impl Template ===

impl Template {
    fn plain() -> Self {
        Self { labels: json!({}), spec: json!({"containers": containers("100m")}) }
    }

    /// Of a color, with more in its spec.
    fn new(color: &str, more: Value) -> Self {
        let mut this = Self::plain();
        if !color.is_empty() {
            this.labels = json!({"color": color});
        }
        if let (Some(spec), Value::Object(more)) = (this.spec.as_object_mut(), more) {
            spec.extend(more);
        }
        this
    }

    /// Pushes others away.
    fn high(cpu: &str) -> Self {
        let (class, value) = HIGH;
        let more =
            json!({"priorityClassName": class, "priority": value, "containers": containers(cpu)});
        Self::new("", more)
    }

    /// Lets itself be pushed away at once. Four fill a node.
    fn low() -> Self {
        Self::new("", json!({"terminationGracePeriodSeconds": 0, "containers": containers("900m")}))
    }

    /// A pod, as it is sent to a server.
    #[must_use]
    pub fn pod(&self, namespace: &str, name: &str) -> String {
        let Self { labels, spec } = self;
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"{namespace}","uid":"{name}","labels":{labels}}},"spec":{spec}}}"#
        )
    }
}

fn containers(cpu: &str) -> Value {
    json!([{"name": "pause", "image": "registry.k8s.io/pause:3.10",
        "resources": {"requests": {"cpu": cpu, "memory": "500Mi"}}}])
}

fn affinity(kind: &str, required: Value) -> Value {
    json!({"affinity": {kind: {REQUIRED: required}}})
}

fn term(color: &str, key: &str) -> Value {
    json!([{"labelSelector": {"matchLabels": {"color": color}}, "topologyKey": key,
        "namespaces": [PLACED, BEFORE]}])
}
