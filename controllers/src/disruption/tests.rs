use super::plan::{Expected, events, fail_safe, plan};
use super::stale;
use crate::support::ops::Op;
use crate::support::testing::{at, cases, merged, pod, ready};
use crate::views::{Pod, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::policy::v1::PodDisruptionBudget;
use windlass_core::events::Reference;

fn budget(spec: Value, status: Value) -> PodDisruptionBudget {
    serde_json::from_value(json!({"metadata": {"generation": 1}, "spec": spec, "status": status}))
        .unwrap()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    spec: Value,
    #[serde(default)]
    evicted: bool,
    expected: i32,
    /// Healthy, desired, allowed.
    status: [i32; 3],
}

#[test]
fn a_budget_allows_what_is_left_over() {
    let pods: Vec<Pod> = vec![
        pod::<PodView>("a", "rs", ready(0)),
        pod("b", "rs", ready(0)),
        pod("c", "rs", json!({})),
    ];
    let evicted = json!({"disruptedPods": {"a": at(0).to_string()}, "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
    for case in cases::<Case>(include_str!("tests/budgets.yaml")) {
        let status = if case.evicted { evicted.clone() } else { Value::Null };
        let (found, _) = plan(&budget(case.spec, status), &pods, case.expected, at(10));
        let found = [found.current_healthy, found.desired_healthy, found.disruptions_allowed];
        assert_eq!(found.map(Option::unwrap), case.status, "{}", case.name);
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
fn nothing_is_allowed_while_nobody_knows_how_many_there_should_be() {
    let status = json!({"currentHealthy": 3, "desiredHealthy": 1, "disruptionsAllowed": 2, "expectedPods": 3});
    let found = fail_safe(&budget(json!({}), status), "no answer", at(0));
    assert_eq!((found.disruptions_allowed, found.current_healthy), (Some(0), Some(3)));
    let condition = &found.conditions.unwrap()[0];
    assert_eq!((&*condition.status, &*condition.reason), ("False", "SyncFailed"));
    assert_eq!(fail_safe(&budget(json!({}), Value::Null), "", at(0)).expected_pods, Some(0));
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

#[derive(Deserialize)]
struct Told {
    name: String,
    #[serde(default)]
    pods: bool,
    #[serde(default)]
    unmanaged: bool,
    error: Option<String>,
    told: Vec<String>,
}

#[test]
fn what_is_wrong_with_a_budget_is_told() {
    let about = Reference {
        api_version: "policy/v1".into(),
        kind: "PodDisruptionBudget".into(),
        namespace: "ns".into(),
        name: "b".into(),
        uid: "u".into(),
        field_path: String::new(),
    };
    for case in cases::<Told>(include_str!("tests/events.yaml")) {
        let pods: Vec<Pod> =
            case.pods.then(|| pod::<PodView>("a", "", ready(0))).into_iter().collect();
        let expected = Expected { pods: 0, unmanaged: case.unmanaged };
        let expected = case.error.as_deref().map_or(Ok(expected), Err);
        let found = events(&about, "app=a", &pods, expected);
        let found = found.iter().map(|op| match op {
            Op::Event(_, _, reason, message) => format!("{reason} {message}"),
            other => panic!("{other:?}"),
        });
        let found: Vec<_> = found.collect();
        assert_eq!(found.len(), case.told.len(), "{}", case.name);
        for (found, told) in found.iter().zip(&case.told) {
            assert!(found.starts_with(told.as_str()), "{}: {found}", case.name);
        }
    }
}
