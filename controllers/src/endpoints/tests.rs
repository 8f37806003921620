use super::plan::{plan, without_service};
use crate::support::ops::Op;
use crate::support::testing::{cases, entry, merged, pod, ready};
use crate::views::{Pod, ServiceView};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
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

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    service: Value,
    pods: BTreeMap<String, (String, Value)>,
    subsets: Vec<String>,
}

fn short(subset: &Value) -> String {
    let list = |what: &str, mark: &str, of: &dyn Fn(&Value) -> String| -> Vec<String> {
        let all = subset[what].as_array();
        all.into_iter().flatten().map(|one| format!("{mark}{}", of(one))).collect()
    };
    let ip = |one: &Value| one["ip"].as_str().unwrap().to_owned();
    let port = |one: &Value| one["port"].to_string();
    let addresses = [list("addresses", "", &ip), list("notReadyAddresses", "!", &ip)].concat();
    format!("{} : {}", addresses.join(" "), list("ports", "", &port).join(" "))
}

#[test]
fn addresses_that_share_ports_are_a_subset() {
    for case in cases::<Case>(include_str!("tests/subsets.yaml")) {
        let pods = case.pods.into_iter().map(|(name, (ip, more))| at_ip(&name, &ip, more));
        let found = subsets(case.service, &pods.collect::<Vec<_>>());
        let found: Vec<_> = found.as_array().into_iter().flatten().map(short).collect();
        assert_eq!(found, case.subsets, "{}", case.name);
    }
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
