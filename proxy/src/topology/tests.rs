use serde_json::json;

use super::*;
use crate::model::EndpointView;

#[test]
fn local_ones_that_terminate_are_told_apart() {
    let views: Vec<EndpointView> = serde_json::from_value(json!([
        {"conditions": {"ready": false, "serving": true, "terminating": true}, "nodeName": "here"},
        {"nodeName": "there"},
        {"nodeName": "here"},
    ]))
    .unwrap();
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    let candidates: Vec<_> = views.iter().map(|endpoint| Candidate { address, endpoint }).collect();
    assert!(choose(&candidates[..2], &node()).local_terminating);
    assert!(!choose(&candidates, &node()).local_terminating);
    assert!(!choose(&candidates[1..2], &node()).local_terminating, "none at all");
}

/// Chooses among endpoints given as JSON; the result names the last octets.
fn chosen(endpoints: serde_json::Value, node: &NodeIdentity) -> (Vec<u8>, Vec<u8>) {
    let views: Vec<EndpointView> = serde_json::from_value(endpoints).unwrap();
    let candidates: Vec<Candidate<'_>> = (1..)
        .zip(&views)
        .map(|(last, endpoint)| Candidate {
            address: SocketAddr::from(([10, 0, 0, last], 80)),
            endpoint,
        })
        .collect();
    let chosen = choose(&candidates, node);
    let last = |endpoints: Vec<Endpoint>| {
        endpoints
            .iter()
            .map(|endpoint| match endpoint.address.ip() {
                std::net::IpAddr::V4(ip) => ip.octets()[3],
                std::net::IpAddr::V6(_) => unreachable!("only IPv4 was made"),
            })
            .collect()
    };
    (last(chosen.cluster), last(chosen.local))
}

fn node() -> NodeIdentity {
    NodeIdentity { name: "here".into(), zone: Some("z1".into()) }
}

#[test]
fn ready_ones_serve_and_unknown_counts_as_ready() {
    let endpoints = json!([
        {"nodeName": "here"},
        {"conditions": {"ready": false}},
        {"conditions": {"ready": true}},
        {"conditions": {"ready": null}, "nodeName": "there"},
    ]);
    assert_eq!(chosen(endpoints, &node()), (vec![1, 3, 4], vec![1]));
}

#[test]
fn without_ready_ones_those_that_terminate_but_serve_do() {
    let endpoints = json!([
        {"conditions": {"ready": false, "serving": true, "terminating": true}, "nodeName": "here"},
        {"conditions": {"ready": false, "serving": false, "terminating": true}},
        {"conditions": {"ready": false, "serving": true, "terminating": false}},
    ]);
    assert_eq!(chosen(endpoints.clone(), &node()), (vec![1], vec![1]));
    let mut with_ready = endpoints;
    with_ready.as_array_mut().unwrap().push(json!({"nodeName": "there"}));
    assert_eq!(
        chosen(with_ready, &node()),
        (vec![4], vec![1]),
        "policy Local falls back by itself"
    );
}

#[test]
fn zone_hints_narrow_when_each_endpoint_has_one() {
    let hinted = |zones: [Option<&str>; 3]| {
        let hint = |zone: Option<&str>| match zone {
            Some(zone) => json!({"hints": {"forZones": [{"name": zone}]}}),
            None => json!({}),
        };
        json!(zones.map(hint))
    };
    assert_eq!(chosen(hinted([Some("z1"), Some("z2"), Some("z1")]), &node()).0, [1, 3]);
    assert_eq!(chosen(hinted([Some("z1"), None, Some("z1")]), &node()).0, [1, 2, 3], "one without");
    assert_eq!(
        chosen(hinted([Some("z2"), Some("z2"), Some("z3")]), &node()).0,
        [1, 2, 3],
        "none for here"
    );
    let nowhere = NodeIdentity { zone: None, ..node() };
    assert_eq!(
        chosen(hinted([Some("z1"), Some("z2"), Some("z1")]), &nowhere).0,
        [1, 2, 3],
        "zone unknown"
    );
}

#[test]
fn node_hints_come_before_zone_hints() {
    let endpoints = json!([
        {"hints": {"forZones": [{"name": "z1"}], "forNodes": [{"name": "here"}]}},
        {"hints": {"forZones": [{"name": "z1"}], "forNodes": [{"name": "there"}]}},
    ]);
    assert_eq!(chosen(endpoints, &node()).0, [1]);
}
