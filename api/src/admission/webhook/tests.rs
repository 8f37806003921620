use super::answer::{read, refusal};
use serde_json::{Value, json};

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
