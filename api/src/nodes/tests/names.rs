//! Names, paths and locations of the proxies.

use crate::nodes::backend::{Backend, Reach, Security};
use crate::nodes::objects::Pod;
use crate::nodes::proxy::{
    EndpointSlice, Place, SchemeNamePort, Service, candidates, node_backend, pod_backend,
    port_name, rewritten,
};
use serde_json::json;

fn view<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn agent() -> Backend {
    let host = "10.0.0.1".to_owned();
    Backend { host, port: 10250, security: Security::Agent, reach: Reach::Anywhere }
}

#[test]
fn names_have_a_scheme_and_a_port() {
    let parsed = |asked| SchemeNamePort::parse("pod", asked).unwrap();
    for (asked, name, port, security) in [
        ("a", "a", "", Security::Plain),
        ("a:80", "a", "80", Security::Plain),
        ("http:a:80", "a", "80", Security::Plain),
        ("https:a:443", "a", "443", Security::Unverified),
        ("https:a:", "a", "", Security::Unverified),
        (":a:80", "a", "80", Security::Plain),
    ] {
        let found = parsed(asked);
        assert_eq!((found.name, found.port, found.security()), (name, port, security), "{asked}");
    }
    for asked in ["", ":80", "ftp:a:80", "https::80", "a:b:c:d"] {
        let refused = SchemeNamePort::parse("pod", asked).unwrap_err();
        assert_eq!(refused.message, format!("invalid pod request {asked:?}"));
    }
    for asked in ["a:http", "a:0", "a:65536"] {
        assert_eq!(parsed(asked).port_number().unwrap_err().code, 400, "{asked}");
    }
}

#[test]
fn pods_are_reached_at_the_port_that_is_meant() {
    let backend = |asked, spec, ip: &str| {
        let pod: Pod = view(json!({"spec": spec, "status": {"podIP": ip}}));
        pod_backend(&SchemeNamePort::parse("pod", asked).unwrap(), &pod)
    };
    let none = json!({"containers": [{"name": "c"}]});
    let second = json!({"containers": [
        {"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}, {"containerPort": 9}]},
    ]});
    for (asked, spec, port) in
        [("a", &none, 80), ("https:a:", &none, 443), ("a", &second, 8080), ("a:90", &second, 90)]
    {
        let found = backend(asked, spec.clone(), "10.0.0.7").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("10.0.0.7", port), "{asked}");
        assert_eq!(found.reach, Reach::Routable);
    }
    for ip in ["", "127.0.0.1", "::1", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1", "x"] {
        let refused = backend("a:80", none.clone(), ip).unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (400, "address not allowed"), "{ip}");
    }
    assert_eq!(backend("a", none, "fd00::7").unwrap().authority(), "[fd00::7]:80");
}

#[test]
fn other_ports_of_a_node_are_not_its_agents() {
    let backend = |asked| node_backend(&SchemeNamePort::parse("node", asked).unwrap(), agent());
    assert_eq!(backend("n").unwrap(), agent());
    assert_eq!(backend("http:n:10250").unwrap(), agent());
    let other = backend("https:n:9100").unwrap();
    assert_eq!((other.port, other.security), (9100, Security::Unverified));
    assert_eq!(other.reach, Reach::Routable);
}

#[test]
fn a_place_has_two_halves() {
    let prefix = "/api/v1/namespaces/a/pods/b/proxy";
    for (behind, rest) in [
        ("", ""),
        ("/", ""),
        ("/x", "x"),
        ("/x/", "x/"),
        ("/x//y", "x//y"),
        ("//x", "/x"),
        ("/proxy", "proxy"),
        ("/a%2Fb//", "a%2Fb/"),
    ] {
        let path = format!("{prefix}{behind}");
        let place = Place::of(&path, rest);
        assert_eq!((place.prefix, place.path.as_str()), (prefix, behind));
    }
}

#[test]
fn locations_stay_within_the_proxy() {
    for (location, expected) in [
        ("/x?y#z", Some("/p/x?y#z")),
        ("http://10.0.0.1:80/x", Some("/p/x")),
        ("https://host", Some("/p/")),
        ("https://host?a", Some("/p/?a")),
        ("/p/x", Some("/p/x")),
        ("/px", Some("/p/px")),
        ("http://elsewhere/x", None),
        ("http://host.elsewhere/x", None),
        ("//elsewhere/x", None),
        ("x", None),
        ("../x", None),
    ] {
        let found = rewritten(location, "/p", &["10.0.0.1:80", "host"]);
        assert_eq!(found.as_deref(), expected, "{location}");
    }
}

#[test]
fn services_have_ports_and_endpoints() {
    let service: Service = view(json!({"spec": {"ports": [
        {"name": "web", "port": 80}, {"port": 81},
    ]}}));
    let name = |asked| {
        let asked = SchemeNamePort::parse("service", asked).unwrap();
        port_name(&service, &asked).map(str::to_owned)
    };
    assert_eq!(name("s:80").unwrap(), "web");
    assert_eq!(name("s:81").unwrap(), "");
    assert_eq!(name("s:other").unwrap(), "other");
    assert_eq!(name("s:82").unwrap_err().code, 503);
    let pod = |name: &str| json!({"kind": "Pod", "name": name});
    let slice: EndpointSlice = view(json!({
        "ports": [{"name": "web", "port": 8080}, {"name": "all", "port": null}],
        "endpoints": [
            {"addresses": ["10.0.0.1"], "targetRef": pod("a")},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}, "targetRef": pod("b")},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": true}},
            {"addresses": ["10.0.0.4"], "conditions": {"ready": true}, "targetRef": pod("d")},
        ],
    }));
    let slices = [slice, view(json!({"ports": [{"port": 1}], "endpoints": []}))];
    let found: Vec<_> = candidates(&slices, "web").into_iter().map(|one| one.pod).collect();
    assert_eq!(found, ["a", "d"]);
    assert!(candidates(&slices, "all").is_empty() && candidates(&slices, "").is_empty());
}
