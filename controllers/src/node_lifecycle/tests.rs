use super::plan::{pods, silent, taints};
use crate::support::ops::Op;
use crate::support::testing::{at, entry, pod, ready};
use crate::views::{NodeView, PodView};
use serde_json::{Value, json};

#[test]
fn a_silent_node_is_unknown() {
    let ready = serde_json::from_value(
        json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": at(0).to_string()}]),
    )
    .unwrap();
    let ready: Vec<_> = ready;
    let now = silent(&ready, at(50)).unwrap();
    let told: Vec<_> = now
        .iter()
        .map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("Ready", "Unknown", "NodeStatusUnknown"),
            ("MemoryPressure", "Unknown", "NodeStatusNeverUpdated"),
            ("DiskPressure", "Unknown", "NodeStatusNeverUpdated"),
            ("PIDPressure", "Unknown", "NodeStatusNeverUpdated"),
        ]
    );
    assert_eq!(now[0].last_heartbeat_time.as_ref().unwrap().0, at(0), "it is the node's own");
    assert_eq!(silent(&now, at(60)), None, "it is said once");
}

#[test]
fn taints_follow_conditions() {
    let node = |ready: &str, pressure: &str, unschedulable: bool, taints: Value| {
        entry::<NodeView>(
            json!({"metadata": {"name": "n"}, "spec": {"unschedulable": unschedulable, "taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}, {"type": "DiskPressure", "status": pressure}]}}),
        )
    };
    let own = json!({"key": "own", "value": "x", "effect": "NoExecute"});
    let not_ready = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let cases: &[(&str, &str, bool, Value, &[&str])] = &[
        ("False", "False", false, json!([]), &["not-ready:NoSchedule", "not-ready:NoExecute"]),
        (
            "Unknown",
            "False",
            false,
            json!([not_ready]),
            &["unreachable:NoSchedule", "unreachable:NoExecute"],
        ),
        ("True", "False", false, json!([own, not_ready]), &["own:NoExecute"]),
        (
            "True",
            "True",
            true,
            json!([]),
            &["disk-pressure:NoSchedule", "unschedulable:NoSchedule"],
        ),
    ];
    for (ready, pressure, unschedulable, given, wanted) in cases {
        let node = node(ready, pressure, *unschedulable, given.clone());
        let found: Vec<_> = taints(&node.view, at(0))
            .unwrap()
            .iter()
            .map(|taint| format!("{}:{}", taint.key.rsplit('/').next().unwrap(), taint.effect))
            .collect();
        assert_eq!(found, *wanted, "{ready} {pressure}");
    }
    assert_eq!(taints(&node("True", "False", false, json!([own])).view, at(0)), None);
    let bare = entry::<NodeView>(json!({"metadata": {"name": "n"}}));
    assert_eq!(taints(&bare.view, at(0)), None, "nothing is known of it yet");
}

#[test]
fn pods_of_a_lost_node_are_not_ready() {
    let given = [pod::<PodView>("a", "", ready(0)), pod("b", "", json!({}))];
    let ops = pods(&given, at(0));
    assert!(
        matches!(ops.as_slice(), [Op::Strategic(key, patch), Op::Event(..)]
        if key.name == "a" && patch["status"]["conditions"][0]["status"] == "False"),
        "{ops:?}"
    );
}
