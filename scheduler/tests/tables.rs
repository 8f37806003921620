//! Plugins case by case, from data: `tests/tables/<plugin>.json`. Each file has a cluster (`nodes`, `pods`, `objects`) and
//! cases; a case may have a cluster of its own. It says who is refused and why, and may say what the others score; all
//! as Kubernetes documents it.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use windlass_core::scheme::GroupVersion;
use windlass_core::{Object, scheme};
use windlass_scheduler::config::{Configuration, Registry};
use windlass_scheduler::framework::{Explanation, Profile};
use windlass_scheduler::{NodeInfo, PodInfo, Snapshot};

#[derive(Deserialize)]
struct Table {
    #[serde(default, flatten)]
    cluster: Cluster,
    cases: Vec<Case>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Cluster {
    nodes: BTreeMap<String, Value>,
    pods: Vec<Value>,
    objects: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    what: String,
    #[serde(default)]
    args: Value,
    #[serde(default)]
    nodes: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pods: Option<Vec<Value>>,
    #[serde(default)]
    pod: Value,
    /// Nodes with all reasons there.
    #[serde(default)]
    refused: BTreeMap<String, String>,
    /// Why no node is looked at.
    #[serde(default)]
    nowhere: Option<String>,
    #[serde(default)]
    scores: Option<BTreeMap<String, i64>>,
}

fn merged(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        let slot = &mut base[key];
        *slot = match slot.is_object() && value.is_object() {
            true => merged(slot.take(), value),
            false => value.clone(),
        };
    }
    base
}

fn object(json: &Value) -> Arc<Object> {
    Arc::new(Object::from_wire(json.to_string().into()).expect("an object"))
}

fn node(name: &str, more: &Value) -> NodeInfo {
    let allocatable = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
    let node = json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {}, "status": {"allocatable": allocatable}});
    NodeInfo::new(&object(&merged(node, more))).expect("a node")
}

fn pod(name: &str, more: &Value) -> PodInfo {
    let pod = json!({"metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"containers": [{"name": "c"}]}});
    PodInfo::new(&object(&merged(pod, more))).expect("a pod")
}

fn profile(plugin: &str, args: &Value) -> Arc<Profile> {
    let enabled = json!([{"name": "PrioritySort"}, {"name": plugin, "weight": 1}]);
    let mut config = json!([]);
    if !args.is_null() {
        config = json!([{"name": plugin, "args": args}]);
    }
    let file = json!({"apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration", "profiles": [{
            "plugins": {"multiPoint": {"enabled": enabled, "disabled": [{"name": "*"}]}},
            "pluginConfig": config}]});
    let profiles = Configuration::new(file).and_then(|c| c.profiles(&Registry::default(), None));
    profiles.unwrap_or_else(|error| panic!("{plugin}: {error}")).first().clone()
}

fn snapshot(profile: &Profile, cluster: &Cluster) -> Snapshot {
    let mut snapshot = profile.snapshot();
    for json in &cluster.objects {
        let kind = json["kind"].as_str().expect("a kind");
        let version: GroupVersion =
            json["apiVersion"].as_str().expect("a version").parse().expect("a version");
        let known = scheme::Scheme::builtin().by_gvk(&version.with_kind(kind.to_owned()));
        snapshot.set_object(&known.expect("a known kind").gvr, &object(json));
    }
    cluster.nodes.iter().for_each(|(name, more)| snapshot.set_node(node(name, more)));
    for (n, more) in cluster.pods.iter().enumerate() {
        snapshot.set_pod(Arc::new(pod(&format!("there-{n}"), more)));
    }
    snapshot
}

fn check(plugin: &str, shared: &Cluster, case: &Case) {
    let what = format!("{plugin}: {}", case.what);
    let mut cluster = shared.clone();
    cluster.nodes = case.nodes.clone().unwrap_or(cluster.nodes);
    cluster.pods = case.pods.clone().unwrap_or(cluster.pods);
    let profile = profile(plugin, &case.args);
    let snapshot = snapshot(&profile, &cluster);
    let said = Explanation::new(&pod("new", &case.pod), &snapshot, &profile);
    let nowhere = said.refused.as_ref().map(|(_, reason)| reason.to_string());
    assert_eq!(nowhere, case.nowhere, "{what}");
    let refused = said.nodes.iter().filter(|node| !node.fits()).map(|node| {
        let reasons = node.refusals.iter().map(|(_, reason)| &**reason);
        (node.node.to_string(), reasons.collect::<Vec<_>>().join(", "))
    });
    assert_eq!(refused.collect::<BTreeMap<_, _>>(), case.refused, "{what}");
    if let Some(expected) = &case.scores {
        let fit = said.nodes.iter().filter(|node| node.fits());
        let scores = fit.map(|node| (node.node.to_string(), node.total()));
        assert_eq!(&scores.collect::<BTreeMap<_, _>>(), expected, "{what}");
    }
}

#[test]
fn plugins_say_what_the_tables_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let plugin = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let text = std::fs::read_to_string(&path).expect("a file");
        let table: Table =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{plugin}: {error}"));
        table.cases.iter().for_each(|case| check(&plugin, &table.cluster, case));
        count += table.cases.len();
    }
    assert!(count > 80, "{count} cases");
}

/// Those that filter or score, but for the two whose tests are beside their code: what they find they also write.
#[test]
fn no_plugin_is_without_a_table() {
    let profile = Registry::default().default_profile(None);
    let elsewhere = [
        "PrioritySort",
        "SchedulingGates",
        "DefaultPreemption",
        "VolumeBinding",
        "DynamicResources",
    ];
    for plugin in profile.names().filter(|name| !elsewhere.contains(name)) {
        let table =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/tables/{plugin}.json"));
        assert!(table.exists(), "{plugin}");
    }
}
