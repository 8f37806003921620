use super::model;
use super::plan::{Plan, Snapshot, plan};
use crate::support::ops::Op;
use crate::support::testing::{at, cases, merged};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::apps::v1::{Deployment, ReplicaSet};

/// A set in short: name, image, size, pods that are available, revision.
type Short<'a> = (&'a str, &'a str, i32, i32, i64);

fn deployment(image: &str, replicas: i32, more: Value) -> Deployment {
    let base = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "ns", "uid": "uid-web", "generation": 2},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "template": template(image)}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

fn set((name, image, size, available, revision): Short<'_>, d: &Deployment) -> ReplicaSet {
    let template =
        merged(template(image), json!({"metadata": {"labels": {"pod-template-hash": name}}}));
    let made = at(revision).to_string();
    let max = model::wanted(d) + model::max_surge(d);
    serde_json::from_value(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "ns", "uid": name, "generation": 1, "creationTimestamp": made,
            "annotations": {model::REVISION: revision.to_string(), model::DESIRED: model::wanted(d).to_string(),
                model::MAX: max.to_string()}},
        "spec": {"replicas": size, "selector": {}, "template": template},
        "status": {"replicas": size, "readyReplicas": available, "availableReplicas": available, "observedGeneration": 1}}))
    .unwrap()
}

fn run(d: &Deployment, sets: &[Short<'_>]) -> Plan {
    let sets = sets.iter().map(|short| set(*short, d)).collect();
    plan(Snapshot { deployment: d.clone(), sets, now: at(1000) })
}

/// `+name=size` for a set that is made, `name=size` for one that is scaled, `-name` for one that is deleted.
fn short(ops: &[Op]) -> Vec<String> {
    let size = |body: &Value| body["spec"]["replicas"].clone();
    let write = |op: &Op| match op {
        Op::Create(_, body) => Some(format!("+={}", size(body))),
        Op::Update(key, body) => Some(format!("{}={}", key.name, size(body))),
        Op::Delete(key, _) => Some(format!("-{}", key.name)),
        Op::Patch(..) | Op::Strategic(..) | Op::Event(..) => None,
    };
    ops.iter().filter_map(write).collect()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    replicas: i32,
    #[serde(default)]
    recreate: bool,
    sets: Vec<(String, String, i32, i32, i64)>,
    does: Vec<String>,
}

#[test]
fn an_update_goes_step_by_step() {
    for case in cases::<Case>(include_str!("tests/rolling.yaml")) {
        let recreate = json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}});
        let more = if case.recreate { recreate } else { json!({}) };
        let sets = case.sets.iter();
        let sets: Vec<Short<'_>> = sets.map(|(a, b, c, d, e)| (&**a, &**b, *c, *d, *e)).collect();
        let plan = run(&deployment("x:2", case.replicas, more), &sets);
        assert_eq!(short(&plan.ops), case.does, "{}", case.name);
    }
}

#[test]
fn recreate_waits_until_the_old_are_gone() {
    let d = deployment(
        "x:2",
        3,
        json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}),
    );
    let mut ending = set(("a", "x:1", 0, 0, 1), &d);
    ending.status.as_mut().unwrap().terminating_replicas = Some(1);
    let waits = plan(Snapshot { deployment: d.clone(), sets: vec![ending], now: at(0) });
    assert!(short(&waits.ops).is_empty());
}

#[test]
fn a_paused_one_only_scales() {
    let d = deployment("x:2", 3, json!({"spec": {"paused": true}}));
    let plan = run(&d, &[("a", "x:1", 3, 3, 1)]);
    assert!(short(&plan.ops).is_empty());
    let reasons: Vec<_> =
        plan.status.conditions.iter().flatten().map(|c| c.reason.as_deref().unwrap()).collect();
    assert!(reasons.contains(&"DeploymentPaused"), "{reasons:?}");
}

#[test]
fn scaling_during_a_rollout_keeps_proportions() {
    let was = deployment("x:2", 10, json!({}));
    let sets: Vec<_> =
        [("a", "x:1", 8, 8, 1), ("b", "x:2", 3, 0, 2)].map(|short| set(short, &was)).into();
    for (replicas, wanted) in [(20, ["a=15", "b=6"]), (5, ["a=4", "b=2"])] {
        let d = deployment("x:2", replicas, json!({}));
        let plan = plan(Snapshot { deployment: d, sets: sets.clone(), now: at(0) });
        assert_eq!(short(&plan.ops), wanted, "to {replicas}");
    }
    let d = deployment("x:2", 4, json!({}));
    let one = plan(Snapshot {
        deployment: d,
        sets: vec![set(("b", "x:2", 10, 10, 1), &was)],
        now: at(0),
    });
    assert_eq!(short(&one.ops), ["b=4"]);
}

