use super::RuntimeClass;
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::json;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

#[tokio::test]
async fn pods_get_what_their_runtime_needs() {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let toleration = json!({"key": "vm", "operator": "Exists"});
    let class = json!({"metadata": {"name": "vm"}, "handler": "vm", "overhead": {"podFixed": {"memory": "64Mi"}},
        "scheduling": {"nodeSelector": {"vm": "yes"}, "tolerations": [toleration]}});
    client.create_from(&Key::cluster(scheme::RUNTIMECLASSES, ""), &class).await.unwrap();
    let whole = json!({"runtimeClassName": "vm", "overhead": {"memory": "64Mi"},
        "nodeSelector": {"vm": "yes"}, "tolerations": [toleration]});
    let cases = [
        (json!({}), Ok(json!({}))),
        (json!({"runtimeClassName": "vm"}), Ok(whole.clone())),
        (whole.clone(), Ok(whole)),
        (json!({"runtimeClassName": "no"}), Err("pod rejected: RuntimeClass \"no\" not found")),
        (
            json!({"runtimeClassName": "vm", "overhead": {"memory": "1Mi"}}),
            Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        ),
        (
            json!({"overhead": {"memory": "1Mi"}}),
            Err(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            ),
        ),
        (
            json!({"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}}),
            Err(
                "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no",
            ),
        ),
    ];
    for (spec, wanted) in cases {
        let pod = json!({"metadata": {"name": "x"}, "spec": spec});
        let answer = Ask::create(scheme::PODS, &pod).of(&RuntimeClass, &server).await;
        let found = answer.result.map(|pod| pod["spec"].clone()).map_err(|status| status.message);
        let wanted = wanted.map_err(|why| format!("pods \"x\" is forbidden: {why}"));
        assert_eq!(found, wanted, "{spec}");
    }
}
