use super::{LimitedResource, ResourceQuota};
use crate::admission::resource_quota::asked::Asked;
use crate::admission::resource_quota::plan::{Quota, decide};
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::client::{
    ClientExt, DeleteOptions, Key, ListOptions, Patch, PatchType, Reader, Scope, WriteOptions,
    Writer,
};
use windlass_core::meta::Reason;
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_core::{Error, Object};

/// A quota of which so much is used.
fn quota(name: &str, spec: Value, hard: Value, used: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name},
        "spec": spec, "status": {"hard": hard, "used": used}})
}

async fn server() -> Arc<ApiServer> {
    ApiServer::builder().admission(Arc::new(ResourceQuota::default())).build().await.unwrap()
}

/// Which changes a write leads to, or why it may not be.
async fn asked(
    quotas: &[Value],
    limited: &[LimitedResource],
    resource: &GroupVersionResource,
    object: Value,
    old: Option<Value>,
) -> Result<Value, String> {
    let ask = match &old {
        Some(old) => Ask::update(resource.clone(), old, &object),
        None => Ask::create(resource.clone(), &object),
    };
    let asked = ask.with(&*server().await, async |request| Asked::of(request).unwrap()).await;
    let read = |quota: &Value| {
        let object = Object::from_wire(quota.to_string().into()).unwrap();
        (object.name().to_owned(), Quota::of(&object).unwrap())
    };
    let (names, quotas): (Vec<_>, Vec<_>) = quotas.iter().map(read).unzip();
    let charged = decide(&quotas, &asked, limited)?;
    let used = |used: &BTreeMap<String, windlass_core::quota::Amount>| {
        let one = |(name, amount): (&String, &windlass_core::quota::Amount)| {
            (name.clone(), Value::from(amount.to_string()))
        };
        Value::Object(used.iter().map(one).collect())
    };
    Ok(charged.iter().map(|(at, all)| (names[*at].clone(), used(all))).collect())
}

fn pod(requests: Value) -> Value {
    json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}})
}

#[tokio::test]
async fn what_pods_use_is_charged_or_refused() {
    let hard = json!({"pods": "1", "requests.cpu": "1", "configmaps": "3", "count/pods": "9"});
    let free = json!({"pods": "0", "requests.cpu": "100m", "configmaps": "1", "count/pods": "0"});
    let full = json!({"pods": "1", "requests.cpu": "600m", "configmaps": "1", "count/pods": "1"});
    let all = |used: &Value| quota("q", json!({}), hard.clone(), used.clone());
    let scoped = |scope: &str, used: Value| {
        quota("s", json!({"scopes": [scope]}), json!({"pods": "1"}), used)
    };
    let one = || pod(json!({"cpu": "600m"}));
    let refused = |why: &str| Err(why.to_owned());
    let cases = [
        (vec![], one(), Ok(json!({}))),
        (vec![quota("new", json!({}), json!({}), json!({}))], one(), Ok(json!({}))),
        (
            vec![all(&free)],
            one(),
            Ok(json!({"q": {"pods": "1", "requests.cpu": "700m", "count/pods": "1"}})),
        ),
        (
            vec![all(&full)],
            one(),
            refused(
                "exceeded quota: q, requested: pods=1,requests.cpu=600m, used: pods=1,requests.cpu=600m, limited: pods=1,requests.cpu=1",
            ),
        ),
        (
            vec![all(&free)],
            pod(json!({})),
            refused("failed quota: q: must specify requests.cpu for: c"),
        ),
        (
            vec![all(&json!({"pods": "0"}))],
            one(),
            refused("status unknown for quota: q, resources: count/pods,pods,requests.cpu"),
        ),
        (vec![scoped("BestEffort", json!({"pods": "1"}))], one(), Ok(json!({}))),
        (
            vec![scoped("BestEffort", json!({"pods": "0"}))],
            pod(json!({})),
            Ok(json!({"s": {"pods": "1"}})),
        ),
        (
            vec![scoped("NotBestEffort", json!({"pods": "0"})), all(&free)],
            one(),
            Ok(json!({"s": {"pods": "1"},
                "q": {"pods": "1", "requests.cpu": "700m", "count/pods": "1"}})),
        ),
        (
            vec![all(&free)],
            pod(json!({"cpu": "-1"})),
            refused("quota usage is negative for resource(s): cpu,requests.cpu"),
        ),
    ];
    for (quotas, pod, wanted) in cases {
        let found = asked(&quotas, &[], &scheme::PODS, pod.clone(), None).await;
        assert_eq!(found, wanted, "{pod} {quotas:?}");
    }
}