#[test]
fn going_back_gives_an_old_set_the_newest_revision() {
    let d = deployment("x:1", 1, json!({}));
    let plan = run(&d, &[("a", "x:1", 0, 0, 1), ("b", "x:2", 1, 1, 2)]);
    let Some(Op::Update(_, body)) = plan.ops.first() else { panic!("{:?}", plan.ops) };
    let notes = &body["metadata"]["annotations"];
    assert_eq!(
        (&notes[model::REVISION], &notes[model::REVISION_HISTORY]),
        (&json!("3"), &json!("1"))
    );
    let shown = plan.ops.iter().any(|op| matches!(op, Op::Patch(_, patch) if patch["metadata"]["annotations"][model::REVISION] == "3"));
    assert!(shown, "{:?}", plan.ops);
}

#[test]
fn only_so_many_old_sets_are_kept() {
    let d = deployment("x:9", 1, json!({"spec": {"revisionHistoryLimit": 1}}));
    let plan = run(
        &d,
        &[
            ("c", "x:3", 0, 0, 3),
            ("a", "x:1", 0, 0, 1),
            ("b", "x:2", 0, 0, 2),
            ("n", "x:9", 1, 1, 4),
        ],
    );
    assert_eq!(short(&plan.ops), ["-a", "-b"]);
}

#[test]
fn conditions_tell_how_it_goes() {
    let progressing = |reason: &str, since: i64| {
        json!({"status": {"replicas": 3, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3, "conditions": [
            {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": at(since).to_string(),
             "lastTransitionTime": at(since).to_string()}]}})
    };
    let stuck: &[Short<'_>] = &[("a", "x:1", 2, 2, 1), ("b", "x:2", 2, 0, 2)];
    let done: &[Short<'_>] = &[("b", "x:2", 3, 3, 2)];
    let lost: &[Short<'_>] = &[("b", "x:2", 3, 1, 2)];
    let cases: &[(&str, Value, &[Short<'_>], &str, &str)] = &[
        ("new", json!({}), &[], "True", "NewReplicaSetCreated"),
        ("found", json!({}), stuck, "True", "FoundNewReplicaSet"),
        ("progress", progressing("NewReplicaSetCreated", 0), stuck, "True", "ReplicaSetUpdated"),
        ("complete", progressing("ReplicaSetUpdated", 0), done, "True", "NewReplicaSetAvailable"),
        (
            "pods lost later",
            progressing("NewReplicaSetAvailable", 0),
            lost,
            "True",
            "NewReplicaSetAvailable",
        ),
        ("resumed", progressing("DeploymentPaused", 0), stuck, "Unknown", "DeploymentResumed"),
    ];
    for (name, more, sets, state, reason) in cases {
        let d = deployment("x:2", 3, more.clone());
        let status = run(&d, sets).status;
        let found = status.conditions.iter().flatten().find(|c| c.type_ == "Progressing").unwrap();
        assert_eq!((&*found.status, found.reason.as_deref()), (*state, Some(*reason)), "{name}");
    }
    let late = merged(
        progressing("ReplicaSetUpdated", 0),
        json!({"status": {"updatedReplicas": 2, "replicas": 4}}),
    );
    let status = run(&deployment("x:2", 3, late), stuck).status;
    assert!(status.conditions.unwrap().iter().any(|c| c.reason.as_deref() == Some("ProgressDeadlineExceeded") && c.status == "False"));
}

#[test]
fn a_plan_that_was_carried_out_has_nothing_left() {
    let d = deployment("x:2", 3, json!({}));
    let first = run(&d, &[("b", "x:2", 3, 3, 1)]);
    let settled: Deployment = serde_json::from_value(merged(
        serde_json::to_value(&d).unwrap(),
        json!({"metadata": {"annotations": {model::REVISION: "1"}}, "status": serde_json::to_value(&first.status).unwrap()}),
    )).unwrap();
    let second = run(&settled, &[("b", "x:2", 3, 3, 1)]);
    assert!(second.ops.is_empty(), "{:?}", second.ops);
    assert_eq!(Some(second.status), settled.status);
    let mut swapped = settled;
    swapped.status.as_mut().unwrap().conditions.as_mut().unwrap().reverse();
    let third = run(&swapped, &[("b", "x:2", 3, 3, 1)]);
    assert_eq!(Some(third.status), swapped.status, "the order of conditions is left alone");
}
