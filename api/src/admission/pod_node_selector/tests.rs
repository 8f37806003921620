use crate::admission::testing::Ask;
use crate::admission::{PodNodeSelector, PodTolerationRestriction};
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::client::{ClientExt, Key, Reader};
use windlass_core::scheme;

async fn server(annotations: Value) -> Arc<ApiServer> {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let namespace = json!({"metadata": {"name": "ns", "annotations": annotations}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    // From then on the server's cache shows it.
    client.get(&Key::cluster(scheme::NAMESPACES, "ns")).await.unwrap();
    server
}

fn pod(spec: Value) -> Ask {
    Ask::create(scheme::PODS, &json!({"metadata": {"name": "x"}, "spec": spec}))
}

#[tokio::test]
async fn pods_run_where_their_namespace_does() {
    let configuration = json!({"clusterDefaultNodeSelector": "zone=a", "ns": "disk=ssd,env=test"});
    let plugin: PodNodeSelector = serde_json::from_value(configuration).unwrap();
    let own = json!({"scheduler.alpha.kubernetes.io/node-selector": "env = test"});
    let conflict = "pods \"x\" is forbidden: pod node label selector conflicts with its namespace node label selector";
    let whitelist = "pods \"x\" is forbidden: pod node label selector labels conflict with its namespace whitelist";
    let empty = json!({"scheduler.alpha.kubernetes.io/node-selector": ""});
    for (annotations, selector, wanted) in [
        (json!({}), json!({}), Err(whitelist)),
        (empty, json!({"disk": "ssd"}), Ok(json!({"disk": "ssd"}))),
        (own.clone(), json!({"other": "label"}), Err(whitelist)),
        (own.clone(), json!({"disk": "ssd"}), Ok(json!({"disk": "ssd", "env": "test"}))),
        (own.clone(), json!({"env": "live"}), Err(conflict)),
        (own, json!({"disk": "hdd"}), Err(whitelist)),
    ] {
        let server = server(annotations).await;
        let answer = self::pod(json!({"nodeSelector": selector})).of(&plugin, &server).await;
        let found = answer.result.map(|pod| pod["spec"]["nodeSelector"].clone());
        assert_eq!(
            found.map_err(|status| status.message),
            wanted.map_err(str::to_owned),
            "{selector}"
        );
    }
    let plugin: PodNodeSelector =
        serde_json::from_value(json!({"clusterDefaultNodeSelector": "zone=a"})).unwrap();
    let server = server(json!({})).await;
    let pod = pod(json!({})).of(&plugin, &server).await.result.unwrap();
    assert_eq!(pod["spec"]["nodeSelector"], json!({"zone": "a"}));
}

#[tokio::test]
async fn a_namespace_made_just_now_counts() {
    let annotations = json!({
        "scheduler.alpha.kubernetes.io/node-selector": "env=test",
        "scheduler.alpha.kubernetes.io/defaultTolerations": "[{\"key\": \"a\"}]",
    });
    let server = server(annotations).await;
    let ask = pod(json!({})).behind();
    let made = ask.clone().of(&PodNodeSelector::default(), &server).await.result.unwrap();
    assert_eq!(made["spec"]["nodeSelector"], json!({"env": "test"}));
    let made = ask.of(&PodTolerationRestriction::default(), &server).await.result.unwrap();
    assert_eq!(made["spec"]["tolerations"], json!([{"key": "a"}]));
}

#[tokio::test]
async fn pods_tolerate_what_their_namespace_does() {
    let plugin = PodTolerationRestriction::default();
    let annotations = json!({
        "scheduler.alpha.kubernetes.io/defaultTolerations": "[{\"key\": \"a\", \"operator\": \"Exists\"}]",
        "scheduler.alpha.kubernetes.io/tolerationsWhitelist": "[{\"key\": \"a\", \"operator\": \"Exists\"}, {\"key\": \"b\", \"value\": \"1\"}]",
    });
    let server = server(annotations).await;
    let a = json!({"key": "a", "operator": "Exists"});
    let b = |value: &str| json!({"key": "b", "value": value});
    let why = "pods \"x\" is forbidden: pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist";
    for (own, wanted) in [
        (json!([]), Ok(json!([a]))),
        (json!([{"key": "a", "value": "1"}]), Ok(json!([a]))),
        (json!([b("1")]), Ok(json!([b("1"), a]))),
        (json!([b("2")]), Err(why)),
        (json!([{"operator": "Exists"}]), Err(why)),
    ] {
        let answer = pod(json!({"tolerations": own})).of(&plugin, &server).await;
        let found = answer.result.map(|pod| pod["spec"]["tolerations"].clone());
        assert_eq!(found.map_err(|status| status.message), wanted.map_err(str::to_owned), "{own}");
    }
}

#[tokio::test]
async fn pods_with_memory_tolerate_the_want_of_it() {
    let plugin = PodTolerationRestriction::default();
    let server = server(json!({})).await;
    let with = json!({"containers": [{"name": "c", "resources": {"requests": {"memory": "1Gi"}}}]});
    let pressure = json!([{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists",
        "effect": "NoSchedule"}]);
    let whole = json!({"metadata": {"name": "x"}, "spec": with});
    let made = pod(with).of(&plugin, &server).await.result.unwrap();
    assert_eq!(made["spec"]["tolerations"], pressure);
    let update = Ask::update(scheme::PODS, &whole, &whole).of(&plugin, &server).await;
    assert_eq!(update.result.unwrap()["spec"]["tolerations"], pressure);
    let none = pod(json!({"containers": [{"name": "c"}]})).of(&plugin, &server).await;
    assert_eq!(none.result.unwrap()["spec"].get("tolerations"), None);
}