#[tokio::test]
async fn changes_are_charged_for_what_they_add() {
    let service = |kind: &str| json!({"metadata": {"name": "x"}, "spec": {"type": kind, "ports": [{"port": 1}]}});
    let claim = |size: &str| {
        json!({"metadata": {"name": "x"},
            "spec": {"storageClassName": "gold", "resources": {"requests": {"storage": size}}}})
    };
    let nodeports = quota(
        "q",
        json!({}),
        json!({"services.nodeports": "0"}),
        json!({"services.nodeports": "0"}),
    );
    let gold = "gold.storageclass.storage.k8s.io/requests.storage";
    let storage = quota(
        "q",
        json!({}),
        json!({"requests.storage": "3Gi", gold: "9Gi"}),
        json!({"requests.storage": "1Gi", gold: "1Gi"}),
    );
    let why = |asked: &str, used: &str, hard: &str| {
        Err(format!("exceeded quota: q, requested: {asked}, used: {used}, limited: {hard}"))
    };
    let (one, zero) = ("services.nodeports=1", "services.nodeports=0");
    let cases = [
        (&nodeports, &scheme::SERVICES, service("NodePort"), None, why(one, zero, zero)),
        (&nodeports, &scheme::SERVICES, service("ClusterIP"), None, Ok(json!({}))),
        (
            &nodeports,
            &scheme::SERVICES,
            service("NodePort"),
            Some(service("ClusterIP")),
            why(one, zero, zero),
        ),
        (
            &nodeports,
            &scheme::SERVICES,
            service("NodePort"),
            Some(service("NodePort")),
            Ok(json!({})),
        ),
        (
            &storage,
            &scheme::PERSISTENTVOLUMECLAIMS,
            claim("2Gi"),
            Some(claim("1Gi")),
            Ok(json!({"q": {"requests.storage": "2Gi", gold: "2Gi"}})),
        ),
        (
            &storage,
            &scheme::PERSISTENTVOLUMECLAIMS,
            claim("3Gi"),
            None,
            why("requests.storage=3Gi", "requests.storage=1Gi", "requests.storage=3Gi"),
        ),
        (
            &storage,
            &scheme::PERSISTENTVOLUMECLAIMS,
            claim("1Gi"),
            Some(claim("2Gi")),
            Ok(json!({})),
        ),
    ];
    for (quota, resource, object, old, wanted) in cases {
        let found =
            asked(std::slice::from_ref(quota), &[], resource, object.clone(), old.clone()).await;
        assert_eq!(found, wanted, "{object} {old:?}");
    }
}

