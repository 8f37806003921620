use super::plan::{is_mirrored, plan};
use crate::support::ops::Op;
use crate::support::testing::cases;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::core::v1::Endpoints;
use windlass_core::apis::discovery::v1::EndpointSlice;

fn endpoints(subsets: Value) -> Endpoints {
    serde_json::from_value(
        json!({"metadata": {"name": "svc", "namespace": "ns", "uid": "u"}, "subsets": subsets}),
    )
    .unwrap()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    subsets: Value,
    slices: Vec<String>,
}

/// Family, port, addresses.
fn short(slice: &Value) -> String {
    let address = |endpoint: &Value| {
        let not = if endpoint["conditions"]["ready"] == true { "" } else { "!" };
        format!(" {not}{}", endpoint["addresses"][0].as_str().unwrap())
    };
    let all: String = slice["endpoints"].as_array().unwrap().iter().map(address).collect();
    format!("{} {}{all}", slice["addressType"].as_str().unwrap(), slice["ports"][0]["port"])
}

#[test]
fn each_family_and_list_of_ports_has_a_slice() {
    for case in cases::<Case>(include_str!("tests/subsets.yaml")) {
        let ops = plan(Some(&endpoints(case.subsets)), vec![]);
        let made = ops.iter().map(|op| match op {
            Op::Create(_, body) => body.clone(),
            other => panic!("{other:?}"),
        });
        let mut made: Vec<Value> = made.collect();
        let mut found: Vec<String> = made.iter().map(short).collect();
        found.sort();
        assert_eq!(found, case.slices, "{}", case.name);
        let slices = made.iter_mut().enumerate().map(|(at, body)| {
            body["metadata"]["name"] = format!("svc-{at}").into();
            serde_json::from_value::<EndpointSlice>(body.clone()).unwrap()
        });
        let ops = plan(None, slices.collect());
        let gone = ops.iter().filter(|op| matches!(op, Op::Delete(..))).count();
        assert_eq!((gone, ops.len()), (found.len(), found.len()), "{}: no Endpoints", case.name);
    }
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
