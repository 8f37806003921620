//! The pipeline with plugins and companions of the tests' own.

mod events;

use crate::admission::{Admission, AdmissionRequest, Operation};
use crate::authentication::User;
use crate::handler::{Action, Content, Request};
use crate::registry::Body;
use crate::server::ApiServer;
use crate::strategy::Map;
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::client::{DeleteOptions, ListOptions, WriteOptions};
use windlass_core::meta::{Reason, Status};
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{self, GroupVersionKind, GroupVersionResource};
use windlass_core::{Object, ObjectList};

fn target(resource: GroupVersionResource, namespace: &str, name: &str) -> ResourceTarget {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (namespace, name) = (some(namespace), some(name));
    ResourceTarget { resource, namespace, name, subresource: None, rest: String::new() }
}

async fn ask(
    server: &ApiServer,
    target: ResourceTarget,
    action: Action,
) -> Result<Content, Status> {
    let request = Request { user: User::admin(), target, action };
    server.handle(request).await.map(|answer| answer.content)
}

async fn create(
    server: &ApiServer,
    resource: GroupVersionResource,
    namespace: &str,
    object: Value,
) -> Result<Arc<Object>, Status> {
    let body = Body::json(object.to_string().into());
    let action = Action::Create(body, WriteOptions::default());
    match ask(server, target(resource, namespace, ""), action).await? {
        Content::Object(object) => Ok(object),
        _ => panic!("an object"),
    }
}

async fn list(server: &ApiServer, resource: GroupVersionResource) -> ObjectList {
    let all = target(resource, "", "");
    match ask(server, all, Action::List(ListOptions::default())).await {
        Ok(Content::List(list)) => list,
        _ => panic!("a list"),
    }
}

async fn with_default(server: &ApiServer) {
    let namespace = json!({"metadata": {"name": "default"}});
    create(server, scheme::NAMESPACES, "", namespace).await.expect("it is new");
}

