use super::plan::{Step, claim, claim_name, missing, step};
use crate::support::testing::{merged, pod, ready};
use crate::views::PodView;
use serde_json::{Value, json};

fn user(more: Value) -> std::sync::Arc<windlass_core::cache::Entry<PodView>> {
    let claims = json!([{"name": "gpu", "resourceClaimTemplateName": "t"}, {"name": "shared", "resourceClaimName": "there"}]);
    pod("p", "", merged(merged(ready(0), json!({"spec": {"resourceClaims": claims}})), more))
}

#[test]
fn a_pod_lacks_what_its_status_does_not_name() {
    let fresh = user(json!({}));
    assert_eq!(missing(&fresh.view), [("gpu", "t")]);
    let told = user(
        json!({"status": {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "p-gpu-x"}]}}),
    );
    assert!(missing(&told.view).is_empty());
    let names: Vec<_> = told
        .view
        .spec
        .resource_claims
        .iter()
        .flatten()
        .map(|claim| claim_name(&told.view, claim))
        .collect();
    assert_eq!(names, [Some("p-gpu-x".into()), Some("there".into())]);
    let template =
        serde_json::from_value(json!({"metadata": {}, "spec": {"metadata": {"labels": {"a": "b"}},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}}}))
        .unwrap();
    let made = claim(fresh.object.header(), "gpu", &template);
    assert_eq!(
        (&made["metadata"]["generateName"], &made["metadata"]["labels"]["a"]),
        (&json!("p-gpu-"), &json!("b"))
    );
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "uid-p");
    assert_eq!(made["spec"]["devices"]["requests"][0]["exactly"]["deviceClassName"], "c");
}

#[test]
fn a_claim_is_given_back_when_nobody_needs_it() {
    let by = |name: &str, uid: &str| json!({"resource": "pods", "name": name, "uid": uid});
    let reserved = |list: Value| {
        serde_json::from_value(json!({"metadata": {"name": "c"}, "spec": {}, "status": {"allocation": {}, "reservedFor": list}})).unwrap()
    };
    let alive = user(json!({}));
    let find = |name: &str| (name == "p").then(|| alive.clone());
    assert_eq!(step(&reserved(json!([by("p", "uid-p")])), false, None, find), Step::Keep);
    let Step::Reserve(status) =
        step(&reserved(json!([by("p", "uid-p"), by("q", "x")])), false, None, find)
    else {
        panic!()
    };
    assert_eq!(status["reservedFor"], json!([by("p", "uid-p")]));
    assert!(status["allocation"].is_object());
    let Step::Reserve(status) = step(&reserved(json!([by("p", "another")])), false, None, find)
    else {
        panic!()
    };
    assert_eq!((&status["reservedFor"], &status["allocation"]), (&Value::Null, &Value::Null));
    let ended = user(json!({"status": {"phase": "Succeeded"}}));
    assert_eq!(step(&reserved(Value::Null), true, Some(&ended), |_| None), Step::Delete);
    assert_eq!(step(&reserved(Value::Null), true, Some(&alive), |_| None), Step::Keep);
    let other = json!([{"resource": "things", "apiGroup": "a.b", "name": "x", "uid": "x"}]);
    assert_eq!(step(&reserved(other), false, None, |_| None), Step::Keep, "not its business");
}
