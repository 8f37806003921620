use super::Priority;
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

async fn server(classes: &[Value]) -> Arc<ApiServer> {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    for class in classes {
        client.create_from(&Key::cluster(scheme::PRIORITYCLASSES, ""), class).await.unwrap();
    }
    server
}

#[tokio::test]
async fn classes_decide_priorities() {
    let high = json!({"metadata": {"name": "high"}, "value": 9, "preemptionPolicy": "Never"});
    let usual = json!({"metadata": {"name": "usual"}, "value": 3, "globalDefault": true});
    let server = server(&[high, usual.clone()]).await;
    let plugin = Priority;
    let wanted = |name: &str, value: i64, policy: &str| {
        Ok(json!({"priorityClassName": name, "priority": value, "preemptionPolicy": policy}))
    };
    let computed = "must not be provided in pod spec; priority admission controller computed";
    let end = "from the given PriorityClass name";
    let cases = [
        (json!({}), wanted("usual", 3, "PreemptLowerPriority")),
        (json!({"priorityClassName": "high"}), wanted("high", 9, "Never")),
        (json!({"priorityClassName": "high", "priority": 9}), wanted("high", 9, "Never")),
        (
            json!({"priorityClassName": "high", "priority": 8}),
            Err(format!("the integer value of priority (8) {computed} 9 {end}")),
        ),
        (
            json!({"priorityClassName": "high", "preemptionPolicy": "PreemptLowerPriority"}),
            Err(format!(
                "the string value of PreemptionPolicy (PreemptLowerPriority) {computed} Never {end}"
            )),
        ),
        (
            json!({"priorityClassName": "none"}),
            Err("no PriorityClass with name none was found".into()),
        ),
    ];
    for (spec, wanted) in cases {
        let pod = json!({"metadata": {"name": "x"}, "spec": spec});
        let answer = Ask::create(scheme::PODS, &pod).of(&plugin, &server).await;
        let found = answer.result.map(|pod| pod["spec"].clone());
        let words = |why: String| format!("pods \"x\" is forbidden: {why}");
        assert_eq!(found.map_err(|status| status.message), wanted.map_err(words), "{spec}");
    }
    let old = json!({"spec": {"priority": 7, "preemptionPolicy": "Never"}});
    let answer = Ask::update(scheme::PODS, &old, &json!({"spec": {}})).of(&plugin, &server).await;
    assert_eq!(answer.result.unwrap(), old);

    let second = json!({"metadata": {"name": "x"}, "value": 1, "globalDefault": true});
    let answer = Ask::create(scheme::PRIORITYCLASSES, &second).of(&plugin, &server).await;
    let why = "PriorityClass usual is already marked as default. Only one default can exist";
    assert!(answer.refusal().ends_with(why), "{}", answer.refusal());
    let same = Ask::update(scheme::PRIORITYCLASSES, &usual, &usual).named("usual");
    assert_eq!(same.of(&plugin, &server).await.refusal(), "");
}

#[tokio::test]
async fn without_classes_it_is_nothing() {
    let server = server(&[]).await;
    let plugin = Priority;
    let answer = Ask::create(scheme::PODS, &json!({"spec": {}})).of(&plugin, &server).await;
    let wanted = json!({"spec": {"priority": 0, "preemptionPolicy": "PreemptLowerPriority"}});
    assert_eq!(answer.result.unwrap(), wanted);
}
