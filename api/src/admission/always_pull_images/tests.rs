use super::AlwaysPullImages;
use crate::admission::testing::Ask;
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_core::scheme::PODS;

fn pod(labels: Value, image: &str) -> Value {
    json!({"metadata": {"name": "x", "labels": labels},
        "spec": {"containers": [{"name": "c", "image": image, "imagePullPolicy": "IfNotPresent"}],
            "volumes": [{"name": "v", "image": {"reference": "r", "pullPolicy": "IfNotPresent"}}]}})
}

#[tokio::test]
async fn other_images_are_pulled_and_those_that_run_stay() {
    let server = ApiServer::builder().build().await.unwrap();
    let old = pod(json!({}), "a");
    for (ask, policy) in [
        (Ask::create(PODS, &old), "Always"),
        (Ask::update(PODS, &old, &pod(json!({}), "b")), "Always"),
        (Ask::update(PODS, &old, &pod(json!({"l": "m"}), "a")), "IfNotPresent"),
        (Ask::update(PODS, &old, &pod(json!({}), "b")).through("status"), "IfNotPresent"),
    ] {
        let pod = ask.of(&AlwaysPullImages, &server).await.result.unwrap();
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy);
        assert_eq!(pod["spec"]["volumes"][0]["image"]["pullPolicy"], policy);
    }
}
