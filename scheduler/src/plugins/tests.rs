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
        .plugin(NodeAffinity::default(), 2)
        .plugin(NodePorts, 0)
        .plugin(NodeResourcesFit::default(), 1)
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
    let message = "0/1 nodes are available: 1 node(s) had untolerated taint(s).";
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

fn scores(plugin: impl crate::framework::Plugin, on: &[PodInfo], pod: &PodInfo) -> Vec<i64> {
    let mut snapshot = Snapshot::default();
    let nodes = [node("a", "4", &[("zone", "x")]), node("b", "8", &[("zone", "y")])];
    nodes.iter().for_each(|node| snapshot.set_node(node));
    on.iter().for_each(|pod| snapshot.set_pod(Arc::new(pod.clone())));
    let profile = Profile::builder("test").plugin(plugin, 1).build();
    Cycle::new(pod, &snapshot).score(&profile, &[0, 1])
}

#[test]
fn strategies_rate_as_kubernetes_does() {
    let args =
        |json: Value| -> NodeResourcesFitArgs { serde_json::from_value(json).expect("args") };
    let strategy = |kind: &str, more: Value| {
        let mut json = json!({"type": kind, "resources": [{"name": "cpu", "weight": 3}, {"name": "memory", "weight": 1}]});
        json.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        NodeResourcesFit::new(args(json!({"scoringStrategy": json})))
    };
    // 2 of 4 cores, 2 of 8 Gi on a; 6 of 8 cores, 2 of 8 Gi on b.
    let asks = json!({"cpu": "1", "memory": "1Gi"});
    let spec = |requests: Value| json!({"containers": [{"name": "c", "resources": {"requests": requests}}]});
    let new = pod_with("p", spec(asks.clone()));
    let on = [
        PodInfo { uid: "1".into(), ..pod_with("q", spec(asks)) }.on("a"),
        PodInfo { uid: "2".into(), ..pod_with("r", spec(json!({"cpu": "5", "memory": "1Gi"}))) }
            .on("b"),
    ];
    for (plugin, expected) in [
        (strategy("LeastAllocated", json!({})), [(50 * 3 + 75) / 4, (25 * 3 + 75) / 4]),
        (strategy("MostAllocated", json!({})), [(50 * 3 + 25) / 4, (75 * 3 + 25) / 4]),
        (
            strategy(
                "RequestedToCapacityRatio",
                json!({"requestedToCapacityRatio":
                {"shape": [{"utilization": 0, "score": 10}, {"utilization": 100, "score": 0}]}}),
            ),
            [56, 38],
        ),
    ] {
        assert_eq!(scores(plugin, &on, &new), expected);
    }
}

#[test]
fn balance_counts_what_the_pod_changes() {
    let ask = |cpu: &str, memory: &str| {
        pod_with(
            "p",
            json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]}),
        )
    };
    // On a the pod brings the shares 1/4 and 1/4: no change. On b 1/8 and 1/4.
    assert_eq!(scores(BalancedAllocation::default(), &[], &ask("1", "2Gi")), [75, 71]);
    // What was out of balance gets better.
    let on = [PodInfo { uid: "1".into(), ..ask("4", "0") }.on("a")];
    assert_eq!(scores(BalancedAllocation::default(), &on, &ask("0", "8Gi")), [100, 50]);
    assert_eq!(
        scores(
            BalancedAllocation::default(),
            &[],
            &pod_with("p", json!({"containers": [{"name": "c"}]}))
        ),
        [0, 0]
    );
}

#[test]
fn a_profile_may_add_affinity_and_leave_resources_to_others() {
    let added = json!({"addedAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z"]}]}]}}});
    let args = serde_json::from_value(added).expect("args");
    let fit = serde_json::from_value(json!({"ignoredResourceGroups": ["x.io"]})).expect("args");
    let mut snapshot = Snapshot::default();
    two().iter().for_each(|node| snapshot.set_node(node));
    let gpu =
        spec(json!({"containers": [{"name": "c", "resources": {"requests": {"x.io/gpu": "1"}}}]}));
    let place = |profile: Profile| Cycle::new(&gpu, &snapshot).place(&profile, &Seeded::new(1));
    let fits = Profile::builder("fits").plugin(NodeResourcesFit::new(fit), 1);
    assert!(place(fits.build()).is_ok());
    let affinity = Profile::builder("added").plugin(NodeAffinity::new(args), 1);
    let why = place(affinity.build()).expect_err("no node is in z").message;
    let expected =
        "0/2 nodes are available: 2 node(s) didn't match scheduler-enforced node affinity.";
    assert_eq!(why, expected);
}

#[test]
fn pods_that_change_help_only_when_they_ask_for_less() {
    use crate::ClusterEvent;
    use crate::framework::Plugin;
    let fit = NodeResourcesFit::default();
    let waits = pod("p", "1");
    let change = |old: &str, new: &str| ClusterEvent::PodUpdated {
        old: Arc::new(pod("q", old).on("a")),
        new: Arc::new(PodInfo { deleting: true, ..pod("q", new).on("a") }),
    };
    for (old, new, helps) in [("2", "1", true), ("1", "1", false), ("1", "2", false)] {
        let event = change(old, new);
        assert_eq!(
            (fit.hears(&event), fit.may_help(&event, &waits)),
            (helps, helps),
            "{old} {new}"
        );
        assert!(!TaintToleration.hears(&event) && !TaintToleration.may_help(&event, &waits));
    }
    let gpu = json!({"containers": [{"name": "c", "resources": {"requests": {"x.io/gpu": "1"}}}]});
    assert!(!fit.may_help(&change("2", "1"), &pod_with("gpu", gpu)), "it lacks something else");
}
