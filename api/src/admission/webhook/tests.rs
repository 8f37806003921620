use super::answer::{read, refusal};
use super::hook::Hooks;
use crate::admission::testing::Ask;
use crate::admission::view::View;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::PODS;

fn v1(response: Value) -> Vec<u8> {
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})
        .to_string()
        .into_bytes()
}

#[test]
fn answers_are_taken_by_the_letter() {
    let wrong = |mutating, response| read("v1", "u", mutating, &v1(response)).expect_err("wrong");
    let begins = "received invalid webhook response: ";
    for (mutating, response, expected) in [
        (true, json!({"uid": "v", "allowed": true}), "expected response.uid=\"u\", got \"v\""),
        (
            true,
            json!({"uid": "u", "patch": "W10="}),
            "webhook returned response.patch but not response.patchType",
        ),
        (
            true,
            json!({"uid": "u", "patchType": "JSONPatch"}),
            "webhook returned response.patchType but not response.patch",
        ),
        (
            true,
            json!({"uid": "u", "patch": "W10=", "patchType": ""}),
            "webhook returned invalid response.patchType of \"\"",
        ),
        (
            false,
            json!({"uid": "u", "patch": "W10="}),
            "validating webhook may not return response.patch",
        ),
        (
            false,
            json!({"uid": "u", "patchType": "JSONPatch"}),
            "validating webhook may not return response.patchType",
        ),
        (true, Value::Null, "webhook response was absent"),
    ] {
        assert_eq!(wrong(mutating, response), format!("{begins}{expected}"));
    }
    let unsupported = json!({"uid": "u", "patch": "W10=", "patchType": "Merge"});
    assert_eq!(wrong(true, unsupported), "unsupported patch type \"Merge\"");
    let other = json!({"kind": "Pod", "apiVersion": "v1", "response": {"uid": "u"}}).to_string();
    let expected =
        "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got v1, Kind=Pod";
    assert_eq!(
        read("v1", "u", true, other.as_bytes()).expect_err("wrong"),
        format!("{begins}{expected}")
    );
}

#[test]
fn patches_are_base64_or_numbers() {
    for patch in [json!("W10="), json!([91, 93])] {
        let response =
            json!({"uid": "u", "allowed": true, "patch": patch, "patchType": "JSONPatch"});
        let answer = read("v1", "u", true, &v1(response)).expect("an answer");
        assert_eq!(answer.patch.as_deref(), Some(&b"[]"[..]));
    }
}

#[test]
fn the_older_version_asks_for_less() {
    let answer = json!({"response": {"allowed": true, "patch": "W10="}}).to_string();
    let answer = read("v1beta1", "u", true, answer.as_bytes()).expect("an answer");
    assert!(answer.allowed && answer.patch.is_some());
}

#[test]
fn refusals_are_failures() {
    let status = refusal("a.b.c", Some(json!({"code": 200, "status": "Success", "reason": "Odd"})));
    assert_eq!((status.code, status.status.as_str()), (400, "Failure"));
    assert_eq!(status.message, "admission webhook \"a.b.c\" denied the request: Odd");
    let status = refusal("a.b.c", Some(json!({"code": 418, "message": "tea"})));
    assert_eq!(
        (status.code, status.message.as_str()),
        (418, "admission webhook \"a.b.c\" denied the request: tea")
    );
}

#[tokio::test]
async fn nobody_gets_past_a_configuration_that_cannot_be_read() {
    let server = ApiServer::builder().build().await.unwrap();
    let mut hooks = Hooks::new(server.objects().clone());
    let mut make = |version: &str, webhooks: Value| {
        let object = json!({"apiVersion": "v1", "kind": "X", "webhooks": webhooks,
            "metadata": {"name": "c", "resourceVersion": version}});
        let object = Arc::new(Object::from_wire(object.to_string().into()).unwrap());
        hooks.make(&[("c".to_owned(), object)].into())
    };
    let unread = make("1", json!(5));
    assert_eq!(unread.len(), 1);
    let why = unread[0].version.as_ref().expect_err("it can't be asked");
    assert!(unread[0].fail && why.contains("can't be read"), "{why}");
    let binding = Ask::create(PODS, &json!({"metadata": {"name": "x"}})).through("binding");
    let taken = binding.with(&server, async |request| {
        let view = View::of(request).unwrap();
        unread[0].matcher.takes(&view, request).await.unwrap().is_some()
    });
    assert!(taken.await, "it is about everything");

    let names = |hooks: &[Arc<super::hook::Hook>]| {
        hooks.iter().map(|hook| hook.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&make("2", json!([{"name": "a.b.c"}]))), ["a.b.c"]);
    assert_eq!(names(&make("3", json!(5))), ["a.b.c"], "as it was before");
    assert!(make("4", json!([])).is_empty());
    assert!(make("5", json!(5)).is_empty(), "as it was before");
}
