use super::eligible::{Node, Verdict, verdict};
use super::plan::{Plan, Snapshot, plan, target};
use crate::support::testing::{at, cases, entry, merged, pod, ready};
use crate::views::{Pod, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::apis::apps::v1::DaemonSet;

fn node(name: &str, more: Value) -> Node {
    entry(merged(json!({"metadata": {"name": name, "labels": {"disk": "ssd"}}}), more))
}

fn set(more: Value) -> DaemonSet {
    let base = json!({"metadata": {"name": "ds", "namespace": "ns", "uid": "uid-ds", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn run(set: &DaemonSet, pods: &[(&str, &str, Value)]) -> Plan {
    let mut by_node: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
    for (name, on, more) in pods {
        let hash = if name.starts_with("old") { "old" } else { "new" };
        let more = merged(
            json!({"metadata": {"labels": {"controller-revision-hash": hash}}}),
            more.clone(),
        );
        by_node.entry((*on).to_owned()).or_default().push(pod::<PodView>(name, "ds", more));
    }
    let nodes = vec![node("n1", json!({})), node("n2", json!({})), node("n3", json!({}))];
    let (hash, backoff) = ("new".into(), &|_: &str| None);
    plan(&Snapshot { set, nodes, pods: by_node, hash, collisions: None, backoff, now: at(100) })
}

fn short(plan: &Plan) -> Vec<String> {
    let made = plan.create.iter().map(|pod| format!("+{}", target(pod).unwrap()));
    made.chain(plan.delete.iter().map(|pod| format!("-{}", pod.object.name()))).collect()
}

/// A pod: its name, its node, its state.
type OnNode = (&'static str, &'static str, Value);

#[test]
fn every_node_has_one_pod() {
    let failed = json!({"status": {"phase": "Failed"}});
    let cases: &[(&str, &[OnNode], &[&str])] = &[
        ("none yet", &[], &["+n1", "+n2", "+n3"]),
        ("one lacks", &[("a", "n1", ready(0)), ("b", "n2", json!({}))], &["+n3"]),
        (
            "one too many",
            &[
                ("a", "n1", ready(0)),
                ("a2", "n1", ready(0)),
                ("b", "n2", ready(0)),
                ("c", "n3", ready(0)),
            ],
            &["-a2"],
        ),
        (
            "one failed",
            &[("a", "n1", failed), ("b", "n2", ready(0)), ("c", "n3", ready(0))],
            &["-a"],
        ),
    ];
    for (name, pods, wanted) in cases {
        assert_eq!(short(&run(&set(json!({})), pods)), *wanted, "{name}");
    }
}

#[test]
fn old_pods_are_replaced_a_few_at_a_time() {
    let old =
        |more: Value| [("old1", "n1", more), ("old2", "n2", ready(0)), ("old3", "n3", ready(0))];
    let two = json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}}});
    assert_eq!(short(&run(&set(json!({})), &old(ready(0)))), ["-old1"]);
    assert_eq!(
        short(&run(&set(json!({})), &old(json!({})))),
        ["-old1"],
        "one that does not work is the first, and all for now"
    );
    assert_eq!(short(&run(&set(two), &old(ready(0)))), ["-old1", "-old2"]);
    assert!(
        short(&run(
            &set(json!({"spec": {"updateStrategy": {"type": "OnDelete"}}})),
            &old(ready(0))
        ))
        .is_empty()
    );
    let waits = [("a", "n1", json!({})), ("old2", "n2", ready(0)), ("old3", "n3", ready(0))];
    assert!(short(&run(&set(json!({})), &waits)).is_empty(), "the new one has to work first");
}

#[test]
fn selectors_and_taints_decide() {
    let taint = |effect: &str| json!({"spec": {"taints": [{"key": "x", "effect": effect}]}});
    let lost = json!({"spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}});
    let affinity = |operator: &str| {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "disk", "operator": operator, "values": ["ssd"]}]}]}}}})
    };
    let (yes, no, stays) = (
        Verdict { run: true, stay: true },
        Verdict { run: false, stay: false },
        Verdict { run: false, stay: true },
    );
    let cases = [
        ("plain", json!({}), json!({}), yes),
        ("selected", json!({"nodeSelector": {"disk": "ssd"}}), json!({}), yes),
        ("not selected", json!({"nodeSelector": {"disk": "hdd"}}), json!({}), no),
        ("affinity", affinity("In"), json!({}), yes),
        ("no affinity", affinity("NotIn"), json!({}), no),
        ("no new pods", json!({}), taint("NoSchedule"), stays),
        ("none at all", json!({}), taint("NoExecute"), no),
        ("tolerated", json!({"tolerations": [{"operator": "Exists"}]}), taint("NoExecute"), yes),
        ("a lost node keeps its own", json!({}), lost, yes),
    ];
    for (name, spec, more, wanted) in cases {
        let spec = serde_json::from_value(merged(json!({"containers": []}), spec)).unwrap();
        assert_eq!(verdict(&spec, &node("n1", more)), wanted, "{name}");
    }
}

#[test]
fn the_status_counts_nodes() {
    let pods = [
        ("a", "n1", ready(0)),
        ("old2", "n2", ready(0)),
        ("c", "n3", json!({})),
        ("d", "gone", ready(0)),
    ];
    let status = serde_json::to_value(run(&set(json!({})), &pods).status).unwrap();
    assert_eq!(
        status,
        json!({"currentNumberScheduled": 3, "desiredNumberScheduled": 3, "numberAvailable": 2, "numberMisscheduled": 0,
        "numberReady": 2, "numberUnavailable": 1, "observedGeneration": 1, "updatedNumberScheduled": 2})
    );
}

#[derive(Deserialize)]
struct Surge {
    name: String,
    surge: Value,
    /// Name, node, and whether it is ready.
    pods: Vec<(String, String, bool)>,
    wanted: Vec<String>,
}

#[test]
fn new_pods_come_before_old_ones_go() {
    for case in cases::<Surge>(include_str!("tests/surge.yaml")) {
        let rolling = json!({"maxSurge": case.surge, "maxUnavailable": 0});
        let set = set(
            json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}}),
        );
        let pods: Vec<(&str, &str, Value)> = case
            .pods
            .iter()
            .map(|(name, node, well)| (&**name, &**node, if *well { ready(0) } else { json!({}) }))
            .collect();
        assert_eq!(short(&run(&set, &pods)), case.wanted, "{}", case.name);
    }
}

#[test]
fn a_pod_that_fails_again_and_again_waits() {
    let set = set(json!({}));
    let failed = || pod::<PodView>("a", "ds", json!({"status": {"phase": "Failed"}}));
    let run = |backoff: &dyn Fn(&str) -> Option<Duration>| {
        let (nodes, hash) = (vec![node("n1", json!({}))], "new".into());
        let pods = BTreeMap::from([("n1".to_owned(), vec![failed()])]);
        plan(&Snapshot { set: &set, nodes, pods, hash, collisions: None, backoff, now: at(100) })
    };
    let first = run(&|_| None);
    assert_eq!((first.delete.len(), first.events.len(), first.again), (1, 1, None));
    let second = run(&|_| Some(Duration::from_secs(7)));
    assert_eq!((second.delete.len(), second.again), (0, Some(Duration::from_secs(7))));
}
