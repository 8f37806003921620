use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::json;
use windlass_core::client::{
    DeleteOptions, Patch, Reader, WatchStream, Watcher, WriteOptions, Writer,
};
use windlass_core::request::{key_path, scope_path};
use windlass_core::{Error, Object, ObjectList, Result as Answer};

/// Answers everything with one document, and remembers what was asked.
struct Said(serde_json::Value, Mutex<Vec<String>>);

#[async_trait]
impl Reader for Said {
    async fn get(&self, key: &Key) -> Answer<Arc<Object>> {
        self.1.lock().push(key_path(key));
        Object::from_wire(self.0.to_string().into()).map(Arc::new)
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Answer<ObjectList> {
        self.1.lock().push(with_query(&scope_path(scope), &options.to_query()));
        ObjectList::from_wire(&self.0.to_string().into())
    }
}

#[async_trait]
impl Watcher for Said {
    async fn watch(&self, _: &Scope, _: &ListOptions) -> Answer<WatchStream> {
        Err(Error::decode("watch", "metrics have none"))
    }
}

#[async_trait]
impl Writer for Said {
    async fn create(&self, _: &Key, _: Bytes, _: &WriteOptions) -> Answer<Arc<Object>> {
        Err(Error::decode("write", "metrics are read"))
    }
    async fn update(&self, _: &Key, _: Bytes, _: &WriteOptions) -> Answer<Arc<Object>> {
        Err(Error::decode("write", "metrics are read"))
    }
    async fn patch(&self, _: &Key, _: Patch, _: &WriteOptions) -> Answer<Arc<Object>> {
        Err(Error::decode("write", "metrics are read"))
    }
    async fn delete(&self, _: &Key, _: &DeleteOptions) -> Answer<Option<Arc<Object>>> {
        Err(Error::decode("write", "metrics are read"))
    }
    async fn delete_collection(&self, _: &Scope, _: &ListOptions, _: &DeleteOptions) -> Answer<()> {
        Err(Error::decode("write", "metrics are read"))
    }
}

async fn ask(
    answer: serde_json::Value,
    spec: serde_json::Value,
) -> (Result<Reading, String>, String) {
    let said = Arc::new(Said(answer, Mutex::default()));
    let spec: MetricSpec = serde_json::from_value(spec).unwrap();
    let reading = Metrics(said.clone()).read(&spec, "ns", "app=a").await;
    let asked = said.1.lock().join(" ");
    (reading, asked)
}

#[tokio::test]
async fn each_kind_of_metric_has_its_path() {
    let usage = |cpu: &str| json!({"name": "c", "usage": {"cpu": cpu, "memory": "1Mi"}});
    let pod = json!({"metadata": {"name": "p"}, "timestamp": "2026-01-01T00:00:00Z", "window": "30s",
        "containers": [usage("150m"), {"name": "d", "usage": {"cpu": "50m"}}]});
    let pods = json!({"metadata": {}, "items": [pod]});
    let values = json!({"metadata": {}, "items": [{"describedObject": {"name": "p"}, "timestamp": "2026-01-01T00:00:00Z", "value": "7"}]});
    let two = json!({"metadata": {}, "items": [{"value": "7"}, {"value": "500m"}]});
    let target = json!({"type": "Value", "value": "1"});
    let metric = json!({"name": "requests", "selector": {"matchLabels": {"verb": "GET"}}});
    let cases = [
        (
            &pods,
            json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}),
            "/apis/metrics.k8s.io/v1beta1/namespaces/ns/pods?labelSelector=app%3Da",
            200,
        ),
        (
            &pods,
            json!({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "d", "target": target}}),
            "/apis/metrics.k8s.io/v1beta1/namespaces/ns/pods?labelSelector=app%3Da",
            50,
        ),
        (
            &values,
            json!({"type": "Pods", "pods": {"metric": metric, "target": target}}),
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/ns/pods/%2A/requests?labelSelector=app%3Da&metricLabelSelector=verb%3DGET",
            7000,
        ),
        (
            &values,
            json!({"type": "Object", "object": {"metric": metric, "target": target, "describedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "i"}}}),
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/ns/ingresses.networking.k8s.io/i/requests?metricLabelSelector=verb%3DGET",
            7000,
        ),
        (
            &two,
            json!({"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}),
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/ns/queue",
            7500,
        ),
    ];
    for (answer, spec, path, wanted) in cases {
        let (reading, asked) = ask(answer.clone(), spec.clone()).await;
        assert_eq!(asked, path);
        let found = match reading.unwrap() {
            Reading::Pods(samples) => samples["p"].milli,
            Reading::Value(value) => value,
        };
        assert_eq!(found, wanted, "{spec}");
    }
    let nothing = json!({"metadata": {}, "items": []});
    let spec = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    assert_eq!(
        ask(nothing, spec).await.0.unwrap_err(),
        "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    );
}

#[tokio::test]
async fn names_of_metrics_lead_nowhere_else() {
    let metric = |name: &str| json!({"metric": {"name": name}, "target": {"type": "Value"}});
    let of_pods = |name: &str| json!({"type": "Pods", "pods": metric(name)});
    let external = |name: &str| json!({"type": "External", "external": metric(name)});
    for spec in [of_pods("../../secrets/x?watch=true#"), external("../../secrets/x?watch=true#")] {
        let (_, asked) = ask(json!({"metadata": {}}), spec).await;
        let tail = asked.rsplit('/').next().unwrap();
        assert!(tail.starts_with("..%2F..%2Fsecrets%2Fx%3Fwatch%3Dtrue%23"), "{asked}");
    }
    for spec in [of_pods(".."), external("..")] {
        let (reading, asked) = ask(json!({"metadata": {}}), spec).await;
        assert!(reading.is_err() && asked.is_empty(), "{asked}");
    }
    let object = json!({"type": "Object", "object": {"metric": {"name": "m"}, "target": {"type": "Value"},
        "describedObject": {"kind": "a/../b", "name": "..", "apiVersion": "v1"}}});
    let (reading, asked) = ask(json!({"metadata": {}}), object).await;
    assert!(reading.is_err() && asked.is_empty(), "{asked}");
}
