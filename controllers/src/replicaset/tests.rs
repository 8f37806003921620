use super::plan::{Outcome, next_available, scale, status};
use super::set::Set;
use crate::support::claim::{Claimant, claim};
use crate::support::testing::{at, cases, merged, pod, ready};
use crate::views::{Pod, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn set(more: Value) -> Set {
    let base = json!({"metadata": {"name": "rs", "namespace": "ns", "uid": "uid-rs", "generation": 3},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "a"}},
                 "template": {"metadata": {"labels": {"app": "a"}}}}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn pods(list: &[(&str, Value)]) -> Vec<Pod> {
    list.iter().map(|(name, more)| pod::<PodView>(name, "rs", more.clone())).collect()
}

fn names(pods: &[Pod]) -> Vec<&str> {
    pods.iter().map(|pod| pod.object.name()).collect()
}

fn ended(phase: &str) -> Value {
    json!({"status": {"phase": phase}})
}

fn ending() -> Value {
    json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}, "status": {"phase": "Running"}})
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    set: Value,
    #[serde(default)]
    pods: BTreeMap<String, String>,
    #[serde(default)]
    create: usize,
    #[serde(default)]
    delete: Vec<String>,
}

#[test]
fn pods_that_count_are_brought_to_the_number_asked_for() {
    for case in cases::<Case>(include_str!("tests/scale.yaml")) {
        let state = |state: &str| match state {
            "ready" => ready(0),
            "ending" => ending(),
            phase => ended(phase),
        };
        let given: Vec<_> = case.pods.iter().map(|(name, is)| (name.as_str(), state(is))).collect();
        let plan = scale(&set(case.set), &pods(&given));
        let found = (plan.create, names(&plan.delete));
        assert_eq!(
            found,
            (case.create, case.delete.iter().map(String::as_str).collect()),
            "{}",
            case.name
        );
    }
}

#[test]
fn those_whose_loss_matters_least_go_first() {
    let on = |node: &str, more| merged(json!({"spec": {"nodeName": node}}), more);
    let cost = |cost: &str| json!({"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}}});
    let pending = json!({"status": {"phase": "Pending"}});
    let restarted = json!({"status": {"containerStatuses": [{"restartCount": 4}]}});
    let cases: &[(&str, Value, Value)] = &[
        ("unbound before bound", pending.clone(), on("n", pending.clone())),
        ("pending before running", on("n", pending), ready(0)),
        ("not ready before ready", on("n", json!({"status": {"phase": "Running"}})), ready(0)),
        ("cheap before dear", merged(ready(0), cost("-5")), merged(ready(0), cost("5"))),
        ("ready for a short time before a long one", ready(100), ready(0)),
        ("restarted before not", merged(ready(0), restarted), ready(0)),
    ];
    for (rule, goes, stays) in cases {
        for given in [
            pods(&[("goes", goes.clone()), ("stays", stays.clone())]),
            pods(&[("stays", stays.clone()), ("goes", goes.clone())]),
        ] {
            let plan = scale(&set(json!({"spec": {"replicas": 1}})), &given);
            assert_eq!(names(&plan.delete), ["goes"], "{rule}");
        }
    }
    let crowd = pods(&[
        ("x", merged(ready(0), json!({"spec": {"nodeName": "m"}}))),
        ("y", ready(0)),
        ("z", ready(5)),
    ]);
    assert_eq!(names(&scale(&set(json!({})), &crowd).delete), ["z"], "crowded nodes first");
}

#[test]
fn the_status_counts() {
    let given = pods(&[
        ("a", ready(0)),
        ("b", ready(95)),
        ("c", json!({"metadata": {"labels": {"app": "x"}}})),
        ("d", ending()),
    ]);
    let set = set(json!({"spec": {"minReadySeconds": 10}}));
    let now = status(&set, &given, &Outcome::Fine, at(100));
    assert_eq!(
        serde_json::to_value(&now).unwrap(),
        json!({"availableReplicas": 1, "fullyLabeledReplicas": 2,
        "observedGeneration": 3, "readyReplicas": 2, "replicas": 3, "terminatingReplicas": 1})
    );
    assert_eq!(next_available(&set, &given, at(100)), Some(Duration::from_secs(5)));
    let failed = status(&set, &given, &Outcome::Failed(true, "quota"), at(100)).conditions.unwrap();
    assert_eq!(
        (&*failed[0].type_, failed[0].reason.as_deref()),
        ("ReplicaFailure", Some("FailedCreate"))
    );
}

#[test]
fn only_what_matches_and_has_no_other_owner_is_claimed() {
    let other = json!({"metadata": {"labels": {"app": "other"}}});
    let candidates = vec![
        pod::<PodView>("mine", "rs", json!({})),
        pod("strayed", "rs", other.clone()),
        pod("orphan", "", json!({})),
        pod("stranger", "", other),
        pod("theirs", "else", json!({})),
        pod("dying", "", json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}})),
    ];
    let selector = set(json!({})).spec.selector;
    for (deleting, owned, adopt, release) in [
        (false, vec!["mine"], vec!["orphan"], vec!["strayed"]),
        (true, vec!["mine"], vec![], vec![]),
    ] {
        let claimant = Claimant { uid: "uid-rs", deleting, selector: &selector };
        let claimed = claim(&claimant, candidates.clone(), |_| true);
        assert_eq!(
            (names(&claimed.owned), names(&claimed.adopt), names(&claimed.release)),
            (owned, adopt, release)
        );
    }
}
