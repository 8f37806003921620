use super::plan::{FINALIZER, range, record, service_of};
use crate::support::ops::Op;
use crate::support::testing::{at, cases, merged};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::networking::v1::ServiceCIDR;
use windlass_core::controller::ObjectKey;

fn cidr(name: &str, cidr: &str, more: Value) -> ServiceCIDR {
    let base =
        json!({"metadata": {"name": name, "finalizers": [FINALIZER]}, "spec": {"cidrs": [cidr]}});
    serde_json::from_value(merged(base, more)).unwrap()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    finalizers: Option<Vec<String>>,
    #[serde(default)]
    ready: bool,
    deleted: Option<i64>,
    #[serde(default)]
    used: Vec<std::net::IpAddr>,
    other: Option<Value>,
    does: String,
}

#[test]
fn a_range_goes_when_no_address_needs_it() {
    for case in cases::<Case>(include_str!("tests/ranges.yaml")) {
        let deleted = case.deleted.map(|seconds| at(-seconds).to_string());
        let mut more = json!({"metadata": {"deletionTimestamp": deleted}});
        if let Some(finalizers) = case.finalizers {
            more["metadata"]["finalizers"] = json!(finalizers);
        }
        if case.ready {
            let ready = json!({"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": at(0).to_string()});
            more["status"] = json!({"conditions": [ready]});
        }
        let others = case.other.iter().map(|other| {
            let deleted = other["deleted"].as_bool().map(|_| at(-60).to_string());
            cidr("b", "10.0.0.0/16", json!({"metadata": {"deletionTimestamp": deleted}}))
        });
        let others: Vec<_> = others.collect();
        let found = match range(&cidr("a", "10.0.0.0/24", more), &others, &case.used, at(0)) {
            Err(None) => "nothing".to_owned(),
            Err(Some(wait)) => format!("wait {}", wait.as_secs()),
            Ok(Op::Patch(_, patch)) => match &patch["metadata"]["finalizers"] {
                Value::Array(list) if list.is_empty() => "release".to_owned(),
                Value::Array(_) => "hold".to_owned(),
                _ => {
                    let condition = &patch["status"]["conditions"][0];
                    format!("ready {}", condition["status"].as_str().unwrap())
                }
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(found, case.does, "{}", case.name);
    }
}

#[test]
fn a_record_names_its_service() {
    let key = ObjectKey::new("ns", "svc");
    let address = serde_json::from_value(record("10.0.0.7", &key)).unwrap();
    assert_eq!(service_of(&address), Some(key.clone()));
    let foreign = merged(record("10.0.0.7", &key), json!({"metadata": {"labels": null}}));
    assert_eq!(service_of(&serde_json::from_value(foreign).unwrap()), None);
}
