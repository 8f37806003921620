//! NetworkPolicies against the real kernel, packet by packet.
#![allow(clippy::unwrap_used)]

mod lab;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use lab::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use windlass_core::cache::Entry;
use windlass_core::{Object, View};
use windlass_proxy::backend::nftables::NftablesBackend;
use windlass_proxy::backend::{Backend, Change};
use windlass_proxy::policy::PolicyTracker;

fn entry<V: View>(object: &Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(serde_json::to_vec(object).unwrap().into()).unwrap();
    Arc::new(Entry::new(Arc::new(object)).unwrap())
}

/// A lab whose pods `pod0`, `pod1`… of namespace `ns` bear a label of their name, serve port 8080 (named `web`),
/// and whose Service 10.96.0.10:80 (and node port 30080) leads to pod 0.
struct Cluster {
    lab: Lab,
    tracker: PolicyTracker,
    backend: Option<NftablesBackend>,
}

impl Cluster {
    fn new(test: &str, pods: usize) -> Option<Self> {
        let lab = Lab::new(test, pods)?;
        let mut tracker = PolicyTracker::new("node");
        tracker.namespace_applied(&entry(
            &json!({"metadata": {"name": "ns", "labels": {"of": "us"}}}),
        ));
        for (number, pod) in lab.pods.iter().enumerate() {
            pod.serve(&format!("{}:8080", pod_ip(number)));
            pod.serve(&format!("{}:9090", pod_ip(number)));
            pod.serve(&format!("[{}]:8080", pod_ip6(number)));
            tracker.pod_applied(entry(&json!({
                "metadata": {"namespace": "ns", "name": format!("pod{number}"), "labels": {"pod": format!("pod{number}")}},
                "spec": {"nodeName": "node", "containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]},
                "status": {"phase": "Running", "podIPs": [{"ip": pod_ip(number)}, {"ip": pod_ip6(number)}]}})));
        }
        let mut port = service("web", "10.96.0.10", lab::pods([0]));
        port.node_port = Some(30080);
        let port6 = service("web", "fd96::10", vec![endpoint(&format!("[{}]:8080", pod_ip6(0)))]);
        let backend = lab.apply(lab.synced_backend(), vec![port, port6], Vec::new());
        Some(Self { lab, tracker, backend: Some(backend) })
    }

    fn policy(&mut self, name: &str, spec: &Value) {
        let policy = json!({"metadata": {"namespace": "ns", "name": name}, "spec": spec});
        self.tracker.policy_applied(&entry(&policy));
        self.sync();
    }

    fn delete(&mut self, name: &str) {
        self.tracker.policy_deleted(&windlass_proxy::model::NamespacedName::new("ns", name));
        self.sync();
    }

    fn sync(&mut self) {
        let change = Change { policies: self.tracker.take(), ..Change::default() };
        let mut backend = self.backend.take().unwrap();
        self.backend = Some(self.lab.node.run(move || async move {
            backend.apply(&change).await.unwrap();
            backend
        }));
    }

    fn answers(&self, from: &Namespace, to: &str) -> bool {
        match from.get(to) {
            Ok(_) => true,
            Err(ErrorKind::TimedOut) => false,
            Err(other) => panic!("from {} to {to}: {other}", from.name),
        }
    }
}

fn to(pod: usize, port: u16) -> String {
    format!("{}:{port}", pod_ip(pod))
}

fn only(pod: usize) -> Value {
    json!({"matchLabels": {"pod": format!("pod{pod}")}})
}

#[test]
fn default_deny_of_ingress_leaves_the_node_and_the_pod_itself() {
    let Some(mut cluster) = Cluster::new("deny", 2) else { return };
    let (lab_address, address6) = (to(0, 8080), format!("[{}]:8080", pod_ip6(0)));
    assert!(cluster.answers(&cluster.lab.pods[1], &lab_address));
    assert!(cluster.answers(&cluster.lab.pods[1], &address6));
    cluster.policy("deny", &json!({"podSelector": only(0)}));
    let lab = &cluster.lab;
    assert!(!cluster.answers(&lab.pods[1], &lab_address));
    assert!(!cluster.answers(&lab.pods[1], "10.96.0.10:80"), "nor by its Service");
    assert!(!cluster.answers(&lab.pods[1], &address6), "nor by IPv6");
    assert!(!cluster.answers(&lab.outside, &format!("{NODE_IP}:30080")), "nor by its node port");
    assert!(cluster.answers(&lab.node, &lab_address), "the node probes its pods");
    assert!(cluster.answers(&lab.pods[0], "10.96.0.10:80"), "a pod reaches itself");
    assert!(cluster.answers(&lab.pods[0], &to(1, 8080)), "egress is another direction");
    cluster.delete("deny");
    assert!(cluster.answers(&cluster.lab.pods[1], &lab_address));
}

#[test]
fn egress_is_for_who_may_be_reached() {
    let Some(mut cluster) = Cluster::new("egress", 3) else { return };
    cluster.policy(
        "out",
        &json!({"podSelector": only(0), "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": only(1)}], "ports": [{"port": 8080}]}]}),
    );
    let lab = &cluster.lab;
    assert!(cluster.answers(&lab.pods[0], &to(1, 8080)));
    assert!(!cluster.answers(&lab.pods[0], &to(1, 9090)), "another port");
    assert!(!cluster.answers(&lab.pods[0], &to(2, 8080)), "another pod");
    assert!(cluster.answers(&lab.pods[0], &format!("[{}]:8080", pod_ip6(1))));
    assert!(!cluster.answers(&lab.pods[0], &format!("[{}]:8080", pod_ip6(2))));
    assert!(cluster.answers(&lab.pods[1], &to(0, 8080)), "and its answers");
    // What may leave one pod must be let into the other, too.
    cluster.policy("in", &json!({"podSelector": only(1)}));
    assert!(!cluster.answers(&cluster.lab.pods[0], &to(1, 8080)));
    cluster.policy(
        "in",
        &json!({"podSelector": only(1), "ingress": [{"from": [{"podSelector": only(0)}]}]}),
    );
    assert!(cluster.answers(&cluster.lab.pods[0], &to(1, 8080)));
    assert!(!cluster.answers(&cluster.lab.pods[2], &to(1, 8080)));
}