#[tokio::test]
async fn what_is_limited_needs_a_quota() {
    let limited = |value: Value| -> Vec<LimitedResource> { serde_json::from_value(value).unwrap() };
    let cpu = limited(json!([{"resource": "pods", "matchContains": ["requests.cpu"]}]));
    let class = json!({"scopeName": "PriorityClass", "operator": "In", "values": ["high"]});
    let high = limited(json!([{"resource": "pods", "matchScopes": [class]}]));
    let mut important = pod(json!({"cpu": "1"}));
    important["spec"]["priorityClassName"] = json!("high");
    let (pods, requests) = (json!({"pods": "9"}), json!({"requests.cpu": "9"}));
    let selector = json!({"scopeSelector": {"matchExpressions": [class]}});
    let of = |spec: Value, hard: &Value| {
        let used = hard.as_object().unwrap().keys().map(|name| (name.clone(), json!("0")));
        vec![quota("q", spec, hard.clone(), used.collect())]
    };
    let no_cpu = Some("insufficient quota to consume: requests.cpu");
    let no_scope = Some("insufficient quota to match these scopes: [{PriorityClass In [high]}]");
    let cases = [
        (of(json!({}), &pods), &cpu, pod(json!({"cpu": "1"})), no_cpu),
        (of(json!({}), &requests), &cpu, pod(json!({"cpu": "1"})), None),
        (vec![], &cpu, pod(json!({"memory": "1"})), None),
        (of(json!({}), &pods), &high, important.clone(), no_scope),
        (of(selector, &pods), &high, important, None),
        (vec![], &high, pod(json!({"cpu": "1"})), None),
    ];
    for (quotas, limited, pod, wanted) in cases {
        let found = asked(&quotas, limited, &scheme::PODS, pod.clone(), None).await;
        assert_eq!(found.err().as_deref(), wanted, "{pod} {quotas:?}");
    }
}

