use super::plan::{plan, without_service};
use crate::support::ops::Op;
use crate::support::testing::{entry, merged, pod, ready};
use crate::views::{Pod, ServiceView};
use serde_json::{Value, json};
use windlass_core::apis::core::v1::Endpoints;

fn service(more: Value) -> std::sync::Arc<windlass_core::cache::Entry<ServiceView>> {
    let base = json!({"metadata": {"name": "svc", "namespace": "ns", "uid": "u"},
        "spec": {"clusterIP": "10.0.0.1", "selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]}});
    entry(merged(base, more))
}

fn at_ip(name: &str, ip: &str, more: Value) -> Pod {
    pod(name, "", merged(merged(ready(0), json!({"status": {"podIP": ip}})), more))
}

fn subsets(more: Value, pods: &[Pod]) -> Value {
    let service = service(more);
    match plan(service.object.header(), &service.view.spec, pods, None) {
        Some(Op::Create(_, body)) => body["subsets"].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn addresses_are_ready_or_not() {
    let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let pods = [at_ip("a", "10.1.0.2", json!({})), at_ip("b", "10.1.0.1", unready)];
    let found = subsets(json!({}), &pods);
    assert_eq!(
        (&found[0]["addresses"][0]["ip"], &found[0]["notReadyAddresses"][0]["ip"]),
        (&json!("10.1.0.2"), &json!("10.1.0.1"))
    );
    assert_eq!(found[0]["ports"], json!([{"port": 8080, "protocol": "TCP"}]));
    let all = subsets(json!({"spec": {"publishNotReadyAddresses": true}}), &pods);
    assert_eq!(all[0]["addresses"].as_array().unwrap().len(), 2);
}

#[test]
fn ports_with_the_same_addresses_share_a_subset() {
    let ports = json!({"spec": {"ports": [{"name": "x", "port": 80, "protocol": "TCP"}, {"name": "y", "port": 81, "protocol": "TCP"},
        {"name": "z", "port": 82, "targetPort": "z", "protocol": "TCP"}]}});
    let z = json!({"spec": {"containers": [{"ports": [{"name": "z", "containerPort": 9}]}]}});
    let found = subsets(ports, &[at_ip("a", "10.1.0.1", z), at_ip("b", "10.1.0.2", json!({}))]);
    let sizes: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|subset| {
            (
                subset["addresses"].as_array().unwrap().len(),
                subset["ports"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(sizes, [(2, 2), (1, 1)]);
}

#[test]
fn nothing_is_written_twice_and_nothing_foreign_deleted() {
    let service = service(json!({}));
    let pods = [at_ip("a", "10.1.0.1", json!({}))];
    let Some(Op::Create(_, body)) = plan(service.object.header(), &service.view.spec, &pods, None)
    else {
        panic!()
    };
    let made: Endpoints = serde_json::from_value(body).unwrap();
    assert_eq!(plan(service.object.header(), &service.view.spec, &pods, Some(made.clone())), None);
    assert!(without_service(&made.metadata).is_some());
    let mut foreign = made.metadata;
    foreign.labels = None;
    assert_eq!(without_service(&foreign), None);
}
