use super::plan::{pods, silent, taints, would_evict};
use super::zones::{Count, Turn, Turns, period};
use crate::support::ops::Op;
use crate::support::testing::{at, cases, entry, pod, ready};
use crate::views::{NodeView, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

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
        let found: Vec<_> = taints(&node.view, true, at(0))
            .unwrap()
            .iter()
            .map(|taint| format!("{}:{}", taint.key.rsplit('/').next().unwrap(), taint.effect))
            .collect();
        assert_eq!(found, *wanted, "{ready} {pressure}");
    }
    assert_eq!(taints(&node("True", "False", false, json!([own])).view, true, at(0)), None);
    let bare = entry::<NodeView>(json!({"metadata": {"name": "n"}}));
    assert_eq!(taints(&bare.view, true, at(0)), None, "nothing is known of it yet");
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

#[derive(Deserialize)]
struct Zones {
    name: String,
    /// Nodes that are ready, and that are not, of each zone; the first is asked about.
    zones: Vec<(usize, usize)>,
    wanted: Option<i64>,
}

#[test]
fn pods_are_driven_out_slowly_and_not_when_all_is_silent() {
    for case in cases::<Zones>(include_str!("tests/zones.yaml")) {
        let zones = case.zones.iter().enumerate();
        let zones: BTreeMap<String, Count> = zones
            .map(|(at, (ready, not_ready))| {
                (format!("z{at}"), Count { ready: *ready, not_ready: *not_ready })
            })
            .collect();
        assert_eq!(period(&zones, "z0"), case.wanted, "{}", case.name);
    }
    let mut turns = Turns::default();
    assert_eq!(turns.take("a", Some(10), at(0)), Turn::Now);
    assert_eq!(turns.take("a", Some(10), at(4)), Turn::After(Duration::from_secs(6)));
    assert_eq!(turns.take("b", Some(10), at(4)), Turn::Now, "each zone has its own");
    assert_eq!(turns.take("a", None, at(99)), Turn::Never);
    assert_eq!(turns.take("a", Some(10), at(10)), Turn::Now);
}

#[test]
fn a_node_without_its_turn_takes_no_new_pods_and_keeps_those_it_has() {
    let node = |taints: Value| {
        entry::<NodeView>(
            json!({"metadata": {"name": "n"}, "spec": {"taints": taints}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
        )
    };
    let bare = node(json!([]));
    let held = taints(&bare.view, false, at(0)).unwrap();
    assert_eq!(held.iter().map(|taint| taint.effect.as_str()).collect::<Vec<_>>(), ["NoSchedule"]);
    assert!(would_evict(&bare.view));
    let other = node(json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]));
    assert!(!would_evict(&other.view), "its pods go already");
}