#[tokio::test]
async fn claims_are_charged_by_class() {
    let class = json!({"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["gold"]});
    let scoped = json!({"scopeSelector": {"matchExpressions": [class]}});
    let one = json!({"persistentvolumeclaims": "1"});
    let gold = quota("gold", scoped, one.clone(), one);
    let claim = |class: &str| json!({"metadata": {"name": "x"}, "spec": {"volumeAttributesClassName": class}});
    let claims = &scheme::PERSISTENTVOLUMECLAIMS;
    let ask = async |quotas: &[Value], limited: &[LimitedResource], class: &str| {
        asked(quotas, limited, claims, claim(class), None).await
    };
    let over = "exceeded quota: gold, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=1, limited: persistentvolumeclaims=1";
    assert_eq!(ask(std::slice::from_ref(&gold), &[], "gold").await, Err(over.into()));
    assert_eq!(ask(std::slice::from_ref(&gold), &[], "tin").await, Ok(json!({})));
    let change = async |from: &str| {
        asked(std::slice::from_ref(&gold), &[], claims, claim("gold"), Some(claim(from))).await
    };
    assert_eq!(change("gold").await, Ok(json!({})));
    assert_eq!(change("tin").await, Err(over.into()), "it comes into the class");
    let limited = json!([{"resource": "persistentvolumeclaims", "matchScopes": [class]}]);
    let limited: Vec<LimitedResource> = serde_json::from_value(limited).unwrap();
    let missing =
        "insufficient quota to match these scopes: [{VolumeAttributesClass In [gold]}]".to_owned();
    assert_eq!(ask(&[], &limited, "gold").await, Err(missing));
    assert_eq!(ask(&[], &limited, "tin").await, Ok(json!({})));
}

#[tokio::test]
async fn devices_are_charged_by_class() {
    let gpus = "gpu.deviceclass.resource.k8s.io/devices";
    let quota = quota("q", json!({}), json!({gpus: "2"}), json!({gpus: "1"}));
    let ask = async |count: usize| {
        let request = json!({"name": "r", "exactly": {"deviceClassName": "gpu", "count": count}});
        let spec = json!({"devices": {"requests": [request]}});
        let claim = json!({"metadata": {"name": "x"}, "spec": spec});
        asked(std::slice::from_ref(&quota), &[], &scheme::RESOURCECLAIMS, claim, None).await
    };
    assert_eq!(ask(1).await, Ok(json!({"q": {gpus: "2"}})));
    let over = format!("exceeded quota: q, requested: {gpus}=2, used: {gpus}=1, limited: {gpus}=2");
    assert_eq!(ask(2).await, Err(over));
}

/// A server with a namespace whose quota lets so many objects be.
async fn with_quota(hard: Value) -> LocalClient {
    let client = LocalClient::new(server().await, User::admin());
    let namespace = json!({"metadata": {"name": "ns"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    let used = hard.as_object().unwrap().keys().map(|name| (name.clone(), json!("0"))).collect();
    let quota = quota("q", json!({"hard": hard}), hard, used);
    client.create_from(&Key::new(scheme::RESOURCEQUOTAS, "ns", ""), &quota).await.unwrap();
    let status = Key::new(scheme::RESOURCEQUOTAS, "ns", "q").subresource("status");
    client.update_from(&status, &quota).await.unwrap();
    // A newest read: from then on the server's cache shows the quota.
    let scope = Scope::namespace(scheme::RESOURCEQUOTAS, "ns");
    client.list(&scope, &ListOptions::default()).await.unwrap();
    client
}

async fn used(client: &LocalClient) -> Value {
    let quota: Value = client.get_as(&Key::new(scheme::RESOURCEQUOTAS, "ns", "q")).await.unwrap();
    quota["status"]["used"].clone()
}

fn reason(error: &Error) -> Option<Reason> {
    match error {
        Error::Status(status) => Some(status.reason.clone()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_never_overshoot() {
    let client = with_quota(json!({"configmaps": "40"})).await;
    let write = |writer: usize| {
        let client = client.clone();
        tokio::spawn(async move {
            let maps = Key::new(scheme::CONFIGMAPS, "ns", "");
            let map = |name: String| json!({"metadata": {"name": name}});
            let mut made = 0;
            for turn in 0..2 {
                match client.create_from(&maps, &map(format!("m-{writer}-{turn}"))).await {
                    Ok(_) => made += 1,
                    Err(error) => assert_eq!(reason(&error), Some(Reason::Forbidden), "{error}"),
                }
            }
            made
        })
    };
    let writers: Vec<_> = (0..64).map(write).collect();
    let mut made = 0;
    for writer in writers {
        made += writer.await.unwrap();
    }
    let scope = Scope::namespace(scheme::CONFIGMAPS, "ns");
    let there = client.list(&scope, &Default::default()).await.unwrap().items.len();
    assert_eq!((made, there), (40, 40));
    assert_eq!(used(&client).await, json!({"configmaps": "40"}));
}

#[tokio::test]
async fn what_is_about_to_go_does_not_grow_for_nothing() {
    let client = with_quota(json!({"services.nodeports": "0"})).await;
    let service = json!({"metadata": {"name": "s", "finalizers": ["example.com/x"]},
        "spec": {"ports": [{"port": 80}]}});
    client.create_from(&Key::new(scheme::SERVICES, "ns", ""), &service).await.unwrap();
    let key = Key::new(scheme::SERVICES, "ns", "s");
    client.delete(&key, &DeleteOptions::default()).await.unwrap();
    let change = async |change: Value| {
        let patch = Patch { kind: PatchType::Merge, body: change.to_string().into() };
        client.patch(&key, patch, &WriteOptions::default()).await
    };
    let refused = change(json!({"spec": {"type": "NodePort"}})).await.expect_err("over the quota");
    assert_eq!(reason(&refused), Some(Reason::Forbidden), "{refused}");
    change(json!({"metadata": {"finalizers": null}})).await.expect("it goes");
}

#[tokio::test]
async fn a_write_that_fails_has_paid_nothing() {
    let client = with_quota(json!({"configmaps": "2"})).await;
    let maps = Key::new(scheme::CONFIGMAPS, "ns", "");
    let map = json!({"metadata": {"name": "m"}});
    client.create_from(&maps, &map).await.unwrap();
    let again = client.create_from(&maps, &map).await.unwrap_err();
    assert_eq!(reason(&again), Some(Reason::AlreadyExists));
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let other = json!({"metadata": {"name": "other"}});
    client.create(&maps, other.to_string().into(), &dry).await.unwrap();
    assert_eq!(used(&client).await, json!({"configmaps": "1"}));

    client.create_from(&maps, &other).await.unwrap();
    let third = json!({"metadata": {"name": "third"}});
    let dry = client.create(&maps, third.to_string().into(), &dry).await.unwrap_err();
    assert_eq!(reason(&dry), Some(Reason::Forbidden));
    let words = "configmaps \"third\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2";
    assert!(dry.to_string().contains(words), "{dry}");
}
