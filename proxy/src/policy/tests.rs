//! Policies as a cluster's users write them, judged by what packets meet.

mod compiled;
mod oracle;
pub(crate) mod property;

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::cache::{Entry, HeaderOnly};
use windlass_core::{Object, View};

use super::*;
use crate::model::{NamespacedName, Protocol};

fn entry<V: View>(object: &Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(serde_json::to_vec(object).unwrap().into()).unwrap();
    Arc::new(Entry::new(Arc::new(object)).unwrap())
}

fn pod_on(node: &str, namespace: &str, name: &str, labels: &Value, ip: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}})
}

/// A tracker on the node `here` and the state that its changes add up to.
struct Node {
    tracker: PolicyTracker,
    state: PolicyState,
}

impl Node {
    /// With the pods `web` (10.0.0.1) and `db` (10.0.0.2) of namespace `a` here, `client` (10.0.0.3) of `b` elsewhere.
    fn new() -> Self {
        let mut node = Self { tracker: PolicyTracker::new("here"), state: PolicyState::default() };
        node.namespace("a", &json!({"team": "one"}));
        node.namespace("b", &json!({"team": "two"}));
        node.pod(&pod_on("here", "a", "web", &json!({"app": "web"}), "10.0.0.1"));
        node.pod(&pod_on("here", "a", "db", &json!({"app": "db"}), "10.0.0.2"));
        node.pod(&pod_on("there", "b", "client", &json!({"app": "client"}), "10.0.0.3"));
        node
    }

    fn namespace(&mut self, name: &str, labels: &Value) {
        let namespace: Arc<Entry<HeaderOnly>> =
            entry(&json!({"metadata": {"name": name, "labels": labels}}));
        self.tracker.namespace_applied(&namespace);
    }

    fn pod(&mut self, pod: &Value) {
        self.tracker.pod_applied(entry(pod));
    }

    fn policy(&mut self, name: &str, spec: &Value) {
        let policy = entry(&json!({"metadata": {"namespace": "a", "name": name}, "spec": spec}));
        self.tracker.policy_applied(&policy);
    }

    fn sync(&mut self) -> PolicyChange {
        let change = self.tracker.take();
        self.state.apply(&change);
        change
    }

    fn allows(&mut self, from: &str, to: &str, port: u16) -> bool {
        self.sync();
        let (source, destination) = (from.parse().unwrap(), to.parse().unwrap());
        self.state.allows(&Packet { source, destination, protocol: Protocol::Tcp, port })
    }
}

const WEB: &str = "10.0.0.1";
const DB: &str = "10.0.0.2";
const CLIENT: &str = "10.0.0.3";
const STRANGER: &str = "192.0.2.1";

#[test]
fn without_policies_everything_passes() {
    let mut node = Node::new();
    assert!(node.sync().is_empty());
    assert!(node.allows(CLIENT, DB, 5432) && node.allows(STRANGER, WEB, 80));
}

#[test]
fn default_deny_isolates_in_both_directions() {
    let mut node = Node::new();
    node.policy("deny", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    assert!(!node.allows(CLIENT, DB, 80) && !node.allows(DB, CLIENT, 80));
    assert!(!node.allows(WEB, DB, 80));
    assert!(node.allows(WEB, WEB, 80), "a pod reaches itself");
    assert!(node.allows(CLIENT, STRANGER, 80), "other nodes look after their own pods");
    node.policy("allow", &json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{}]}));
    assert!(node.allows(CLIENT, DB, 80), "what one policy allows, others can't forbid");
    assert!(!node.allows(WEB, DB, 80), "but the egress of its peer is another thing");
    assert!(!node.allows(CLIENT, WEB, 80));
    node.tracker.policy_deleted(&NamespacedName::new("a", "deny"));
    assert!(node.allows(WEB, DB, 80) && node.allows(CLIENT, WEB, 80));
    node.tracker.policy_deleted(&NamespacedName::new("a", "allow"));
    node.sync();
    assert!(node.state.is_empty(), "{:?}", node.state);
}

#[test]
fn peers_are_pods_namespaces_or_both() {
    let mut node = Node::new();
    let from = |peer: Value| json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [peer]}]});
    node.policy("p", &from(json!({"podSelector": {"matchLabels": {"app": "web"}}})));
    assert!(node.allows(WEB, DB, 80) && !node.allows(CLIENT, DB, 80));
    node.policy("p", &from(json!({"podSelector": {"matchLabels": {"app": "client"}}})));
    assert!(!node.allows(CLIENT, DB, 80), "a pod of another namespace");
    node.policy("p", &from(json!({"namespaceSelector": {"matchLabels": {"team": "two"}}})));
    assert!(node.allows(CLIENT, DB, 80) && !node.allows(WEB, DB, 80));
    let both = json!({"namespaceSelector": {"matchLabels": {"team": "two"}}, "podSelector": {"matchLabels": {"app": "other"}}});
    node.policy("p", &from(both));
    assert!(!node.allows(CLIENT, DB, 80));
    node.policy("p", &from(json!({"namespaceSelector": {}})));
    assert!(
        node.allows(CLIENT, DB, 80) && node.allows(WEB, DB, 80) && !node.allows(STRANGER, DB, 80)
    );
}

