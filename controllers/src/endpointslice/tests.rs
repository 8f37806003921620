use super::plan::{Snapshot, plan};
use crate::support::ops::Op;
use crate::support::testing::{entry, merged, pod, ready};
use crate::views::{Pod, ServiceView};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_core::apis::discovery::v1::EndpointSlice;

fn at_ip(ip: &str, more: Value) -> Value {
    merged(merged(ready(0), json!({"status": {"podIP": ip, "podIPs": [{"ip": ip}]}})), more)
}

fn run(service: Value, pods: Vec<Pod>, slices: Vec<EndpointSlice>) -> Vec<Op> {
    let base = json!({"metadata": {"name": "svc", "namespace": "ns", "uid": "uid-svc", "labels": {"tier": "x"}},
        "spec": {"clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"], "selector": {"app": "a"},
                 "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}});
    let service = entry::<ServiceView>(merged(base, service));
    let zones = BTreeMap::from([("n".to_owned(), "z1".to_owned())]);
    plan(Snapshot {
        header: service.object.header(),
        service: &service.view.spec,
        pods,
        zones,
        weights: vec![],
        slices,
    })
}

fn created(ops: &[Op]) -> &Value {
    match ops {
        [Op::Create(_, body)] => body,
        other => panic!("one slice expected: {other:?}"),
    }
}

#[test]
fn a_pod_is_an_endpoint_with_its_conditions() {
    let ending = json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}});
    let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let elsewhere = json!({"spec": {"nodeName": "gone"}});
    let publish = json!({"spec": {"publishNotReadyAddresses": true}});
    let cases = [
        (
            "ready",
            json!({}),
            json!({}),
            json!({"ready": true, "serving": true, "terminating": false}),
        ),
        (
            "not ready",
            json!({}),
            unready.clone(),
            json!({"ready": false, "serving": false, "terminating": false}),
        ),
        (
            "ending",
            json!({}),
            ending,
            json!({"ready": false, "serving": true, "terminating": true}),
        ),
        (
            "published anyway",
            publish.clone(),
            unready,
            json!({"ready": true, "serving": false, "terminating": false}),
        ),
        ("node gone", json!({}), elsewhere.clone(), Value::Null),
        (
            "node gone, published anyway",
            publish,
            elsewhere,
            json!({"ready": true, "serving": true, "terminating": false}),
        ),
        ("ended", json!({}), json!({"status": {"phase": "Failed"}}), Value::Null),
        ("no address", json!({}), json!({"status": {"podIP": "", "podIPs": []}}), Value::Null),
    ];
    for (name, service, more, conditions) in cases {
        let ops = run(service, vec![pod("p", "", at_ip("10.1.0.1", more))], vec![]);
        assert_eq!(created(&ops)["endpoints"][0]["conditions"], conditions, "{name}");
    }
}

#[test]
fn a_slice_carries_all_that_proxies_need() {
    let named = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}]}});
    let more = json!({"spec": {"hostname": "h", "subdomain": "svc",
        "containers": [{"ports": [{"name": "web", "containerPort": 8081}]}]}});
    let ops = run(named, vec![pod("p", "", at_ip("10.1.0.1", more))], vec![]);
    let slice = created(&ops);
    assert_eq!(slice["metadata"]["generateName"], "svc-");
    assert_eq!(
        slice["metadata"]["labels"],
        json!({"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "svc", "tier": "x"})
    );
    assert_eq!(slice["ports"], json!([{"name": "http", "port": 8081, "protocol": "TCP"}]));
    let endpoint = &slice["endpoints"][0];
    assert_eq!(
        (&endpoint["hostname"], &endpoint["nodeName"], &endpoint["zone"]),
        (&json!("h"), &json!("n"), &json!("z1"))
    );
    assert_eq!(endpoint["targetRef"]["name"], "p");
    let six = run(
        json!({"spec": {"ipFamilies": ["IPv6"]}}),
        vec![pod("p", "", at_ip("fd00::1", json!({})))],
        vec![],
    );
    assert_eq!(
        (&created(&six)["addressType"], &created(&six)["endpoints"][0]["addresses"][0]),
        (&json!("IPv6"), &json!("fd00::1"))
    );
}

fn made(ops: Vec<Op>) -> Vec<EndpointSlice> {
    let mut slices: Vec<EndpointSlice> = ops
        .into_iter()
        .filter_map(|op| match op {
            Op::Create(_, body) | Op::Update(_, body) => {
                Some(serde_json::from_value(body).unwrap())
            }
            _ => None,
        })
        .collect();
    for (at, slice) in slices.iter_mut().enumerate() {
        slice.metadata.name.get_or_insert(format!("svc-{at}"));
    }
    slices
}

fn many(range: std::ops::Range<usize>) -> Vec<Pod> {
    range
        .map(|at| {
            pod(
                &format!("p{at:03}"),
                "",
                at_ip(&format!("10.1.{}.{}", at / 200, at % 200 + 1), json!({})),
            )
        })
        .collect()
}

#[test]
fn slices_are_filled_and_changed_one_by_one() {
    let slices = made(run(json!({}), many(0..250), vec![]));
    let mut sizes: Vec<_> =
        slices.iter().map(|slice| slice.endpoints.as_ref().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
    assert!(
        run(json!({}), many(0..250), slices.clone()).is_empty(),
        "nothing changed, nothing is written"
    );
    assert_eq!(
        run(json!({}), many(0..251), slices.clone()).len(),
        1,
        "a new pod changes one slice"
    );
    assert_eq!(run(json!({}), many(1..250), slices.clone()).len(), 1, "so does one that goes");
    let ops = run(json!({}), vec![], slices);
    let deleted = ops.iter().filter(|op| matches!(op, Op::Delete(..))).count();
    assert_eq!((deleted, ops.len()), (3, 4), "an empty slice stands for no endpoints: {ops:?}");
}
