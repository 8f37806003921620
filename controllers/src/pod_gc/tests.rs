use super::plan::{is_out_of_service, lost, out_of_service, terminated};
use crate::support::ops::Op;
use crate::support::testing::{at, cases, entry, merged, pod, ready};
use crate::views::{NodeView, PodView};
use serde::Deserialize;
use serde_json::json;

fn deleted(ops: &[Op]) -> Vec<&str> {
    ops.iter()
        .filter_map(|op| match op {
            Op::Delete(key, options) if options.grace_period_seconds == Some(0) => {
                Some(key.name.as_str())
            }
            _ => None,
        })
        .collect()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    pod: String,
    #[serde(default)]
    deleting: bool,
    gone: bool,
    goes: bool,
}

#[test]
fn lost_pods_fail_and_go() {
    for case in cases::<Case>(include_str!("tests/lost.yaml")) {
        let state = if case.pod == "bound" { ready(0) } else { json!({}) };
        let since = case.deleting.then_some("2027-01-15T08:00:00Z");
        let meta = json!({"metadata": {"deletionTimestamp": since}});
        let ops = lost(&pod::<PodView>("p", "", merged(meta, state)), case.gone, at(0));
        let fails = ops.iter().any(
            |op| matches!(op, Op::Strategic(_, patch) if patch["status"]["phase"] == "Failed"),
        );
        assert_eq!((!deleted(&ops).is_empty(), fails), (case.goes, case.goes), "{}", case.name);
    }
}

#[test]
fn the_oldest_ended_pods_go() {
    let ended = |name: &str, made: i64| {
        pod::<PodView>(
            name,
            "",
            json!({"metadata": {"creationTimestamp": at(made).to_string()}, "status": {"phase": "Succeeded"}}),
        )
    };
    let pods = vec![ended("new", 3), ended("old", 1), ended("middle", 2)];
    assert_eq!(deleted(&terminated(pods.clone(), 1, at(9))), ["old", "middle"]);
    assert!(terminated(pods.clone(), 3, at(9)).is_empty());
    assert!(terminated(pods, 0, at(9)).is_empty(), "0 is no limit");
}

#[test]
fn a_node_out_of_service_keeps_no_pod_that_ends() {
    let node = |key: &str, ready: &str| {
        let node = entry::<NodeView>(
            json!({"metadata": {"name": "n"}, "spec": {"taints": [{"key": key, "effect": "NoExecute"}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}),
        );
        is_out_of_service(&node.view)
    };
    assert!(node("node.kubernetes.io/out-of-service", "Unknown"));
    assert!(!node("node.kubernetes.io/out-of-service", "True"), "it works");
    assert!(!node("other", "Unknown"));
    let ends = json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}});
    let ends = out_of_service(&pod::<PodView>("ends", "", merged(ready(0), ends)), at(0));
    assert_eq!(deleted(&ends), ["ends"]);
    assert!(
        matches!(&ends[0], Op::Strategic(_, patch) if patch["status"] == json!({"phase": "Failed"}))
    );
    assert!(out_of_service(&pod::<PodView>("stays", "", ready(0)), at(0)).is_empty());
}