/// Marks what is made, refuses `refused`, and notes what it was asked.
#[derive(Default)]
struct Marking {
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Admission for Marking {
    fn handles(&self, _: Operation, resource: &GroupVersionResource) -> bool {
        *resource == scheme::CONFIGMAPS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let (word, name) = (request.operation.as_str(), request.name);
        self.asked.lock().push(format!("{word} {name} by {}", request.user.name));
        if let Some(object) = &mut request.object {
            object.insert("data".into(), json!({"marked": "yes"}));
        }
        Ok(())
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        request.warnings.push("seen".into());
        match request.name {
            "refused" => Err(Status::forbidden("", "configmaps", "refused", "it is refused")),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn admission_changes_and_refuses() {
    let marking = Arc::new(Marking::default());
    let server = ApiServer::builder().admission(marking.clone()).build().await.expect("a server");
    with_default(&server).await;
    let named = |name: &str| json!({"metadata": {"name": name}});
    let made = create(&server, scheme::CONFIGMAPS, "default", named("a")).await.expect("admitted");
    let view: Value = made.view().expect("JSON");
    assert_eq!(view["data"]["marked"], "yes");
    let refused = create(&server, scheme::CONFIGMAPS, "default", named("refused")).await;
    assert_eq!(refused.expect_err("refused").reason, Reason::Forbidden);
    let one = target(scheme::CONFIGMAPS, "default", "a");
    ask(&server, one, Action::Delete(DeleteOptions::default())).await.map(drop).expect("it goes");
    let expected =
        ["CREATE a by system:admin", "CREATE refused by system:admin", "DELETE a by system:admin"];
    assert_eq!(*marking.asked.lock(), expected);
}

#[tokio::test]
async fn services_get_addresses_that_are_theirs_alone() {
    let server = ApiServer::builder().build().await.expect("a server");
    with_default(&server).await;
    let service = |name: &str| json!({"metadata": {"name": name}, "spec": {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let spec = |object: &Object| object.view::<Value>().expect("JSON")["spec"].clone();
    let a = create(&server, scheme::SERVICES, "default", service("a")).await.expect("it is new");
    let b = create(&server, scheme::SERVICES, "default", service("b")).await.expect("it is new");
    let (a, b) = (spec(&a), spec(&b));
    assert!(a["clusterIP"].as_str().is_some_and(|ip| ip.starts_with("10.96.")), "{a}");
    assert_ne!(a["clusterIP"], b["clusterIP"]);
    assert_ne!(a["ports"][0]["nodePort"], b["ports"][0]["nodePort"]);
    assert_eq!(list(&server, scheme::IPADDRESSES).await.items.len(), 2);
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let body = Body::json(service("dry").to_string().into());
    let all = target(scheme::SERVICES, "default", "");
    match ask(&server, all, Action::Create(body, dry)).await {
        Ok(Content::Object(shown)) => assert!(spec(&shown)["clusterIP"].is_string()),
        _ => panic!("an object"),
    }
    assert_eq!(list(&server, scheme::IPADDRESSES).await.items.len(), 2);
    let mut same = service("c");
    same["spec"]["clusterIP"] = a["clusterIP"].clone();
    let taken = create(&server, scheme::SERVICES, "default", same.clone()).await;
    assert_eq!(taken.expect_err("it is taken").reason, Reason::Invalid);
    let one = target(scheme::SERVICES, "default", "a");
    ask(&server, one, Action::Delete(DeleteOptions::default())).await.map(drop).expect("it goes");
    assert_eq!(list(&server, scheme::IPADDRESSES).await.items.len(), 1);
    create(&server, scheme::SERVICES, "default", same).await.expect("it is free again");
}

#[tokio::test]
async fn only_chosen_resources_are_served() {
    let maps = scheme::Scheme::builtin().by_gvr(&scheme::CONFIGMAPS).expect("built in").clone();
    let server = ApiServer::builder().resources([maps]).build().await.expect("a server");
    // No namespaces here: any will do.
    let made = create(&server, scheme::CONFIGMAPS, "x", json!({"metadata": {"name": "a"}})).await;
    assert_eq!(made.expect("it is new").namespace(), "x");
    let other = create(&server, scheme::SECRETS, "x", json!({"metadata": {"name": "a"}})).await;
    assert_eq!(other.expect_err("it is not served").reason, Reason::NotFound);
}

#[test]
fn autoscalers_keep_everything_in_both_versions() {
    let kind = |version| GroupVersionKind::new("autoscaling", version, "HorizontalPodAutoscaler");
    let conversion = <dyn super::Conversion>::between(&kind("v1"), &kind("v2")).expect("it is one");
    let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "Value", "value": "1Gi"}}});
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}});
    let stored = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "annotations": {}}, "spec": {"maxReplicas": 3, "metrics": [cpu, memory]}});
    let Value::Object(mut stored) = stored else { panic!("an object") };
    stored["spec"]["behavior"] = json!({"scaleDown": {"stabilizationWindowSeconds": 5}});
    let current = |name: &str| json!({"type": "Resource", "resource": {"name": name, "current": {"averageUtilization": 9}}});
    let condition = json!({"type": "AbleToScale", "status": "True"});
    let status =
        json!({"conditions": [condition], "currentMetrics": [current("memory"), current("cpu")]});
    stored.insert("status".into(), status);
    let mut map: Map = stored.clone();
    conversion.served_map(&kind("v1"), &mut map);
    assert_eq!(map["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}));
    assert_eq!(map["status"], json!({"currentCPUUtilizationPercentage": 9}));
    let mut spoiled = map.clone();
    conversion.stored_map(&kind("v2"), &mut map);
    assert_eq!(Value::from(map), Value::from(stored));

    let behavior = "autoscaling.alpha.kubernetes.io/behavior";
    spoiled["metadata"]["annotations"][behavior] = r#"{"scaleDown": 5}"#.into();
    conversion.stored_map(&kind("v2"), &mut spoiled);
    assert!(spoiled["spec"].get("behavior").is_none(), "it would not be one");
}

/// Sends every object elsewhere.
struct Mover;

#[async_trait]
impl Admission for Mover {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::CONFIGMAPS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let object = request.object.as_mut().expect("it is made");
        object["metadata"]["namespace"] = "elsewhere".into();
        Ok(())
    }
}

#[tokio::test]
async fn a_mutation_moves_nothing() {
    let server = ApiServer::builder().admission(Arc::new(Mover)).build().await.expect("a server");
    with_default(&server).await;
    let map = json!({"metadata": {"name": "a"}});
    let refused = create(&server, scheme::CONFIGMAPS, "default", map).await.expect_err("refused");
    assert_eq!(refused.reason, Reason::BadRequest);
    assert!(refused.message.contains("does not match the namespace"), "{}", refused.message);
    assert!(list(&server, scheme::CONFIGMAPS).await.items.is_empty());
}
