//! Names, from objects to messages, and a whole server on the loopback interface.

mod figures;
mod served;

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use windlass_core::Object;
use windlass_core::cache::Entry;

use super::*;
use crate::model::NamespacedName;

const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 10));

fn entry<V: DeserializeOwned>(value: Value) -> Arc<Entry<V>> {
    let bytes = serde_json::to_vec(&value).unwrap();
    let object = Arc::new(Object::from_wire(bytes.clone().into()).unwrap());
    Arc::new(Entry { object, view: serde_json::from_slice(&bytes).unwrap() })
}

fn service(name: &str, spec: Value) -> Arc<Entry<ServiceView>> {
    entry(
        json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "1"}, "spec": spec}),
    )
}

fn slice(name: &str, service: &str, endpoints: Value) -> Arc<Entry<EndpointSliceView>> {
    entry(json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "1",
        "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]}))
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.service_applied(service(
        "web",
        json!({"clusterIP": "10.96.1.1",
        "clusterIPs": ["10.96.1.1", "fd00::1"],
        "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]}),
    ));
    catalog.service_applied(service(
        "db",
        json!({"clusterIP": "None", "ports": [{"name": "http", "port": 8080}]}),
    ));
    catalog.service_applied(service("empty", json!({"clusterIP": "None"})));
    catalog.service_applied(service(
        "out",
        json!({"type": "ExternalName", "externalName": "web.shop.svc.cluster.local"}),
    ));
    catalog.service_applied(service(
        "far",
        json!({"type": "ExternalName", "externalName": "example.org"}),
    ));
    catalog.slice_applied(slice(
        "db-1",
        "db",
        json!([
        {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": true}},
        {"addresses": ["10.244.0.6"], "conditions": {}},
        {"addresses": ["10.244.0.7"], "hostname": "db-2", "conditions": {"ready": false}}]),
    ));
    catalog.slice_applied(slice(
        "web-1",
        "web",
        json!([{"addresses": ["10.244.0.9"], "hostname": "web-0"}]),
    ));
    catalog
}

fn zone() -> Zone {
    Zone::new("cluster.local", vec![SERVER], 5).unwrap()
}

fn named(name: &str) -> Name {
    Name::from_ascii(name).unwrap()
}

/// What is found, a line a record.
fn find(catalog: &Catalog, name: &str, kind: RecordType) -> String {
    match zone().find(catalog, &named(name), kind) {
        Found::Records { answers, additionals } => {
            let lines = answers.iter().chain(&additionals);
            let lines = lines.map(|r| format!("{} {} {}", r.name, r.record_type(), r.data));
            lines.collect::<Vec<_>>().join("\n")
        }
        Found::Alias(record, target) => format!("{} -> {target}", record.name),
        other => format!("{other:?}"),
    }
}

/// The specification, row by row: name, type, what is found.
#[test]
fn specification() {
    use RecordType::{A, AAAA, CNAME, MX, NS, PTR, SRV, TXT};
    let catalog = catalog();
    for (name, kind, expected) in [
        ("dns-version.cluster.local.", TXT, "dns-version.cluster.local. TXT 1.1.0"),
        ("web.shop.svc.cluster.local.", A, "web.shop.svc.cluster.local. A 10.96.1.1"),
        ("WEB.Shop.svc.Cluster.LOCAL.", A, "WEB.Shop.svc.Cluster.LOCAL. A 10.96.1.1"),
        ("web.shop.svc.cluster.local.", AAAA, "web.shop.svc.cluster.local. AAAA fd00::1"),
        ("web.shop.svc.cluster.local.", MX, "NoData"),
        (
            "_http._tcp.web.shop.svc.cluster.local.",
            SRV,
            "_http._tcp.web.shop.svc.cluster.local. SRV 0 100 80 web.shop.svc.cluster.local.\nweb.shop.svc.cluster.local. A 10.96.1.1\nweb.shop.svc.cluster.local. AAAA fd00::1",
        ),
        ("_http._tcp.web.shop.svc.cluster.local.", A, "NoData"),
        ("_http._udp.web.shop.svc.cluster.local.", SRV, "NoName"),
        ("_tcp.web.shop.svc.cluster.local.", A, "NoData"),
        ("_sctp.web.shop.svc.cluster.local.", A, "NoName"),
        ("1.1.96.10.in-addr.arpa.", PTR, "1.1.96.10.in-addr.arpa. PTR web.shop.svc.cluster.local."),
        ("1.1.96.10.in-addr.arpa.", A, "NoData"),
        ("2.1.96.10.in-addr.arpa.", PTR, "Elsewhere"),
        ("96.10.in-addr.arpa.", PTR, "Elsewhere"),
        (
            "db.shop.svc.cluster.local.",
            A,
            "db.shop.svc.cluster.local. A 10.244.0.5\ndb.shop.svc.cluster.local. A 10.244.0.6",
        ),
        ("db.shop.svc.cluster.local.", AAAA, "NoData"),
        ("db-0.db.shop.svc.cluster.local.", A, "db-0.db.shop.svc.cluster.local. A 10.244.0.5"),
        (
            "10-244-0-6.db.shop.svc.cluster.local.",
            A,
            "10-244-0-6.db.shop.svc.cluster.local. A 10.244.0.6",
        ),
        ("db-2.db.shop.svc.cluster.local.", A, "NoName"),
        ("web-0.web.shop.svc.cluster.local.", A, "web-0.web.shop.svc.cluster.local. A 10.244.0.9"),
        (
            "_http._tcp.db.shop.svc.cluster.local.",
            SRV,
            "_http._tcp.db.shop.svc.cluster.local. SRV 0 50 8080 10-244-0-6.db.shop.svc.cluster.local.\n_http._tcp.db.shop.svc.cluster.local. SRV 0 50 8080 db-0.db.shop.svc.cluster.local.\n10-244-0-6.db.shop.svc.cluster.local. A 10.244.0.6\ndb-0.db.shop.svc.cluster.local. A 10.244.0.5",
        ),
        (
            "5.0.244.10.in-addr.arpa.",
            PTR,
            "5.0.244.10.in-addr.arpa. PTR db-0.db.shop.svc.cluster.local.",
        ),
        ("9.0.244.10.in-addr.arpa.", PTR, "Elsewhere"),
        ("empty.shop.svc.cluster.local.", A, "NoName"),
        (
            "out.shop.svc.cluster.local.",
            A,
            "out.shop.svc.cluster.local. -> web.shop.svc.cluster.local.",
        ),
        ("far.shop.svc.cluster.local.", CNAME, "far.shop.svc.cluster.local. -> example.org."),
        ("none.shop.svc.cluster.local.", A, "NoName"),
        ("shop.svc.cluster.local.", A, "NoData"),
        ("void.svc.cluster.local.", A, "NoName"),
        ("svc.cluster.local.", A, "NoData"),
        ("10-1-2-3.shop.pod.cluster.local.", A, "10-1-2-3.shop.pod.cluster.local. A 10.1.2.3"),
        (
            "cluster.local.",
            NS,
            "cluster.local. NS ns.dns.cluster.local.\nns.dns.cluster.local. A 10.96.0.10",
        ),
        ("ns.dns.cluster.local.", A, "ns.dns.cluster.local. A 10.96.0.10"),
        ("example.org.", A, "Elsewhere"),
        ("xcluster.local.", A, "Elsewhere"),
    ] {
        assert_eq!(find(&catalog, name, kind), expected, "{name} {kind}");
    }
}

#[test]
fn what_goes_takes_its_names_along() {
    let mut catalog = catalog();
    catalog.service_deleted(&NamespacedName::new("shop", "web"));
    assert_eq!(find(&catalog, "web.shop.svc.cluster.local.", RecordType::A), "NoName");
    assert_eq!(find(&catalog, "1.1.96.10.in-addr.arpa.", RecordType::PTR), "Elsewhere");
    catalog.slice_deleted(&NamespacedName::new("shop", "db-1"));
    assert_eq!(find(&catalog, "db.shop.svc.cluster.local.", RecordType::A), "NoName");
    assert_eq!(find(&catalog, "5.0.244.10.in-addr.arpa.", RecordType::PTR), "Elsewhere");
    for name in ["db", "empty", "out", "far"] {
        catalog.service_deleted(&NamespacedName::new("shop", name));
    }
    assert_eq!(find(&catalog, "shop.svc.cluster.local.", RecordType::A), "NoName");
}

#[test]
fn slices_may_come_first_and_services_change() {
    let mut catalog = Catalog::default();
    catalog.slice_applied(slice(
        "db-1",
        "db",
        json!([{"addresses": ["10.244.0.5"], "hostname": "a"}]),
    ));
    assert_eq!(find(&catalog, "db.shop.svc.cluster.local.", RecordType::A), "NoName");
    catalog.service_applied(service("db", json!({"clusterIP": "None"})));
    assert_eq!(
        find(&catalog, "5.0.244.10.in-addr.arpa.", RecordType::PTR),
        "5.0.244.10.in-addr.arpa. PTR a.db.shop.svc.cluster.local."
    );
    catalog.slice_applied(slice(
        "db-1",
        "db",
        json!([{"addresses": ["10.244.0.8"], "hostname": "a"}]),
    ));
    assert_eq!(find(&catalog, "5.0.244.10.in-addr.arpa.", RecordType::PTR), "Elsewhere");
    assert_eq!(
        find(&catalog, "a.db.shop.svc.cluster.local.", RecordType::A),
        "a.db.shop.svc.cluster.local. A 10.244.0.8"
    );
    catalog.slice_applied(slice("db-1", "other", json!([{"addresses": ["10.244.0.8"]}])));
    assert_eq!(find(&catalog, "db.shop.svc.cluster.local.", RecordType::A), "NoName");
}

#[test]
fn a_dual_stack_endpoint_has_one_srv_record() {
    let mut catalog = catalog();
    let endpoints = json!([{"addresses": ["fd00::5"], "hostname": "db-0"}]);
    let of_v6 =
        entry(json!({"metadata": {"name": "db-6", "namespace": "shop", "resourceVersion": "1",
        "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv6", "endpoints": endpoints,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]}));
    catalog.slice_applied(of_v6);
    let zone = Zone::new("cluster.local", vec![SERVER], 5).unwrap();
    let name = Name::from_ascii("_http._tcp.db.shop.svc.cluster.local.").unwrap();
    let Found::Records { answers, additionals } = zone.find(&catalog, &name, RecordType::SRV)
    else {
        panic!("there are some")
    };
    assert_eq!((answers.len(), additionals.len()), (2, 3), "{answers:?}");
}
