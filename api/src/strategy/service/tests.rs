use super::ServiceAllocator;
use crate::strategy::allocator::{
    Allocation, Allocator, Companion, OnConflict, PortRange, ServiceConfig,
};
use crate::strategy::{Map, Strategy};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use windlass_core::clock::{Env, Seeded, SystemClock};
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionResource;
use windlass_store::{Op, Precondition};

struct Keys {
    env: Env,
    held: Mutex<BTreeMap<Bytes, Bytes>>,
}

impl Keys {
    fn new() -> Self {
        let (clock, random) =
            (std::sync::Arc::new(SystemClock), std::sync::Arc::new(Seeded::new(7)));
        Self { env: Env { clock, random }, held: Mutex::default() }
    }

    /// Does what a store does with companions.
    fn commit(&self, companions: &[Companion]) {
        let mut held = self.held.lock();
        for companion in companions {
            if let Some(Precondition::Absent(key)) = &companion.precondition {
                assert!(!held.contains_key(key), "{key:?} is taken");
            }
            match &companion.op {
                Op::Put { key, value, .. } => _ = held.insert(key.clone(), value.clone()),
                Op::Delete { key } => assert!(held.remove(key).is_some(), "{key:?} was not taken"),
            }
        }
    }
}

#[async_trait]
impl Allocation for Keys {
    fn object_key(&self, gvr: &GroupVersionResource, _namespace: &str, name: &str) -> Bytes {
        format!("/registry/{}/{name}", gvr.resource).into()
    }

    async fn contains(&self, key: &Bytes) -> Result<bool, Status> {
        Ok(self.held.lock().contains_key(key))
    }

    async fn keys(&self, prefix: &Bytes) -> Result<Vec<Bytes>, Status> {
        Ok(self.held.lock().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    fn env(&self) -> &Env {
        &self.env
    }
}

fn service(name: &str, spec: Value) -> Map {
    let mut object = json!({"metadata": {"namespace": "n", "name": name}, "spec": spec})
        .as_object()
        .cloned()
        .unwrap_or_default();
    super::Service.default(&mut object);
    super::Service.prepare_for_create(&mut object);
    object
}

fn small() -> ServiceAllocator {
    ServiceAllocator::new(&ServiceConfig {
        network: Ipv4Addr::new(10, 0, 0, 0),
        prefix: 29,
        node_ports: PortRange { first: 30000, last: 30002 },
    })
}

async fn create(
    allocator: &ServiceAllocator,
    keys: &Keys,
    name: &str,
    spec: Value,
) -> Result<Map, Status> {
    let mut object = service(name, spec);
    let companions = allocator.allocate(&mut object, None, keys).await?;
    keys.commit(&companions);
    Ok(object)
}

fn text(object: &Map, pointer: &str) -> String {
    let value = Value::Object(object.clone());
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_address_is_given_once_and_given_back() {
    let (allocator, keys) = (small(), Keys::new());
    let mut seen = std::collections::BTreeSet::new();
    let mut last = Map::new();
    for at in 0..6 {
        last = create(&allocator, &keys, &format!("s{at}"), json!({"ports": [{"port": 1}]}))
            .await
            .expect("free");
        assert!(seen.insert(text(&last, "/spec/clusterIP")));
        assert_eq!(last["spec"]["clusterIPs"], json!([last["spec"]["clusterIP"]]));
    }
    assert!(seen.contains("10.0.0.1") && seen.contains("10.0.0.6"), "{seen:?}");
    let full = create(&allocator, &keys, "full", json!({"ports": [{"port": 1}]})).await;
    assert!(full.expect_err("no address is left").message.contains("range is full"));
    keys.commit(&allocator.release(&last, &keys));
    let again = create(&allocator, &keys, "again", json!({"ports": [{"port": 1}]}))
        .await
        .expect("one is free");
    assert_eq!(text(&again, "/spec/clusterIP"), text(&last, "/spec/clusterIP"));
}

#[tokio::test]
async fn an_address_stands_in_the_store_as_an_object() {
    let (allocator, keys) = (small(), Keys::new());
    let object =
        create(&allocator, &keys, "s", json!({"ports": [{"port": 1}]})).await.expect("free");
    let key = Bytes::from(format!("/registry/ipaddresses/{}", text(&object, "/spec/clusterIP")));
    let stored: Value = serde_json::from_slice(&keys.held.lock()[&key]).expect("JSON");
    assert_eq!(stored["kind"], "IPAddress");
    assert_eq!(
        stored["spec"]["parentRef"],
        json!({"resource": "services", "namespace": "n", "name": "s"})
    );
    assert_eq!(
        stored["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"],
        "ipallocator.k8s.io"
    );
}

#[tokio::test]
async fn what_is_asked_for_is_given_or_refused() {
    let (allocator, keys) = (small(), Keys::new());
    let ports = json!([{"port": 1, "nodePort": 30001}]);
    let spec = json!({"type": "NodePort", "clusterIP": "10.0.0.3", "ports": ports});
    let mut object = service("a", spec.clone());
    let companions = allocator.allocate(&mut object, None, &keys).await.expect("free");
    assert!(companions.iter().all(|c| matches!(c.on_conflict, OnConflict::Fail(_))));
    keys.commit(&companions);
    for (spec, words) in [
        (
            json!({"clusterIP": "10.0.0.3", "ports": [{"port": 1}]}),
            "spec.clusterIPs: Invalid value: [\"10.0.0.3\"]: failed to allocate IP 10.0.0.3: provided IP is already allocated",
        ),
        (
            json!({"clusterIP": "203.0.113.9", "ports": [{"port": 1}]}),
            "not in the valid range. The range of valid IPs is 10.0.0.0/29",
        ),
        (
            json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30001}]}),
            "spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
        (
            json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]}),
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range",
        ),
    ] {
        let status = create(&allocator, &keys, "b", spec).await.expect_err(words);
        assert_eq!(status.code, 422);
        assert!(status.message.contains(words), "{}", status.message);
    }
}

