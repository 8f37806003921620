use super::*;
use serde_json::{Value, json};

fn pod(spec: Value) -> Pod {
    let meta = json!({"name": "p", "namespace": "ns"});
    serde_json::from_value(json!({"metadata": meta, "spec": spec})).expect("a pod")
}

const HOST: &str = "nameserver 1.1.1.1\nsearch lan\noptions edns0\n";

#[test]
fn a_resolver_follows_the_policy() {
    let without = Config::default();
    let with = Config { cluster_dns: "10.96.0.10".parse().ok(), ..Config::default() };
    let own = json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.4.5.6"], "searches": ["s.example"], "options": [{"name": "ndots", "value": "3"}]}});
    let cluster = "search ns.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n";
    let host = "search lan\nnameserver 1.1.1.1\noptions edns0\n";
    for (spec, config, expected) in [
        (json!({}), &with, cluster),
        (json!({"dnsPolicy": "ClusterFirst"}), &without, host),
        (json!({"dnsPolicy": "Default"}), &with, host),
        (json!({"hostNetwork": true}), &with, host),
        (json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"}), &with, cluster),
        (own, &with, "search s.example\nnameserver 10.4.5.6\noptions ndots:3\n"),
    ] {
        assert_eq!(resolv_conf(&pod(spec.clone()), config, HOST), expected, "{spec}");
    }
}

#[test]
fn hosts_name_the_pod_and_its_aliases() {
    let spec = json!({"subdomain": "web", "hostname": "h", "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["far.example", "far"]}]});
    let text =
        hosts(&pod(spec), &Config::default(), &["10.0.0.9".parse().expect("an address")], None);
    assert!(text.contains("10.0.0.9\th.web.ns.svc.cluster.local\th\n"), "{text}");
    assert!(text.contains("10.1.2.3\tfar.example\tfar\n"), "{text}");
}

#[test]
fn a_host_name_is_cut_to_what_fits() {
    let mut long = pod(json!({}));
    long.metadata.name = Some(format!("{}-xyz", "a".repeat(62)));
    assert_eq!(hostname(&long, &Config::default()).0, "a".repeat(62));
}
