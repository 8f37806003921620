use super::plan::{is_mirrored, plan};
use crate::support::ops::Op;
use serde_json::{Value, json};
use windlass_core::apis::core::v1::Endpoints;
use windlass_core::apis::discovery::v1::EndpointSlice;

fn endpoints(subsets: Value) -> Endpoints {
    serde_json::from_value(
        json!({"metadata": {"name": "svc", "namespace": "ns", "uid": "u"}, "subsets": subsets}),
    )
    .unwrap()
}

#[test]
fn each_family_and_list_of_ports_has_a_slice() {
    let shown = endpoints(
        json!([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}],
        "ports": [{"port": 9090}]}]),
    );
    let ops = plan(Some(&shown), vec![]);
    let found: Vec<_> = ops
        .iter()
        .map(|op| match op {
            Op::Create(_, body) => (
                body["addressType"].as_str().unwrap(),
                body["endpoints"].as_array().unwrap().len(),
                body["ports"][0]["port"].clone(),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [("IPv4", 2, json!(9090)), ("IPv6", 1, json!(9090))]);
    let Op::Create(_, body) = &ops[0] else { panic!() };
    let ready: Vec<_> = body["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["conditions"]["ready"].clone())
        .collect();
    assert_eq!(ready, [json!(true), json!(false)]);
    let mut slice: EndpointSlice = serde_json::from_value(body.clone()).unwrap();
    slice.metadata.name = Some("svc-1".into());
    assert!(
        matches!(plan(None, vec![slice]).as_slice(), [Op::Delete(..)]),
        "no Endpoints, no slice"
    );
}

#[test]
fn locks_and_those_who_ask_are_left_out() {
    let meta = |meta: Value| serde_json::from_value(meta).unwrap();
    assert!(is_mirrored(&meta(json!({"name": "a"}))));
    assert!(!is_mirrored(&meta(
        json!({"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}})
    )));
    assert!(!is_mirrored(&meta(
        json!({"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}})
    )));
}