#[tokio::test]
async fn an_update_takes_and_gives_back() {
    let (allocator, keys) = (small(), Keys::new());
    let old = create(
        &allocator,
        &keys,
        "s",
        json!({"type": "NodePort", "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}),
    )
    .await
    .expect("free");
    assert_eq!(keys.held.lock().len(), 3);
    let mut same = old.clone();
    assert!(
        allocator.allocate(&mut same, Some(&old), &keys).await.expect("nothing to do").is_empty()
    );
    let mut new = old.clone();
    new["spec"]["ports"] =
        json!([{"port": 1, "name": "a", "nodePort": old["spec"]["ports"][0]["nodePort"]}]);
    keys.commit(&allocator.allocate(&mut new, Some(&old), &keys).await.expect("fewer"));
    assert_eq!(keys.held.lock().len(), 2);
    let gone = service("s", json!({"type": "ExternalName", "externalName": "a.example"}));
    let mut named = gone.clone();
    keys.commit(&allocator.allocate(&mut named, Some(&new), &keys).await.expect("nothing left"));
    assert!(keys.held.lock().is_empty());
}

#[tokio::test]
async fn a_local_balancer_gets_a_health_port() {
    let (allocator, keys) = (small(), Keys::new());
    let spec =
        json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 1}]});
    let object = create(&allocator, &keys, "s", spec).await.expect("free");
    let (health, node) =
        (&object["spec"]["healthCheckNodePort"], &object["spec"]["ports"][0]["nodePort"]);
    assert!(health.is_u64() && node.is_u64() && health != node);
    let headless =
        create(&allocator, &keys, "h", json!({"clusterIP": "None"})).await.expect("no address");
    assert_eq!(text(&headless, "/spec/clusterIP"), "None");
}
