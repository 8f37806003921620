use super::plan::{Step, claim, claim_name, missing, step, users};
use crate::support::testing::{cases, merged, pod, ready};
use crate::views::PodView;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::resource::v1::ResourceClaim;

fn user(more: Value) -> std::sync::Arc<windlass_core::cache::Entry<PodView>> {
    let claims = json!([{"name": "gpu", "resourceClaimTemplateName": "t"}, {"name": "shared", "resourceClaimName": "there"}]);
    pod("p", "", merged(merged(ready(0), json!({"spec": {"resourceClaims": claims}})), more))
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    pod: Value,
    /// The claim was made for the pod.
    #[serde(default)]
    made: bool,
    #[serde(default)]
    gone: bool,
    /// The claim goes.
    #[serde(default)]
    goes: bool,
    /// It has no devices.
    #[serde(default)]
    free: bool,
    reserved: Vec<(String, String)>,
    does: String,
}

#[test]
fn a_claim_is_kept_for_those_who_need_it() {
    for case in cases::<Case>(include_str!("tests/claims.yaml")) {
        let pod = Some(user(case.pod)).filter(|_| !case.gone);
        let reserved = case.reserved.iter();
        let reserved: Vec<_> = reserved
            .map(|(name, uid)| json!({"resource": "pods", "name": name, "uid": uid}))
            .collect();
        let deleted = case.goes.then_some("2027-01-15T08:00:00Z");
        let meta = json!({"name": "c", "deletionTimestamp": deleted, "finalizers": ["a/b", "resource.kubernetes.io/delete-protection"]});
        let allocation = (!case.free).then(|| json!({}));
        let claim = json!({"metadata": meta, "spec": {}, "status": {"allocation": allocation, "reservedFor": reserved}});
        let claim: ResourceClaim = serde_json::from_value(claim).unwrap();
        assert_eq!(users(&claim, None), case.reserved, "{}", case.name);
        let find = |name: &str| pod.clone().filter(|_| name == "p");
        let owner = pod.as_ref().filter(|_| case.made);
        let found = match step(&claim, case.made, owner, find) {
            Step::Keep => "keep".to_owned(),
            Step::Delete => "delete".to_owned(),
            Step::Unprotect(left) => format!("leave {}", left.join(" ")),
            Step::Reserve(status) if status["allocation"].is_null() => "free".to_owned(),
            Step::Reserve(status) => {
                let left = status["reservedFor"].as_array().unwrap();
                let left: Vec<_> = left.iter().map(|one| one["name"].as_str().unwrap()).collect();
                format!("reserve {}", left.join(" "))
            }
        };
        assert_eq!(found, case.does, "{}", case.name);
    }
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
fn who_is_no_pod_is_not_looked_after() {
    let reserved = |list: Value| {
        serde_json::from_value(json!({"metadata": {"name": "c"}, "spec": {}, "status": {"allocation": {}, "reservedFor": list}})).unwrap()
    };
    let other = json!([{"resource": "things", "apiGroup": "a.b", "name": "x", "uid": "x"}]);
    assert_eq!(step(&reserved(other), false, None, |_| None), Step::Keep, "not its business");
}