#[test]
fn labels_of_pods_and_namespaces_may_change() {
    let mut node = Node::new();
    node.policy(
        "p",
        &json!({"podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "friends"}}}]}]}),
    );
    assert!(!node.allows(CLIENT, DB, 80));
    node.namespace("b", &json!({"team": "friends"}));
    assert!(node.allows(CLIENT, DB, 80));
    node.namespace("b", &json!({"team": "two"}));
    assert!(!node.allows(CLIENT, DB, 80));
    node.pod(&pod_on("here", "a", "db", &json!({"app": "cache"}), DB));
    assert!(node.allows(CLIENT, DB, 80), "the policy selects it no more");
    assert!(node.state.is_empty());
}

#[test]
fn a_pod_that_comes_is_elements_and_no_chain() {
    let mut node = Node::new();
    node.policy(
        "p",
        &json!({"podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}),
    );
    node.sync();
    node.pod(&pod_on("there", "a", "web-2", &json!({"app": "web"}), "10.0.0.9"));
    let change = node.sync();
    assert_eq!((change.add.len(), change.len()), (1, 1), "a peer: {change:?}");
    node.pod(&pod_on("here", "a", "db-2", &json!({"app": "db"}), "10.0.0.8"));
    let change = node.sync();
    assert_eq!((change.add.len(), change.len()), (1, 1), "a selected pod: {change:?}");
    node.pod(&pod_on("there", "b", "x", &json!({"app": "x"}), "10.0.0.7"));
    assert!(node.sync().is_empty(), "nobody asks for it");
    node.pod(&pod_on("here", "a", "db-2", &json!({"app": "db", "version": "2"}), "10.0.0.8"));
    assert!(node.sync().is_empty(), "the same to all policies");
    node.tracker.pod_deleted(&NamespacedName::new("a", "web-2"));
    let change = node.sync();
    assert_eq!((change.delete.len(), change.len()), (1, 1), "{change:?}");
}

#[test]
fn a_pod_that_is_over_or_in_its_nodes_network_has_no_address_of_its_own() {
    let mut node = Node::new();
    node.policy("deny", &json!({"podSelector": {}}));
    assert!(!node.allows(CLIENT, DB, 80));
    let mut over = pod_on("here", "a", "db", &json!({"app": "db"}), DB);
    over["status"]["phase"] = "Succeeded".into();
    node.pod(&over);
    assert!(node.allows(CLIENT, DB, 80), "the address may be another pod's by now");
    let mut host = pod_on("here", "a", "web", &json!({"app": "web"}), WEB);
    host["spec"]["hostNetwork"] = true.into();
    node.pod(&host);
    assert!(node.allows(CLIENT, WEB, 80));
}

#[test]
fn a_named_port_is_what_each_destination_calls_so() {
    let mut node = Node::new();
    let ports = json!([{"port": "web"}]);
    node.policy(
        "in",
        &json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"ports": ports}]}),
    );
    assert!(node.allows(CLIENT, DB, 8080) && !node.allows(CLIENT, DB, 80));
    node.policy(
        "out",
        &json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"],
        "egress": [{"ports": ports}]}),
    );
    let mut client = pod_on("there", "b", "client", &json!({}), CLIENT);
    client["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090.into();
    node.pod(&client);
    assert!(node.allows(WEB, CLIENT, 9090) && !node.allows(WEB, CLIENT, 8080));
    assert!(node.allows(WEB, DB, 8080) && !node.allows(WEB, STRANGER, 8080));
}

#[test]
fn a_policy_without_meaning_is_left_out_and_others_stay() {
    let mut node = Node::new();
    node.policy("deny", &json!({"podSelector": {}}));
    node.policy(
        "odd",
        &json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
    );
    node.policy(
        "wide",
        &json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/99"}}]}]}),
    );
    node.policy(
        "back",
        &json!({"podSelector": {}, "ingress": [{"ports": [{"port": 90, "endPort": 80}]}]}),
    );
    assert!(!node.allows(CLIENT, DB, 85));
    let isolated = node.tracker.isolated();
    assert!(isolated.iter().all(|pod| pod.ingress == ["deny".into()] && pod.egress.is_empty()));
    assert_eq!(isolated.len(), 2);
}

#[test]
fn who_starts_anew_gets_all_that_is_in_force() {
    let mut node = Node::new();
    node.policy("deny", &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    node.policy("allow", &json!({"podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 80, "endPort": 90}]}]}));
    node.sync();
    let mut anew = PolicyState::default();
    anew.apply(&node.tracker.snapshot());
    assert_eq!(anew, node.state);
}