#[test]
fn blocks_have_exceptions() {
    let Some(mut cluster) = Cluster::new("block", 2) else { return };
    cluster.lab.outside.serve(&format!("{OUTSIDE_IP}:8080"));
    let spec = |except: &str| {
        let block = json!({"ipBlock": {"cidr": "192.168.77.0/24", "except": [except]}});
        json!({"podSelector": only(0), "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [block]}], "egress": [{"to": [block]}]})
    };
    cluster.policy("p", &spec("192.168.77.128/25"));
    let (node_port, outside) = (format!("{NODE_IP}:30080"), format!("{OUTSIDE_IP}:8080"));
    assert!(cluster.answers(&cluster.lab.outside, &node_port), "with the address it came from");
    assert!(cluster.answers(&cluster.lab.pods[0], &outside));
    assert!(!cluster.answers(&cluster.lab.pods[1], &to(0, 8080)));
    cluster.policy("p", &spec("192.168.77.2/32"));
    assert!(!cluster.answers(&cluster.lab.outside, &node_port));
    assert!(!cluster.answers(&cluster.lab.pods[0], &outside));
}

#[test]
fn ports_are_ranges_and_names_of_one_protocol() {
    let Some(mut cluster) = Cluster::new("ports", 2) else { return };
    let spec = |ports: Value| json!({"podSelector": only(0), "ingress": [{"ports": ports}]});
    let udp = |cluster: &Cluster| {
        cluster.lab.pods[1].run(|| async {
            let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
            socket.send_to(b"?", to(0, 8080)).await.unwrap();
            timeout(Duration::from_secs(2), socket.recv(&mut [0; 64])).await.is_ok()
        })
    };
    let tcp = |cluster: &Cluster, port| cluster.answers(&cluster.lab.pods[1], &to(0, port));
    cluster.policy("p", &spec(json!([{"port": 9000, "endPort": 9090}])));
    assert_eq!((tcp(&cluster, 8080), tcp(&cluster, 9090), udp(&cluster)), (false, true, false));
    cluster.policy("p", &spec(json!([{"port": "web"}])));
    assert_eq!((tcp(&cluster, 8080), tcp(&cluster, 9090), udp(&cluster)), (true, false, false));
    cluster.policy("p", &spec(json!([{"protocol": "UDP"}])));
    assert_eq!((tcp(&cluster, 8080), tcp(&cluster, 9090), udp(&cluster)), (false, false, true));
    cluster.policy("p", &spec(json!([{"port": 8080, "protocol": "SCTP"}])));
    assert_eq!((tcp(&cluster, 8080), tcp(&cluster, 9090), udp(&cluster)), (false, false, false));
}

#[test]
fn established_connections_go_on() {
    let Some(mut cluster) = Cluster::new("stay", 2) else { return };
    let listener =
        cluster.lab.pods[0].run(|| async { TcpListener::bind(to(0, 7000)).await.unwrap() });
    let client =
        cluster.lab.pods[1].run(|| async { TcpStream::connect(to(0, 7000)).await.unwrap() });
    let server = cluster.lab.pods[0].run(move || async move { listener.accept().await.unwrap().0 });
    cluster.policy("deny", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    assert!(!cluster.answers(&cluster.lab.pods[1], &to(0, 8080)));
    let (mut client, mut server) = (client, server);
    cluster.lab.pods[1].run(move || async move { client.write_all(b"still here").await.unwrap() });
    let heard = cluster.lab.pods[0].run(move || async move {
        let mut heard = [0; 10];
        timeout(Duration::from_secs(5), server.read_exact(&mut heard)).await.unwrap().unwrap();
        heard
    });
    assert_eq!(&heard, b"still here");
}

#[test]
fn a_full_resync_keeps_them_and_without_the_setting_there_are_none() {
    let Some(mut cluster) = Cluster::new("anew", 2) else { return };
    cluster.policy("deny", &json!({"podSelector": {}}));
    let state = Change { policies: cluster.tracker.snapshot(), ..Change::default() };
    let mut backend = cluster.backend.take().unwrap();
    let of_resync = state.clone();
    cluster.lab.node.run(move || async move { backend.resync(&of_resync).await.unwrap() });
    assert!(!cluster.answers(&cluster.lab.pods[1], &to(0, 8080)));
    let settings = windlass_proxy::backend::nftables::Settings {
        network_policies: false,
        ..windlass_proxy::backend::nftables::Settings::default()
    };
    cluster.lab.node.run(move || async move {
        NftablesBackend::open(&settings).unwrap().resync(&state).await.unwrap();
    });
    assert!(cluster.answers(&cluster.lab.pods[1], &to(0, 8080)));
}
