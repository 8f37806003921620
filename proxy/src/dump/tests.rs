use std::sync::Arc;

use serde_json::json;
use windlass_core::cache::Entry;
use windlass_core::clock::Env;
use windlass_core::{Object, View};

use super::*;
use crate::metrics::Metrics;

fn entry<V: View>(object: &serde_json::Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(serde_json::to_vec(object).unwrap().into()).unwrap();
    Arc::new(Entry::new(Arc::new(object)).unwrap())
}

fn shared() -> Shared {
    let metrics = Metrics::new(&mut prometheus_client::registry::Registry::default());
    let shared = Shared::new("here", metrics, Env::simulated(1));
    let mut trackers = shared.trackers.lock();
    trackers.services.service_applied(entry(&json!({"metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "NodePort", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "nodePort": 30080}],
            "externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP"}})));
    trackers.services.slice_applied(entry(&json!({"metadata": {"name": "web-1", "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4", "ports": [{"port": 8080}],
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "here"}, {"addresses": ["10.0.0.2"], "nodeName": "there"}]})));
    trackers
        .services
        .service_applied(entry(&json!({"metadata": {"name": "idle", "namespace": "shop"},
        "spec": {"clusterIP": "10.96.0.2", "ports": [{"port": 53, "protocol": "UDP"}]}})));
    trackers
        .policies
        .pod_applied(entry(&json!({"metadata": {"name": "web-x", "namespace": "shop"},
        "spec": {"nodeName": "here"}, "status": {"podIP": "10.0.0.1"}})));
    trackers.policies.policy_applied(&entry(
        &json!({"metadata": {"name": "deny", "namespace": "shop"}, "spec": {}}),
    ));
    trackers.services.take();
    trackers.policies.take();
    drop(trackers);
    shared
}

fn words(path: &str) -> (StatusCode, String) {
    let answer = answer(path, &shared()).unwrap();
    (answer.status, answer.body)
}

#[test]
fn a_service_in_words() {
    let (status, text) = words("/shop/web");
    assert_eq!(status, StatusCode::OK);
    let expected = "not in step: not synced yet
shop/web TCP
  10.96.0.1:80 leads to one of 2 endpoints
  node port 30080 leads to one of 1 on this node; the source is kept
  a client stays with its endpoint for 10800 s
  endpoint 10.0.0.1:8080, on this node
  endpoint 10.0.0.2:8080
pod shop/web-x (10.0.0.1)
  to it passes only what NetworkPolicies allow: deny
";
    assert_eq!(text, expected);
}

#[test]
fn all_of_them_and_one_that_is_not_there() {
    let (_, text) = words("");
    assert!(text.contains("shop/idle UDP\n  10.96.0.2:53 leads to no endpoint: it is refused\n"));
    assert!(text.contains("shop/web TCP") && text.contains("pod shop/web-x"));
    let (status, text) = words("/shop/none");
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("shop/none"), "{text}");
    assert!(answer("/shop", &shared()).is_none(), "no such path");
}
