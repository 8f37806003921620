//! Plans of controllers on data of any size: what benches measure. Each function prepares once and gives back what to
//! run; that tells how much it decided, so that nothing is left out.

use crate::support::owner::uid_of;
use crate::views::{Pod, PodView, ServiceView};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::cache::Entry;
use windlass_core::{Object, View};

fn entry<V: View>(object: &Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(object.to_string().into()).expect("an object");
    Arc::new(Entry::new(Arc::new(object)).expect("a view of it"))
}

fn read<T: serde::de::DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).expect("of its kind")
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::constant(1_800_000_000, 0)
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

/// Pods that are ready, spread over 100 nodes.
fn pods(count: usize) -> Vec<Pod> {
    let one = |n: usize| {
        let ip = format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256);
        let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        entry::<PodView>(&json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("p{n}"), "namespace": "ns", "uid": format!("u{n}"), "labels": {"app": "a"},
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": format!("n{}", n % 100), "containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": ready}}))
    };
    (0..count).map(one).collect()
}

/// A Deployment in the midst of a rolling update, with so many ReplicaSets of old in its history: one step.
pub fn deployment(history: i64) -> impl Fn() -> usize {
    use crate::deployment::{Snapshot, plan};
    let metadata = json!({"name": "web", "namespace": "ns", "uid": "u", "generation": 2});
    let deployment = read(
        json!({"metadata": metadata, "spec": {"replicas": 100, "selector": {"matchLabels": {"app": "a"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}, "template": template("x:new")}}),
    );
    let set = |revision: i64| {
        let (size, image) = match history - revision {
            0 => (60, "x:new".to_owned()),
            1 => (60, "x:old".to_owned()),
            _ => (0, format!("x:{revision}")),
        };
        read(
            json!({"metadata": {"name": format!("web-{revision}"), "namespace": "ns", "uid": format!("s{revision}"), "generation": 1,
                "creationTimestamp": now(), "annotations": {"deployment.kubernetes.io/revision": revision.to_string()}},
            "spec": {"replicas": size, "selector": {}, "template": template(&image)},
            "status": {"replicas": size, "readyReplicas": size, "availableReplicas": size, "observedGeneration": 1}}),
        )
    };
    let snapshot = Snapshot { deployment, sets: (1..=history).map(set).collect(), now: now() };
    move || plan(snapshot.clone()).ops.len()
}

/// A ReplicaSet with so many pods, a tenth too many: which of them go.
pub fn replicaset(count: usize) -> impl Fn() -> usize {
    use crate::replicaset::{Set, scale};
    let set: Set = read(json!({"metadata": {"name": "web", "namespace": "ns", "uid": "u"},
        "spec": {"replicas": count - count / 10, "selector": {"matchLabels": {"app": "a"}}, "template": template("x")}}));
    let pods = pods(count);
    debug_assert_eq!(uid_of(&set.metadata), "u");
    move || scale(&set, &pods).delete.len()
}

/// A Service with so many endpoints of which one is new: what is written.
pub fn endpointslice(count: usize) -> impl Fn() -> usize {
    use crate::endpointslice::{Snapshot, plan};
    let service =
        entry::<ServiceView>(&json!({"metadata": {"name": "svc", "namespace": "ns", "uid": "u"},
        "spec": {"clusterIP": "10.96.0.1", "ipFamilies": ["IPv4"], "selector": {"app": "a"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}}));
    let zones: BTreeMap<String, String> =
        (0..100).map(|n| (format!("n{n}"), format!("z{}", n % 3))).collect();
    let all = pods(count);
    let run = move |pods: Vec<Pod>, slices| {
        let (header, spec) = (service.object.header(), &service.view.spec);
        plan(Snapshot {
            header,
            service: spec,
            pods,
            zones: zones.clone(),
            weights: vec![],
            slices,
        })
    };
    let made =
        run(all[1..].to_vec(), vec![]).into_iter().enumerate().filter_map(|(at, op)| match op {
            crate::support::ops::Op::Create(_, mut slice) => {
                slice["metadata"]["name"] = format!("svc-{at}").into();
                Some(read(slice))
            }
            _ => None,
        });
    let slices: Vec<_> = made.collect();
    move || run(all.clone(), slices.clone()).len()
}
