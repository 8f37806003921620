use super::*;
use serde_json::json;

fn map(value: Value) -> Map {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn pod(node: &str) -> Map {
    map(json!({"metadata": {"name": "a"}, "spec": {"nodeName": node}}))
}

fn with(grace: Option<i64>) -> DeleteOptions {
    DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() }
}

#[test]
fn what_nothing_holds_goes_at_once() {
    let object = map(json!({"metadata": {"name": "a"}}));
    assert_eq!(plan(&scheme::CONFIGMAPS, &object, &with(None), now()), Plan::Remove);
}

#[test]
fn finalizers_hold_an_object() {
    let object = map(json!({"metadata": {"finalizers": ["x/y"], "generation": 3}}));
    let Plan::Mark(marked) = plan(&scheme::CONFIGMAPS, &object, &with(None), now()) else {
        panic!("it is held");
    };
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(marked["metadata"]["generation"], 4);
    assert_eq!(plan(&scheme::CONFIGMAPS, &marked, &with(None), now()), Plan::Wait);
    assert!(!may_go(&scheme::CONFIGMAPS, &marked));
    let mut free = marked;
    set_finalizers(&mut free, Vec::new());
    assert!(may_go(&scheme::CONFIGMAPS, &free));
}

#[test]
fn propagation_decides_the_finalizers() {
    let object = map(json!({"metadata": {"finalizers": ["x/y", "foregroundDeletion"]}}));
    for (policy, expected) in [
        (Propagation::Orphan, json!(["x/y", "orphan"])),
        (Propagation::Background, json!(["x/y"])),
        (Propagation::Foreground, json!(["x/y", "foregroundDeletion"])),
    ] {
        let options = DeleteOptions { propagation_policy: Some(policy), ..with(None) };
        let Plan::Mark(marked) = plan(&scheme::CONFIGMAPS, &object, &options, now()) else {
            panic!("it is held");
        };
        assert_eq!(marked["metadata"]["finalizers"], expected);
    }
}

#[test]
fn a_pod_on_a_node_gets_its_time() {
    let Plan::Mark(marked) = plan(&scheme::PODS, &pod("n"), &with(None), now()) else {
        panic!("it runs");
    };
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-01-01T00:00:30Z");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(plan(&scheme::PODS, &marked, &with(Some(60)), now()), Plan::Wait);
    let Plan::Mark(sooner) = plan(&scheme::PODS, &marked, &with(Some(5)), now()) else {
        panic!("it still runs");
    };
    assert_eq!(sooner["metadata"]["deletionTimestamp"], "2026-01-01T00:00:05Z");
    assert_eq!(plan(&scheme::PODS, &sooner, &with(Some(0)), now()), Plan::Remove);
}

#[test]
fn a_pod_without_a_node_or_that_is_over_goes_at_once() {
    assert_eq!(plan(&scheme::PODS, &pod(""), &with(None), now()), Plan::Remove);
    let mut over = pod("n");
    over.insert("status".into(), json!({"phase": "Failed"}));
    assert_eq!(plan(&scheme::PODS, &over, &with(None), now()), Plan::Remove);
    assert_eq!(plan(&scheme::PODS, &pod("n"), &with(Some(0)), now()), Plan::Remove);
}

#[test]
fn a_namespace_goes_when_it_is_finalized() {
    let active = map(json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}}));
    let Plan::Mark(mut marked) = plan(&scheme::NAMESPACES, &active, &with(None), now()) else {
        panic!("it is kept");
    };
    assert_eq!(marked["status"]["phase"], "Terminating");
    assert!(!may_go(&scheme::NAMESPACES, &marked));
    marked.shift_remove("spec");
    assert!(may_go(&scheme::NAMESPACES, &marked));
}
