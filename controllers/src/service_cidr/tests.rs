use super::plan::{FINALIZER, range, record, service_of};
use crate::support::ops::Op;
use crate::support::testing::{at, merged};
use serde_json::{Value, json};
use windlass_core::apis::networking::v1::ServiceCIDR;
use windlass_core::controller::ObjectKey;

fn cidr(name: &str, cidr: &str, more: Value) -> ServiceCIDR {
    let base =
        json!({"metadata": {"name": name, "finalizers": [FINALIZER]}, "spec": {"cidrs": [cidr]}});
    serde_json::from_value(merged(base, more)).unwrap()
}

#[test]
fn a_range_goes_when_no_address_needs_it() {
    let gone = |seconds: i64| json!({"metadata": {"deletionTimestamp": at(-seconds).to_string()}});
    let goes = gone(10);
    let found = |mine: &ServiceCIDR, others: &[ServiceCIDR], used: &str| {
        let used: Vec<_> = used.split_whitespace().map(|ip| ip.parse().unwrap()).collect();
        match range(mine, others, &used, at(0)) {
            Err(None) => "nothing".to_owned(),
            Err(Some(wait)) => format!("wait {}", wait.as_secs()),
            Ok(Op::Patch(_, patch)) => match &patch["metadata"]["finalizers"] {
                Value::Array(list) => format!("finalizers {}", list.len()),
                _ => patch["status"]["conditions"][0]["status"].as_str().unwrap().to_owned(),
            },
            other => panic!("{other:?}"),
        }
    };
    let a = |more: &Value| cidr("a", "10.0.0.0/24", more.clone());
    let wide = cidr("b", "10.0.0.0/16", json!({}));
    assert_eq!(found(&a(&json!({"metadata": {"finalizers": []}})), &[], ""), "finalizers 1");
    assert_eq!(found(&a(&json!({})), &[], ""), "True");
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": at(0).to_string()}]}});
    assert_eq!(found(&a(&ready), &[], "10.0.0.7"), "nothing");
    assert_eq!(found(&a(&goes), &[], "10.0.0.7"), "False");
    assert_eq!(found(&a(&gone(3)), &[], "10.0.1.7"), "wait 7", "servers may not know yet");
    assert_eq!(found(&a(&goes), &[], "10.0.1.7 fd00::7"), "finalizers 0");
    assert_eq!(
        found(&a(&goes), std::slice::from_ref(&wide), "10.0.0.7"),
        "finalizers 0",
        "another range has it"
    );
    let wide_goes = cidr("b", "10.0.0.0/16", goes.clone());
    assert_eq!(found(&a(&goes), &[wide_goes], "10.0.0.7"), "False");
}

#[test]
fn a_record_names_its_service() {
    let key = ObjectKey::new("ns", "svc");
    let address = serde_json::from_value(record("10.0.0.7", &key)).unwrap();
    assert_eq!(service_of(&address), Some(key.clone()));
    let foreign = merged(record("10.0.0.7", &key), json!({"metadata": {"labels": null}}));
    assert_eq!(service_of(&serde_json::from_value(foreign).unwrap()), None);
}
