//! The plugins' columns against plain implementations of the same rules, on random clusters that change: the same
//! nodes must be left, with the same scores. `WINDLASS_SEEDS=5000` asks for more cases than usual.

#[path = "differential/random.rs"]
mod random;
#[path = "differential/reference.rs"]
mod reference;

use random::Dice;
use reference::Cluster;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::apis::core::v1::{Node, Pod};
use windlass_core::scheme;
use windlass_scheduler::framework::{Cycle, Plugin, Profile};
use windlass_scheduler::plugins::*;
use windlass_scheduler::{NodeId, NodeInfo, PodInfo, Snapshot};

type Fits = Box<dyn Fn(&Cluster, &Pod, &Node) -> bool>;
type Scores = Box<dyn Fn(&Cluster, &Pod, &[&Node]) -> Vec<i64>>;

/// A plugin and what it should say.
struct Case {
    profile: Profile,
    fits: Fits,
    scores: Option<Scores>,
}

fn case(
    plugin: impl Plugin,
    fits: impl Fn(&Cluster, &Pod, &Node) -> bool + 'static,
    scores: Option<Scores>,
) -> Case {
    let profile = Profile::builder(plugin.name()).plugin(plugin, 1).build();
    Case { profile, fits: Box::new(fits), scores }
}

fn each(score: impl Fn(&Cluster, &Pod, &Node) -> i64 + 'static) -> Option<Scores> {
    Some(Box::new(move |cluster, pod, nodes| {
        nodes.iter().map(|node| score(cluster, pod, node)).collect()
    }))
}

fn cases() -> Vec<Case> {
    let most = json!({"scoringStrategy": {"type": "MostAllocated",
        "resources": [{"name": "cpu", "weight": 2}, {"name": "x.io/gpu"}]}});
    let most = NodeResourcesFit::new(serde_json::from_value(most).expect("arguments"));
    let corner = |utilization: i64, score: i64| json!({"utilization": utilization, "score": score});
    let curve = json!({"scoringStrategy": {"type": "RequestedToCapacityRatio",
        "resources": [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 3}],
        "requestedToCapacityRatio": {"shape": [corner(10, 0), corner(40, 10), corner(90, 3)]}}});
    let curve = NodeResourcesFit::new(serde_json::from_value(curve).expect("arguments"));
    vec![
        case(NodeName, |_, pod, node| reference::node_name(pod, node), None),
        case(VolumeRestrictions, Cluster::disks, None),
        case(curve, Cluster::fits, each(Cluster::on_a_curve)),
        case(NodeUnschedulable, |_, pod, node| reference::unschedulable(pod, node), None),
        case(
            TaintToleration,
            |_, pod, node| reference::taint_toleration(pod, node),
            Some(Box::new(|_, pod, nodes| reference::taint_scores(pod, nodes))),
        ),
        case(
            NodeAffinity::default(),
            |_, pod, node| reference::node_affinity(pod, node),
            Some(Box::new(|_, pod, nodes| reference::node_affinity_scores(pod, nodes))),
        ),
        case(NodePorts, Cluster::node_ports, None),
        case(NodeResourcesFit::default(), Cluster::fits, each(Cluster::least_allocated)),
        case(most, Cluster::fits, each(Cluster::most_allocated)),
        case(BalancedAllocation::default(), |_, _, _| true, each(Cluster::balance)),
        case(ImageLocality, |_, _, _| true, each(Cluster::image_locality)),
        case(
            PodTopologySpread::default(),
            Cluster::topology_spread,
            Some(Box::new(Cluster::topology_spread_scores)),
        ),
        case(
            InterPodAffinity::default(),
            Cluster::inter_pod_affinity,
            Some(Box::new(Cluster::inter_pod_affinity_scores)),
        ),
    ]
}

/// The same cluster twice: as objects, and as a snapshot that heard of each change.
struct Both {
    cluster: Cluster,
    snapshot: Snapshot,
}

fn object(json: &Value) -> Arc<Object> {
    Arc::new(Object::from_wire(json.to_string().into()).expect("an object"))
}

