//! Figures of the tracker and the nftables backend on the real kernel, in a namespace of its own:
//! `cargo test --release -p windlass-proxy --test figures -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

mod lab;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::Lab;
use serde_json::json;
use windlass_core::cache::Entry;
use windlass_core::{Object, View};
use windlass_proxy::backend::nftables::NftablesBackend;
use windlass_proxy::backend::{Backend, Change};
use windlass_proxy::config::ChangeTracker;
use windlass_proxy::policy::PolicyTracker;
use windlass_proxy::topology::NodeIdentity;

const CHANGES: usize = 200;

fn entry<V: View>(object: &serde_json::Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(serde_json::to_vec(object).unwrap().into()).unwrap();
    Arc::new(Entry::new(Arc::new(object)).unwrap())
}

fn service(tracker: &mut ChangeTracker, number: usize) {
    let ip = format!("10.{}.{}.{}", 96 + number / 65_536, number / 256 % 256, number % 256);
    tracker.service_applied(entry(
        &json!({"metadata": {"name": format!("service-{number}"), "namespace": "default"},
        "spec": {"clusterIP": ip, "ports": [{"port": 80}]}}),
    ));
}

/// `turn` moves the first endpoint to another address.
fn slice(tracker: &mut ChangeTracker, number: usize, endpoints: usize, turn: usize) {
    let endpoint = |index: usize| {
        let pod = number * endpoints + index;
        let first = if index == 0 { turn % 2 * 60 } else { 0 };
        json!({"addresses": [format!("{}.{}.{}.{}", 20 + first, pod / 65_536, pod / 256 % 256, pod % 256)], "nodeName": "elsewhere",
            "conditions": {"ready": true, "serving": true, "terminating": false}})
    };
    tracker.slice_applied(entry(&json!({"metadata": {"name": format!("service-{number}-x"), "namespace": "default",
        "labels": {"kubernetes.io/service-name": format!("service-{number}")}},
        "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": (0..endpoints).map(endpoint).collect::<Vec<_>>()})));
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn measure(
    mut backend: NftablesBackend,
    services: usize,
    endpoints: usize,
) -> NftablesBackend {
    let before = resident_mib();
    let mut tracker = ChangeTracker::new(NodeIdentity { name: "here".into(), zone: None });
    for number in 0..services {
        service(&mut tracker, number);
        slice(&mut tracker, number, endpoints, 0);
    }
    let start = Instant::now();
    drop(tracker.take());
    let state = Change::to(tracker.snapshot());
    let computed = start.elapsed();
    backend.resync(&state).await.unwrap();
    let synced = start.elapsed();
    drop(state);
    let memory = resident_mib() - before;
    let mut changes: Vec<Duration> = Vec::new();
    for turn in 1..=CHANGES {
        let number = turn * 7919 % services;
        slice(&mut tracker, number, endpoints, turn);
        let start = Instant::now();
        let change = tracker.take();
        backend.apply(&change).await.unwrap();
        changes.push(start.elapsed());
        slice(&mut tracker, number, endpoints, 0);
        let change = tracker.take();
        backend.apply(&change).await.unwrap();
    }
    changes.sort_unstable();
    let (median, p99) = (changes[CHANGES / 2], changes[CHANGES * 99 / 100]);
    println!(
        "{services:>6} services x {endpoints:>2}: first sync {synced:>9.2?} ({computed:.2?} to compute), one endpoint {median:>8.1?} (p99 {p99:.1?}), +{memory} MiB"
    );
    backend.resync(&Change::default()).await.unwrap();
    backend
}

/// `pod` of 10,000 in 100 namespaces, every fortieth on this node.
fn pod(tracker: &mut PolicyTracker, pod: usize, app: usize) {
    let node = if pod.is_multiple_of(40) { "here" } else { "there" };
    tracker.pod_applied(entry(&json!({
        "metadata": {"name": format!("pod-{pod}"), "namespace": format!("ns-{}", pod % 100), "labels": {"app": format!("app-{app}")}},
        "spec": {"nodeName": node, "containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": format!("10.{}.{}.{}", pod / 65_536, pod / 256 % 256, pod % 256)}})));
}

async fn measure_policies(mut backend: NftablesBackend) {
    let mut tracker = PolicyTracker::new("here");
    for namespace in 0..100 {
        let name = format!("ns-{namespace}");
        let team = format!("team-{}", namespace % 10);
        tracker.namespace_applied(&entry(
            &json!({"metadata": {"name": name, "labels": {"team": team}}}),
        ));
        let policy = |policy: &str, spec: serde_json::Value| {
            entry(&json!({"metadata": {"name": policy, "namespace": name}, "spec": spec}))
        };
        tracker.policy_applied(&policy(
            "deny",
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        ));
        tracker.policy_applied(&policy("allow", json!({"podSelector": {"matchLabels": {"app": "app-0"}},
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "team-1"}}}], "ports": [{"port": "web"}]}],
            "egress": [{"to": [{"namespaceSelector": {}}]}]})));
    }
    let pods = 10_000;
    (0..pods).for_each(|number| pod(&mut tracker, number, number % 7));
    let start = Instant::now();
    let policies = tracker.take();
    let (computed, size) = (start.elapsed(), policies.len());
    backend.resync(&Change { policies, ..Change::default() }).await.unwrap();
    let synced = start.elapsed();
    let mut changes: Vec<Duration> = Vec::new();
    for turn in 0..CHANGES {
        pod(&mut tracker, turn * 40, turn % 7 + 1);
        let start = Instant::now();
        let change = Change { policies: tracker.take(), ..Change::default() };
        backend.apply(&change).await.unwrap();
        changes.push(start.elapsed());
    }
    changes.sort_unstable();
    println!(
        "{pods} pods, 250 here, 200 policies: {size} elements and chains in {synced:.2?} ({computed:.2?} to compute), one changed pod {:.2?} (p99 {:.2?})",
        changes[CHANGES / 2],
        changes[CHANGES * 99 / 100]
    );
}

#[test]
#[ignore = "prints figures"]
fn policies() {
    let Some(lab) = Lab::new("polfig", 0) else { return };
    let backend = lab.backend();
    lab.node.run(move || measure_policies(backend));
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    let Some(lab) = Lab::new("figures", 0) else { return };
    let mut backend = lab.backend();
    for (services, endpoints) in [(100, 10), (1_000, 3), (10_000, 10), (30_000, 10)] {
        backend = lab.node.run(move || measure(backend, services, endpoints));
    }
}
