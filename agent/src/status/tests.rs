use super::patch::patch;
use serde_json::{Value, json};
use windlass_core::apis::core::v1::PodStatus;

fn status(value: Value) -> PodStatus {
    serde_json::from_value(value).expect("a status")
}

fn condition(kind: &str, status: &str) -> Value {
    json!({"type": kind, "status": status})
}

#[test]
fn only_what_differs_is_written() {
    let gate = condition("example.com/gate", "True");
    let old = status(
        json!({"phase": "Running", "message": "x", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}],
        "conditions": [condition("Ready", "True"), gate]}),
    );
    let same = status(
        json!({"phase": "Running", "message": "x", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}],
        "conditions": [condition("Ready", "True")]}),
    );
    assert_eq!(patch("u", Some(&old), &same), None);
    let new =
        status(json!({"phase": "Failed", "podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}],
        "conditions": [condition("Ready", "False")]}));
    let expected = json!({"metadata": {"uid": "u"}, "status": {
        "phase": "Failed", "message": null, "podIP": "10.0.0.2",
        "podIPs": [{"$patch": "replace"}, {"ip": "10.0.0.2"}],
        "conditions": [condition("Ready", "False")],
    }});
    assert_eq!(patch("u", Some(&old), &new), Some(expected));
}

#[test]
fn a_condition_that_holds_again_keeps_no_old_reason() {
    let unready =
        json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "c"});
    let old = status(json!({"conditions": [condition("PodScheduled", "True"), unready]}));
    let ready = [condition("PodScheduled", "True"), condition("Ready", "True")];
    let new = status(json!({"conditions": ready}));
    let patch = patch("u", Some(&old), &new).expect("something differs");
    let cleared = json!({"type": "Ready", "status": "True", "reason": null, "message": null});
    assert_eq!(patch["status"]["conditions"], json!([condition("PodScheduled", "True"), cleared]));
}

#[test]
fn a_condition_that_passes_is_taken_away() {
    let pending = json!({"type": "PodResizePending", "status": "True", "reason": "Deferred"});
    let gate = condition("example.com/gate", "True");
    let old = status(json!({"conditions": [condition("Ready", "True"), pending, gate]}));
    let new = status(json!({"conditions": [condition("Ready", "True")]}));
    let patch = patch("u", Some(&old), &new).expect("something differs");
    let gone = json!({"type": "PodResizePending", "$patch": "delete"});
    assert_eq!(patch["status"]["conditions"], json!([condition("Ready", "True"), gone]));
}