impl Both {
    fn new(cases: &[Case], dice: &Dice) -> Self {
        let mut snapshot = Snapshot::default();
        cases.iter().for_each(|case| case.profile.attach(&mut snapshot));
        let mut both = Self { cluster: Cluster::default(), snapshot };
        both.others(dice);
        // Now and then so many that they are rated by blocks.
        let many = if dice.below(8) == 0 { 130 } else { 8 };
        for n in 0..1 + dice.below(many) {
            both.set_node(random::node(dice, &format!("n{n}")));
        }
        // Pods may come before their nodes, move, change and go; nodes too.
        for step in 0..dice.below(40) {
            let (node, pod) = (format!("n{}", dice.below(9)), format!("p{}", dice.below(25)));
            match dice.below(10) {
                0 => both.remove_node(&node),
                1 | 2 => both.set_node(random::node(dice, &node)),
                3 => both.remove_pod(&pod),
                _ => both.set_pod(random::pod(dice, &pod, Some(&node))),
            }
            if step == 20 {
                both.snapshot = both.snapshot.clone();
            }
        }
        both.set_node(random::node(dice, "n0"));
        both
    }

    fn others(&mut self, dice: &Dice) {
        for name in ["one", "two"] {
            let labels = json!({"team": dice.pick(&["red", "blue"])});
            let json = json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": labels}});
            self.snapshot.set_object(&scheme::NAMESPACES, &object(&json));
            let labels = serde_json::from_value(labels).expect("labels");
            self.cluster.namespaces.insert(name.into(), labels);
            if dice.chance(50) {
                let selector = json!({"app": dice.pick(&["x", "y"])});
                let json = json!({"apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": "s", "namespace": name}, "spec": {"selector": selector}});
                self.snapshot.set_object(&scheme::SERVICES, &object(&json));
                let selector = serde_json::from_value(selector).expect("labels");
                self.cluster.services.push((name.into(), selector));
            }
            if dice.chance(50) {
                let selector = json!({"tier": dice.pick(&["1", "2"])});
                let json = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "metadata": {"name": "owner", "namespace": name},
                    "spec": {"selector": {"matchLabels": selector}}});
                self.snapshot.set_object(&scheme::REPLICASETS, &object(&json));
                let selector = serde_json::from_value(selector).expect("labels");
                self.cluster.replica_sets.insert(name.into(), selector);
            }
        }
    }

    fn set_node(&mut self, json: Value) {
        self.snapshot.set_node(NodeInfo::new(&object(&json)).expect("a node"));
        let node: Node = serde_json::from_value(json).expect("a node");
        self.cluster.nodes.insert(node.metadata.name.clone().expect("a name"), node);
    }

    fn remove_node(&mut self, name: &str) {
        self.snapshot.remove_node(name);
        self.cluster.nodes.remove(name);
    }

    fn set_pod(&mut self, json: Value) {
        self.snapshot.set_pod(Arc::new(PodInfo::new(&object(&json)).expect("a pod")));
        let pod: Pod = serde_json::from_value(json).expect("a pod");
        self.cluster.pods.insert(pod.metadata.name.clone().expect("a name"), pod);
    }

    fn remove_pod(&mut self, name: &str) {
        self.snapshot.remove_pod(name);
        self.cluster.pods.remove(name);
    }
}

fn check(both: &Both, case: &Case, json: &Value, seed: u64) {
    let info = PodInfo::new(&object(json)).expect("a pod");
    let pod: Pod = serde_json::from_value(json.clone()).expect("a pod");
    let mut cycle = Cycle::new(&info, &both.snapshot);
    let feasible = cycle.filter(&case.profile).expect("no plugin refuses the pod altogether");
    let mut left: Vec<(&str, NodeId)> =
        feasible.nodes().iter().map(|id| (&**both.snapshot.name(id), id)).collect();
    left.sort();
    let nodes: Vec<&Node> =
        both.cluster.nodes.values().filter(|node| (case.fits)(&both.cluster, &pod, node)).collect();
    let expected: Vec<&str> =
        nodes.iter().map(|n| n.metadata.name.as_deref().expect("a name")).collect();
    let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
    let name = case.profile.name();
    assert_eq!(names, expected, "{name}, seed {seed}: feasible nodes of {json}");
    let (Some(scores), false) = (&case.scores, nodes.is_empty()) else { return };
    let ids: Vec<NodeId> = left.iter().map(|(_, id)| *id).collect();
    let (got, want) = (cycle.score(&case.profile, &ids), scores(&both.cluster, &pod, &nodes));
    assert_eq!(got, want, "{name}, seed {seed}: scores of {names:?} for {json}");
}

#[test]
fn columns_say_what_plain_code_says() {
    let seeds = std::env::var("WINDLASS_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let cases = cases();
    for seed in 0..seeds {
        let dice = Dice::new(seed);
        let both = Both::new(&cases, &dice);
        for n in 0..4 {
            let node = dice.chance(10).then(|| format!("n{}", dice.below(9)));
            let pod = random::pod(&dice, &format!("new-{n}"), node.as_deref());
            cases.iter().for_each(|case| check(&both, case, &pod, seed));
        }
    }
}
