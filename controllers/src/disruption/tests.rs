use super::plan::plan;
use super::stale;
use crate::support::ops::Op;
use crate::support::testing::{at, merged, pod, ready};
use crate::views::{Pod, PodView};
use serde_json::{Value, json};
use windlass_core::apis::policy::v1::PodDisruptionBudget;

fn budget(spec: Value, status: Value) -> PodDisruptionBudget {
    serde_json::from_value(json!({"metadata": {"generation": 1}, "spec": spec, "status": status}))
        .unwrap()
}

#[test]
fn a_budget_allows_what_is_left_over() {
    let pods: Vec<Pod> = vec![
        pod::<PodView>("a", "rs", ready(0)),
        pod("b", "rs", ready(0)),
        pod("c", "rs", json!({})),
    ];
    let evicted = json!({"disruptedPods": {"a": at(0).to_string()}, "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
    let none = Value::Null;
    let cases = [
        (json!({"minAvailable": 1}), &none, 3, (2, 1, 1)),
        (json!({"minAvailable": "50%"}), &none, 3, (2, 2, 0)),
        (json!({"maxUnavailable": 1}), &none, 3, (2, 2, 0)),
        (json!({"maxUnavailable": 2}), &none, 3, (2, 1, 1)),
        (json!({"minAvailable": 5}), &none, 3, (2, 5, 0)),
        (json!({"minAvailable": 0}), &none, 0, (2, 0, 0)),
        (json!({"minAvailable": 1}), &evicted, 3, (1, 1, 0)),
    ];
    for (spec, status, expected, wanted) in cases {
        let (found, _) = plan(&budget(spec.clone(), status.clone()), &pods, expected, at(10));
        assert_eq!(
            (
                found.current_healthy.unwrap(),
                found.desired_healthy.unwrap(),
                found.disruptions_allowed.unwrap()
            ),
            wanted,
            "{spec} {status}"
        );
    }
    let (status, again) =
        plan(&budget(json!({"minAvailable": 1}), evicted.clone()), &pods, 3, at(20));
    assert_eq!(
        (again.unwrap().as_secs(), status.conditions.unwrap()[0].reason.as_str()),
        (100, "InsufficientPods")
    );
    let (late, _) = plan(&budget(json!({"minAvailable": 1}), evicted), &pods, 3, at(120));
    assert_eq!(
        (late.current_healthy.unwrap(), late.disrupted_pods),
        (2, None),
        "it was not evicted after all"
    );
}

#[test]
fn a_mark_that_nothing_came_of_is_taken_away() {
    let marked = |since: i64, more: Value| {
        let mark = json!({"type": "DisruptionTarget", "status": "True", "lastTransitionTime": at(since).to_string()});
        pod::<PodView>(
            "p",
            "",
            merged(json!({"status": {"phase": "Running", "conditions": [mark]}}), more),
        )
    };
    assert!(matches!(stale::plan(&marked(0, json!({})), at(120)), Ok(Op::Strategic(_, patch))
        if patch["status"]["conditions"][0]["status"] == "False"));
    let wait = stale::plan(&marked(0, json!({})), at(50)).unwrap_err();
    assert_eq!(wait.map(|wait| wait.as_secs()), Some(70));
    let goes = json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}});
    assert_eq!(stale::plan(&marked(0, goes), at(500)), Err(None), "it came");
    let by_agent = json!({"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "lastTransitionTime": at(0).to_string()});
    let by_agent = json!({"status": {"phase": "Running", "conditions": [by_agent]}});
    assert_eq!(stale::plan(&pod::<PodView>("p", "", by_agent), at(500)), Err(None), "it may yet");
    assert_eq!(stale::plan(&pod::<PodView>("p", "", ready(0)), at(500)), Err(None));
}
