use super::plan::{pods, silent, taints, would_evict};
use super::zones::{Turn, Zones};
use crate::context::EvictionRates;
use crate::support::ops::Op;
use crate::support::testing::{at, cases, entry, pod, ready};
use crate::views::{NodeView, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
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
struct Case {
    name: String,
    /// Nodes that are ready, and that are not, of each zone; the first is asked about.
    zones: Vec<(usize, usize)>,
    /// Seconds between two nodes, or `held`, `stopped`.
    wanted: String,
}

fn zones(counts: &[(usize, usize)]) -> Zones {
    let mut zones = Zones::default();
    for (at, (ready, not_ready)) in counts.iter().enumerate() {
        let works = std::iter::repeat_n(true, *ready);
        for works in works.chain(std::iter::repeat_n(false, *not_ready)) {
            zones.change(None, Some((format!("z{at}"), works)), &EvictionRates::default());
        }
    }
    zones
}

#[test]
fn pods_are_driven_out_slowly_and_not_when_all_is_silent() {
    let rates = EvictionRates::default();
    for case in cases::<Case>(include_str!("tests/zones.yaml")) {
        let mut zones = zones(&case.zones);
        let first = zones.turn("z0", true, &rates, at(0));
        let found = match zones.turn("z0", true, &rates, at(0)) {
            Turn::After(wait) if first == Turn::Now => wait.as_secs().to_string(),
            turn => format!("{turn:?}").to_lowercase(),
        };
        assert_eq!(found, case.wanted, "{}", case.name);
    }
    let mut two = zones(&[(9, 1), (9, 1)]);
    assert_eq!(two.turn("z0", true, &rates, at(0)), Turn::Now);
    assert_eq!(two.turn("z0", true, &rates, at(4)), Turn::After(Duration::from_secs(6)));
    assert_eq!(two.turn("z0", false, &rates, at(4)), Turn::Now, "its pods go already");
    assert_eq!(two.turn("z1", true, &rates, at(4)), Turn::Now, "each zone has its own");
    assert_eq!(two.turn("z0", true, &rates, at(10)), Turn::Now);
    let fast = EvictionRates { node_eviction_rate: 4.0, ..rates };
    assert_eq!(two.turn("z0", true, &fast, at(10)), Turn::After(Duration::from_millis(250)));
}

#[test]
fn only_what_changes_a_zone_concerns_others() {
    let rates = EvictionRates::default();
    let mut zones = zones(&[(100, 0), (1, 0)]);
    let member = |zone: &str, works| Some((zone.to_owned(), works));
    let told = (0..100).filter(|_| zones.change(member("z0", true), member("z0", false), &rates));
    assert_eq!(told.count(), 2, "most are silent, then all are");
    assert_eq!(zones.turn("z0", true, &rates, at(0)), Turn::Now, "another zone works");
    assert!(zones.change(member("z1", true), member("z1", false), &rates));
    assert_eq!(zones.turn("z0", false, &rates, at(0)), Turn::Stopped);
    assert!(zones.change(member("z1", false), None, &rates));
    assert_eq!(zones.turn("z0", false, &rates, at(0)), Turn::Stopped, "the zone is gone");
    assert!(!zones.change(member("z0", false), member("z0", false), &rates));
    assert!(zones.change(member("z0", false), member("z0", true), &rates));
    assert_eq!(zones.turn("z0", false, &rates, at(0)), Turn::Now);
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
    let begun = node(json!([{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]));
    let stopped = taints(&begun.view, false, at(0)).unwrap();
    assert!(stopped.iter().all(|taint| taint.effect == "NoSchedule"), "what had begun is stopped");
    let other = node(json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]));
    assert!(!would_evict(&other.view), "its pods go already");
}
