//! Defaults, ranges and exceptions.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::model::{AddressRange, Network, Protocol};
use crate::policy::ranges::{union, without};
use crate::policy::{NetworkPolicyView, Policy};

fn policy(spec: &Value) -> Policy {
    let view: NetworkPolicyView = serde_json::from_value(json!({"spec": spec})).unwrap();
    Policy::new(&view.spec).unwrap()
}

fn directions(spec: &Value) -> (bool, bool) {
    let policy = policy(spec);
    (policy.ingress.is_some(), policy.egress.is_some())
}

fn range(network: &str) -> AddressRange {
    network.parse::<Network>().unwrap().range()
}

fn between(first: &str, last: &str) -> AddressRange {
    (first.parse::<IpAddr>().unwrap(), last.parse().unwrap())
}

#[test]
fn the_directions_have_defaults() {
    assert_eq!(directions(&json!({"podSelector": {}})), (true, false));
    assert_eq!(directions(&json!({"podSelector": {}, "egress": [{}]})), (true, true));
    assert_eq!(directions(&json!({"policyTypes": ["Egress"]})), (false, true));
    assert_eq!(directions(&json!({"policyTypes": ["Egress"], "ingress": [{}]})), (false, true));
    assert_eq!(directions(&json!({"policyTypes": []})), (true, false));
}

#[test]
fn ports_have_defaults_and_are_joined() {
    let ports = json!([{"port": 80}, {"port": 81, "endPort": 90}, {"protocol": "UDP"}, {"port": "dns", "protocol": "SCTP"}]);
    let policy = policy(&json!({"ingress": [{"ports": ports}]}));
    let ports = policy.ingress.unwrap().remove(0).ports.unwrap();
    assert_eq!(ports.numbers, [(Protocol::Tcp, 80, 90), (Protocol::Udp, 0, 65535)]);
    assert_eq!(ports.names, [(Protocol::Sctp, "dns".to_owned())]);
}

#[test]
fn exceptions_are_taken_out() {
    let except = [range("10.0.1.0/24"), range("10.0.1.128/25"), range("192.0.2.0/24")];
    let left = without(range("10.0.0.0/22"), &except);
    assert_eq!(left, [range("10.0.0.0/24"), between("10.0.2.0", "10.0.3.255")]);
    assert!(without(range("10.0.0.0/24"), &[range("10.0.0.0/8")]).is_empty());
    assert_eq!(without(range("0.0.0.0/0"), &[range("128.0.0.0/1")]), [range("0.0.0.0/1")]);
    let all = range("::/0");
    assert_eq!(without(all, &[range("8000::/1")]), [range("::/1")]);
    assert_eq!(without(all, &[range("0.0.0.0/0")]), [all], "another family");
}

#[test]
fn blocks_of_both_families_do_not_overlap() {
    let ranges =
        [range("10.0.1.0/24"), range("fd00::/8"), range("10.0.0.0/24"), range("10.0.0.7/32")];
    assert_eq!(union(&ranges), [range("10.0.0.0/23"), range("fd00::/8")]);
}
