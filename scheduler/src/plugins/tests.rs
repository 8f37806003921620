use super::*;
use crate::framework::{Cycle, ProfileBuilder};
use crate::testing::{node, pod, pod_with};
use crate::{NodeInfo, PodInfo, Snapshot};
use serde_json::{Value, json};
use windlass_core::clock::Seeded;

fn filters() -> ProfileBuilder {
    Profile::builder("test")
        .plugin(NodeUnschedulable, 0)
        .plugin(NodeName, 0)
        .plugin(TaintToleration, 3)
        .plugin(NodeAffinity, 2)
        .plugin(NodePorts, 0)
        .plugin(NodeResourcesFit, 1)
}

fn place(nodes: &[NodeInfo], on: &[PodInfo], pod: &PodInfo) -> Result<String, String> {
    let mut snapshot = Snapshot::default();
    nodes.iter().for_each(|node| snapshot.set_node(node));
    on.iter().for_each(|pod| snapshot.set_pod(Arc::new(pod.clone())));
    let placed = Cycle::new(pod, &snapshot).place(&filters().build(), &Seeded::new(1));
    placed.map(|id| snapshot.name(id).to_string()).map_err(|why| why.message)
}

fn two() -> [NodeInfo; 2] {
    [node("a", "4", &[("zone", "x"), ("n", "5")]), node("b", "8", &[("zone", "y")])]
}

fn spec(fields: Value) -> PodInfo {
    let mut spec = json!({"containers": [{"name": "c"}]});
    spec.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    pod_with("p", spec)
}

#[test]
fn the_node_with_more_room_is_taken() {
    assert_eq!(place(&two(), &[], &pod("p", "1")), Ok("b".into()));
    assert_eq!(place(&two(), &[pod("q", "7").on("b")], &pod("p", "1")), Ok("a".into()));
}

#[test]
fn what_does_not_fit_is_said_in_kubernetes_words() {
    let message = "0/2 nodes are available: 2 Insufficient cpu.";
    assert_eq!(place(&two(), &[], &pod("p", "9")), Err(message.into()));
    let gpu =
        spec(json!({"containers": [{"name": "c", "resources": {"requests": {"x.io/gpu": "1"}}}]}));
    assert_eq!(
        place(&two(), &[], &gpu),
        Err("0/2 nodes are available: 2 Insufficient x.io/gpu.".into())
    );
    assert_eq!(place(&[], &[], &pod("p", "1")), Err("no nodes available to schedule pods".into()));
}

#[test]
fn selectors_and_affinity_choose_nodes() {
    let term = |key: &str, operator: &str, values: Value| {
        let expressions = json!([{"key": key, "operator": operator, "values": values}]);
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}}})
    };
    for (fields, expected) in [
        (json!({"nodeSelector": {"zone": "x"}}), "a"),
        (term("zone", "In", json!(["x", "z"])), "a"),
        (term("zone", "NotIn", json!(["x"])), "b"),
        (term("n", "Exists", json!([])), "a"),
        (term("n", "DoesNotExist", json!([])), "b"),
        (term("n", "Gt", json!(["4"])), "a"),
    ] {
        assert_eq!(place(&two(), &[], &spec(fields.clone())), Ok(expected.into()), "{fields}");
    }
    for fields in [
        json!({"nodeSelector": {"zone": "z"}}),
        term("n", "Lt", json!(["5"])),
        term("none", "In", json!(["x"])),
    ] {
        let message =
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        assert_eq!(place(&two(), &[], &spec(fields)), Err(message.into()));
    }
}

#[test]
fn preferred_affinity_outweighs_room() {
    let preferred = json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["x"]}]}}]}}});
    assert_eq!(place(&two(), &[], &spec(preferred)), Ok("a".into()));
}

#[test]
fn taints_keep_away_who_does_not_bear_them() {
    let [mut a, b] = two();
    a.taints = vec![windlass_core::apis::core::v1::Taint {
        key: "k".into(),
        value: Some("v".into()),
        effect: "NoSchedule".into(),
        time_added: None,
    }];
    let only_a = std::slice::from_ref(&a);
    let message = "0/1 nodes are available: 1 node(s) had untolerated taint(s) {k: v}.";
    assert_eq!(place(only_a, &[], &spec(json!({}))), Err(message.into()));
    for toleration in [
        json!({"key": "k", "operator": "Exists"}),
        json!({"operator": "Exists"}),
        json!({"key": "k", "value": "v"}),
    ] {
        assert_eq!(place(only_a, &[], &spec(json!({"tolerations": [toleration]}))), Ok("a".into()));
    }
    let wrong = json!({"tolerations": [{"key": "k", "value": "w"}, {"key": "k", "operator": "Exists", "effect": "NoExecute"}]});
    assert!(place(only_a, &[], &spec(wrong)).is_err());
    assert_eq!(place(&[a, b], &[], &spec(json!({}))), Ok("b".into()));
}

#[test]
fn cordons_and_ports_are_heeded() {
    let [mut a, b] = two();
    let port =
        json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]});
    let taken = [spec(port.clone()).on("b")];
    let taken = [PodInfo { uid: "other".into(), ..taken[0].clone() }];
    assert_eq!(place(&[a.clone(), b.clone()], &taken, &spec(port.clone())), Ok("a".into()));
    a.unschedulable = true;
    let message = "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 1 node(s) were unschedulable.";
    assert_eq!(place(&[a, b], &taken, &spec(port)), Err(message.into()));
}
