//! A webhook written with the `kube` crate, not ours, is called and obeyed.

use super::*;
use http::StatusCode;
use json_patch::{AddOperation, Patch, PatchOperation, jsonptr::PointerBuf};
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};

/// Labels what it sees, and refuses what is called `forbidden`.
fn review(body: &Value) -> Answered {
    let review: AdmissionReview<DynamicObject> =
        serde_json::from_value(body.clone()).expect("the crate reads our review");
    let request: AdmissionRequest<DynamicObject> = review.try_into().expect("it has a request");
    let answer = AdmissionResponse::from(&request);
    let answer = if request.name == "forbidden" {
        answer.deny("not this one")
    } else {
        let path = PointerBuf::from_tokens(["metadata", "labels"]);
        let value = json!({"seen-by": "kube"});
        let patch = Patch(vec![PatchOperation::Add(AddOperation { path, value })]);
        answer.with_patch(patch).expect("a patch")
    };
    let body = serde_json::to_vec(&answer.into_review()).expect("JSON");
    Answered::Body(StatusCode::OK, body)
}

#[tokio::test]
async fn a_webhook_of_the_kube_crate_is_obeyed() {
    let cluster = Cluster::start().await;
    let hook = Hook::start(review).await;
    let webhooks = json!({"metadata": {"name": "m"}, "webhooks": [hook.webhook("kube.maps.example", json!({}))]});
    let resource = scheme::MUTATINGWEBHOOKCONFIGURATIONS;
    cluster.make(resource, "", &webhooks).await.expect("a configuration");
    let labelled = |done: &Result<Value, Status>| {
        done.as_ref().is_ok_and(|map| map["metadata"]["labels"]["seen-by"] == "kube")
    };
    cluster.eventually(&named("a"), labelled).await.expect("changed");
    let kept = cluster.config_map(&named("a")).await.expect("kept");
    assert_eq!(kept["metadata"]["labels"], json!({"seen-by": "kube"}));
    let refused = cluster.config_map(&named("forbidden")).await.expect_err("refused");
    let expected = "admission webhook \"kube.maps.example\" denied the request: not this one";
    assert_eq!(refused.message, expected);
}
