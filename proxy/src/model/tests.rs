use serde_json::json;

use super::*;
use crate::topology::NodeIdentity;

fn compute(service: serde_json::Value, slices: serde_json::Value) -> Vec<ServicePort> {
    let service: ServiceView = serde_json::from_value(service).unwrap();
    let slices: Vec<EndpointSliceView> = serde_json::from_value(slices).unwrap();
    let node = NodeIdentity { name: "here".into(), zone: None };
    service_ports(&NamespacedName::new("default", "web"), &service, slices.iter(), &node)
}

fn slice(address_type: &str, ports: serde_json::Value, addresses: &[&str]) -> serde_json::Value {
    let endpoints: Vec<_> =
        addresses.iter().map(|address| json!({"addresses": [address]})).collect();
    json!({"addressType": address_type, "ports": ports, "endpoints": endpoints})
}

fn addresses(port: &ServicePort) -> Vec<String> {
    port.cluster_endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
}

#[test]
fn ports_are_matched_by_name_and_protocol() {
    let service = json!({"spec": {"clusterIP": "10.96.0.1", "ports": [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]}});
    let ports = json!([
        {"name": "dns", "protocol": "UDP", "port": 5353},
        {"name": "dns-tcp", "protocol": "TCP", "port": 5354},
        {"name": "metrics", "port": 9153},
    ]);
    let found = compute(service, json!([slice("IPv4", ports, &["10.0.0.1"])]));
    assert_eq!(
        found.iter().map(addresses).collect::<Vec<_>>(),
        [["10.0.0.1:5353"], ["10.0.0.1:5354"]]
    );
    assert_eq!(found[0].protocol(), Protocol::Udp);
}

#[test]
fn endpoints_of_several_slices_are_joined_without_duplicates() {
    let service = json!({"spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 80}]}});
    let ports = json!([{"port": 8080}]);
    let slices = json!([
        slice("IPv4", ports.clone(), &["10.0.0.2", "10.0.0.1"]),
        slice("IPv4", ports.clone(), &["10.0.0.2", "not an address"]),
        {"addressType": "IPv4", "ports": ports, "endpoints": null},
    ]);
    assert_eq!(addresses(&compute(service, slices)[0]), ["10.0.0.1:8080", "10.0.0.2:8080"]);
}

#[test]
fn dual_stack_is_a_port_per_family() {
    let service = json!({"spec": {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd96::1"],
        "externalIPs": ["203.0.113.1", "2001:db8::1"], "ports": [{"port": 80}]}});
    let slices = json!([
        slice("IPv4", json!([{"port": 80}]), &["10.0.0.1"]),
        slice("IPv6", json!([{"port": 80}]), &["fd00::1"]),
        slice("FQDN", json!([{"port": 80}]), &["example.com"]),
    ]);
    let found = compute(service, slices);
    assert_eq!(
        found.iter().map(addresses).collect::<Vec<_>>(),
        [["10.0.0.1:80"], ["[fd00::1]:80"]]
    );
    assert_eq!(found[1].external_ips, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
    assert_eq!(found[1].key.family, Family::V6);
}

#[test]
fn headless_and_external_name_have_nothing_to_program() {
    let ports = json!([{"port": 80}]);
    assert!(
        compute(
            json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": ports}}),
            json!([])
        )
        .is_empty()
    );
    assert!(
        compute(
            json!({"spec": {"type": "ExternalName", "externalName": "example.com"}}),
            json!([])
        )
        .is_empty()
    );
    assert!(compute(json!({"spec": {"ports": ports}}), json!([])).is_empty(), "no address yet");
}

#[test]
fn types_affinity_and_policies() {
    let spec = |kind: &str| {
        json!({"spec": {"type": kind, "clusterIP": "10.96.0.1", "ports": [{"port": 80, "nodePort": 30080}],
            "sessionAffinity": "ClientIP", "healthCheckNodePort": 30090, "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster"},
         "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9", "ipMode": "VIP"}, {"ip": "203.0.113.8", "ipMode": "Proxy"},
            {"hostname": "lb.example.com"}]}}})
    };
    let one = |kind| compute(spec(kind), json!([])).remove(0);
    let load_balancer = one("LoadBalancer");
    assert_eq!(load_balancer.node_port, Some(30080));
    assert_eq!(load_balancer.load_balancer_ips, ["203.0.113.9".parse::<IpAddr>().unwrap()]);
    assert_eq!(
        (load_balancer.affinity, load_balancer.external_policy),
        (Some(10_800), TrafficPolicy::Local)
    );
    assert_eq!(load_balancer.health_check_node_port, Some(30090));
    let cluster_ip = one("ClusterIP");
    assert_eq!((cluster_ip.node_port, cluster_ip.load_balancer_ips.len()), (None, 0));
    let mut with_timeout = spec("ClusterIP");
    with_timeout["spec"]["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 10}});
    assert_eq!(compute(with_timeout, json!([]))[0].affinity, Some(10));
}

#[test]
fn source_ranges_are_joined() {
    let ranges =
        ["10.1.0.0/16", " 10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "0.0.0.0/33", "nonsense"];
    let service = json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.1", "ports": [{"port": 80}],
        "loadBalancerSourceRanges": ranges}});
    let range = |first: &str, last: &str| {
        (first.parse::<IpAddr>().unwrap(), last.parse::<IpAddr>().unwrap())
    };
    let expected = [range("10.0.0.0", "10.255.255.255"), range("192.0.2.7", "192.0.2.7")];
    assert_eq!(compute(service, json!([]))[0].source_ranges, expected);
}

#[test]
fn networks() {
    let network = |text: &str| text.parse::<Network>().unwrap();
    assert_eq!(network("10.1.2.3/12").mask(), [255, 240, 0, 0]);
    assert_eq!(network("10.1.2.3/0").mask(), [0; 4]);
    assert_eq!(network("10.1.2.3/32").mask(), [255; 4]);
    assert_eq!(network("fd00::/9").mask()[..3], [255, 128, 0]);
    let (first, last) = network("0.0.0.0/0").range();
    assert_eq!((first.to_string(), last.to_string()), ("0.0.0.0".into(), "255.255.255.255".into()));
    let (first, last) = network("fd00::1/128").range();
    assert_eq!(first, last);
    assert!("10.0.0.0".parse::<Network>().is_err() && "::/129".parse::<Network>().is_err());
}
