use serde_json::{Value, json};
use windlass_core::View;

use super::*;
use crate::model::{Family, SERVICE_NAME_LABEL};

fn entry<V: View>(object: &Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(serde_json::to_vec(object).unwrap().into()).unwrap();
    Arc::new(Entry::new(Arc::new(object)).unwrap())
}

fn service(name: &str, port: u16) -> Arc<Entry<ServiceView>> {
    entry(
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": port}]}}),
    )
}

fn slice(name: &str, service: &str, addresses: &[&str]) -> Arc<Entry<EndpointSliceView>> {
    let endpoints: Vec<_> =
        addresses.iter().map(|address| json!({"addresses": [address]})).collect();
    entry(&json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": {SERVICE_NAME_LABEL: service}},
        "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": endpoints}))
}

fn key(name: &str) -> NamespacedName {
    NamespacedName::new("default", name)
}

fn tracker() -> ChangeTracker {
    ChangeTracker::new(NodeIdentity::default())
}

fn endpoints(change: &Change) -> Vec<usize> {
    change.updated.iter().map(|port| port.cluster_endpoints.len()).collect()
}

#[test]
fn ports_without_a_local_endpoint_are_counted_while_they_are_there() {
    let mut tracker = ChangeTracker::new(NodeIdentity { name: "here".into(), zone: None });
    let count = |tracker: &mut ChangeTracker| {
        tracker.take();
        let count = |asking| tracker.without_local().get(Family::V4, asking);
        (count(Asking::Internal), count(Asking::External))
    };
    let spec = json!({"type": "NodePort", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "nodePort": 30080}],
        "internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local"});
    let mut service = json!({"metadata": {"name": "web", "namespace": "default"}, "spec": spec});
    tracker.service_applied(entry(&service));
    assert_eq!(count(&mut tracker), (0, 0), "no endpoint at all: refused, not dropped");
    tracker.slice_applied(slice("web-1", "web", &["10.0.0.1"]));
    assert_eq!(count(&mut tracker), (1, 1));
    service["spec"]["internalTrafficPolicy"] = json!("Cluster");
    tracker.service_applied(entry(&service));
    assert_eq!(count(&mut tracker), (0, 1));
    tracker.service_deleted(&key("web"));
    assert_eq!(count(&mut tracker), (0, 0));
}

#[test]
fn yields_what_changed_and_only_once() {
    let mut tracker = tracker();
    tracker.slice_applied(slice("a-1", "a", &["10.0.0.1"]));
    assert!(tracker.take().is_empty(), "a slice without its Service");
    tracker.service_applied(service("a", 80));
    tracker.service_applied(service("b", 80));
    let mut change = tracker.take();
    change.updated.sort_by(|x, y| x.key.cmp(&y.key));
    assert_eq!(endpoints(&change), [1, 0]);
    tracker.service_applied(service("a", 80));
    assert!(tracker.has_changes());
    assert!(tracker.take().is_empty(), "the same again");
    tracker.slice_applied(slice("a-1", "a", &["10.0.0.1", "10.0.0.2"]));
    tracker.slice_applied(slice("a-2", "a", &["10.0.0.3"]));
    assert_eq!(endpoints(&tracker.take()), [3], "two events, one change");
    assert_eq!(tracker.snapshot().len(), 2);
}

#[test]
fn deletions() {
    let mut tracker = tracker();
    tracker.service_applied(service("a", 80));
    tracker.slice_applied(slice("a-1", "a", &["10.0.0.1"]));
    let port = tracker.take().updated[0].key.clone();
    tracker.slice_deleted(&key("a-1"));
    assert_eq!(endpoints(&tracker.take()), [0]);
    tracker.service_deleted(&key("a"));
    tracker.service_deleted(&key("never-seen"));
    tracker.slice_deleted(&key("never-seen"));
    assert_eq!(tracker.take(), Change { removed: vec![port], ..Change::default() });
    assert!(tracker.tracked.is_empty(), "nothing is left behind");
}

#[test]
fn added_and_deleted_in_one_go_is_no_change() {
    let mut tracker = tracker();
    tracker.service_applied(service("a", 80));
    tracker.service_deleted(&key("a"));
    assert!(tracker.take().is_empty());
    assert!(tracker.tracked.is_empty());
}

#[test]
fn a_slice_may_move_to_another_service() {
    let mut tracker = tracker();
    tracker.service_applied(service("a", 80));
    tracker.service_applied(service("b", 81));
    tracker.slice_applied(slice("s", "a", &["10.0.0.1"]));
    tracker.take();
    tracker.slice_applied(slice("s", "b", &["10.0.0.1"]));
    let change = tracker.take();
    let counts: Vec<_> =
        change.updated.iter().map(|port| (port.port, port.cluster_endpoints.len())).collect();
    assert!(counts.contains(&(80, 0)) && counts.contains(&(81, 1)), "{counts:?}");
}

#[test]
fn a_service_handed_to_another_proxy_is_removed() {
    let mut tracker = tracker();
    tracker.service_applied(service("a", 80));
    tracker.take();
    tracker.service_applied(entry(&json!({"metadata": {"name": "a", "namespace": "default",
        "labels": {PROXY_NAME_LABEL: "other"}}, "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 80}]}})));
    assert_eq!(tracker.take().removed.len(), 1);
}

#[test]
fn the_zone_may_arrive_late() {
    let mut tracker = tracker();
    tracker.service_applied(service("a", 80));
    let hinted = |zone: &str, address: &str| json!({"addresses": [address], "hints": {"forZones": [{"name": zone}]}});
    tracker.slice_applied(entry(&json!({"metadata": {"name": "s", "namespace": "default", "labels": {SERVICE_NAME_LABEL: "a"}},
        "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [hinted("z1", "10.0.0.1"), hinted("z2", "10.0.0.2")]})));
    assert_eq!(endpoints(&tracker.take()), [2]);
    tracker.zone_changed(Some("z2".into()));
    assert_eq!(endpoints(&tracker.take()), [1]);
    tracker.zone_changed(Some("z2".into()));
    assert!(!tracker.has_changes());
}
