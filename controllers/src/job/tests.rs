use super::indexes;
use super::plan::{Plan, Snapshot, plan};
use super::pods::FINALIZER;
use crate::support::testing::{at, cases, merged, pod};
use crate::views::{Pod, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::apis::batch::v1::Job;

fn job(more: Value) -> Job {
    let base = json!({"metadata": {"name": "job", "namespace": "ns", "uid": "uid-job"},
        "spec": {"completions": 3, "parallelism": 2, "backoffLimit": 1, "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}},
        "status": {"startTime": at(0).to_string()}});
    serde_json::from_value(merged(base, more)).unwrap()
}

/// Pods in short: phase, with `-` when it ends and `!` when its finalizer is gone; an index may follow.
fn pods(short: &[&str]) -> Vec<Pod> {
    short.iter().enumerate().map(|(number, short)| {
        let phase = short.trim_end_matches(|c: char| !c.is_alphabetic());
        let mut more = json!({"status": {"phase": phase}, "metadata": {"creationTimestamp": at(0).to_string()}});
        if !short.contains('!') {
            more["metadata"]["finalizers"] = json!([FINALIZER]);
        }
        if short.contains('-') {
            more["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
        }
        let index: String = short.chars().filter(char::is_ascii_digit).collect();
        if !index.is_empty() {
            more["metadata"]["annotations"] = json!({"batch.kubernetes.io/job-completion-index": index});
        }
        pod::<PodView>(&format!("p{number}"), "job", more)
    }).collect()
}

fn run(job: &Job, short: &[&str], now: i64) -> Plan {
    let pods = pods(short);
    let failed = pods
        .iter()
        .filter(|pod| pod.view.status.phase == "Failed")
        .map(|pod| pod.object.view().unwrap())
        .collect();
    plan(&Snapshot { job, pods, failed, now: at(now) })
}

fn reasons(plan: &Plan) -> Vec<String> {
    let conditions =
        plan.status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    conditions
        .map(|condition| {
            format!("{}:{}", condition.type_, condition.reason.clone().unwrap_or_default())
        })
        .collect()
}

#[test]
fn as_many_pods_run_as_there_is_work() {
    let cases: &[(&str, Value, &[&str], usize, usize)] = &[
        ("none yet", json!({}), &[], 2, 0),
        ("one runs", json!({}), &["Running"], 1, 0),
        ("less work than hands", json!({"status": {"succeeded": 2}}), &["Running"], 0, 0),
        ("noted counts", json!({}), &["Succeeded", "Succeeded"], 1, 0),
        ("parallelism was cut", json!({"spec": {"parallelism": 1}}), &["Running", "Running"], 0, 1),
        ("suspended", json!({"spec": {"suspend": true}}), &["Running"], 0, 1),
        ("a queue", json!({"spec": {"completions": null}}), &[], 2, 0),
        (
            "a queue that runs empty",
            json!({"spec": {"completions": null}}),
            &["Succeeded", "Running"],
            0,
            0,
        ),
        ("it goes", json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}), &[], 0, 0),
    ];
    for (name, more, given, create, delete) in cases {
        let plan = run(&job(more.clone()), given, 5);
        assert_eq!((plan.create.len(), plan.delete.len()), (*create, *delete), "{name}");
    }
}

#[test]
fn each_end_is_counted_once() {
    let noted = run(&job(json!({})), &["Succeeded", "Running"], 5);
    let uncounted = noted.status.uncounted_terminated_pods.clone().unwrap();
    assert_eq!(
        (noted.status.succeeded, uncounted.succeeded, noted.release.len()),
        (None, Some(vec!["uid-p0".into()]), 1)
    );
    let status = json!({"status": serde_json::to_value(&noted.status).unwrap()});
    let again = run(&job(status.clone()), &["Succeeded", "Running"], 6);
    assert_eq!(again.status, noted.status, "the finalizer is still there");
    let counted = run(&job(status.clone()), &["Succeeded!", "Running"], 6).status;
    assert_eq!(
        (counted.succeeded, counted.uncounted_terminated_pods.unwrap().succeeded),
        (Some(1), None)
    );
    let gone = run(&job(status), &[], 6).status;
    assert_eq!(gone.succeeded, Some(1), "even if the pod is gone");
    let suspended = run(&job(json!({"spec": {"suspend": true}})), &["Running-"], 5);
    assert_eq!(
        (suspended.release.len(), suspended.status.uncounted_terminated_pods.unwrap().failed),
        (1, None),
        "that was no failure"
    );
}

#[test]
fn failures_wait_and_end_it() {
    let one = run(&job(json!({})), &["Failed"], 4);
    assert_eq!((one.create.len(), one.again), (0, Some(Duration::from_secs(6))));
    assert_eq!(run(&job(json!({})), &["Failed"], 10).create.len(), 2);
    let two = run(&job(json!({})), &["Failed", "Failed", "Running"], 100);
    assert_eq!(
        (reasons(&two), two.delete.len()),
        (vec!["FailureTarget:BackoffLimitExceeded".into()], 1)
    );
    let status = json!({"status": {"failed": 2, "conditions": serde_json::to_value(&two.status.conditions).unwrap()}});
    let end = run(&job(status), &["Failed!", "Failed!"], 100);
    assert_eq!(reasons(&end).last().unwrap(), "Failed:BackoffLimitExceeded");
    assert_eq!(end.status.failed, Some(2));
    let late = run(&job(json!({"spec": {"activeDeadlineSeconds": 50}})), &["Running"], 50);
    assert_eq!(reasons(&late), ["FailureTarget:DeadlineExceeded"]);
    assert_eq!(
        run(&job(json!({"spec": {"activeDeadlineSeconds": 50}})), &["Running", "Running"], 20)
            .again,
        Some(Duration::from_secs(30))
    );
}

#[test]
fn a_policy_may_decide_about_failures() {
    let policy = |action: &str| json!({"spec": {"podFailurePolicy": {"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [42]}}]}}});
    let exited = |code: i32| {
        let terminated = json!({"exitCode": code, "finishedAt": at(0).to_string()});
        let more = json!({"metadata": {"finalizers": [FINALIZER]}, "status": {"phase": "Failed", "containerStatuses": [
            {"name": "c", "image": "x", "imageID": "x", "ready": false, "restartCount": 0, "state": {"terminated": terminated}}]}});
        vec![pod::<PodView>("p", "job", more)]
    };
    let run = |action: &str, code: i32| {
        let (job, pods) = (job(policy(action)), exited(code));
        let failed = pods.iter().map(|pod| pod.object.view().unwrap()).collect();
        plan(&Snapshot { job: &job, pods, failed, now: at(100) })
    };
    assert_eq!(reasons(&run("FailJob", 42)), ["FailureTarget:PodFailurePolicy"]);
    assert!(reasons(&run("FailJob", 1)).is_empty());
    let ignored = run("Ignore", 42);
    assert_eq!(
        (ignored.release.len(), ignored.status.uncounted_terminated_pods.unwrap().failed),
        (1, None)
    );
}

#[test]
fn indexes_are_done_one_by_one() {
    let indexed = |more: Value| job(merged(json!({"spec": {"completionMode": "Indexed"}}), more));
    let plan = run(&indexed(json!({})), &["Succeeded0", "Running2"], 5);
    assert_eq!(
        plan.create
            .iter()
            .map(|pod| pod.metadata.generate_name.clone().unwrap())
            .collect::<Vec<_>>(),
        ["job-1-"]
    );
    assert_eq!(
        (plan.status.completed_indexes.as_deref(), plan.status.succeeded),
        (Some("0"), Some(1))
    );
    let policy = json!({"spec": {"successPolicy": {"rules": [{"succeededIndexes": "0"}]}}});
    assert_eq!(
        reasons(&run(&indexed(policy), &["Succeeded0", "Running1"], 5)),
        ["SuccessCriteriaMet:SuccessPolicy"]
    );
    for (text, back) in [("0,2-5,9", "0,2-5,9"), ("1-2", "1,2"), ("", ""), ("3-3", "3")] {
        assert_eq!(indexes::format(&indexes::parse(text)), back, "{text}");
    }
}

#[derive(Deserialize)]
struct PerIndex {
    name: String,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
    /// Phase, index, failures before; and exit code.
    /// Which of the pods have no finalizer any more.
    #[serde(default)]
    released: Vec<usize>,
    pods: Vec<(String, i32, i32, i32)>,
    now: i64,
    /// Index and failures of each pod that is made.
    create: Vec<String>,
    release: usize,
    failed: String,
    #[serde(default)]
    reasons: Vec<String>,
    again: Option<u64>,
}

#[test]
fn each_index_fails_for_itself() {
    for case in cases::<PerIndex>(include_str!("tests/per_index.yaml")) {
        let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimit": null, "backoffLimitPerIndex": 1,
            "podFailurePolicy": {"rules": [
                {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [41]}},
                {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}}]}});
        let job = job(json!({"spec": merged(spec, case.spec), "status": case.status}));
        let pods: Vec<Pod> = case.pods.iter().enumerate().map(|(number, (phase, index, before, code))| {
            let terminated = json!({"exitCode": code, "finishedAt": at(0).to_string()});
            let status = json!({"name": "c", "image": "x", "imageID": "x", "ready": false, "restartCount": 0, "state": {"terminated": terminated}});
            let notes = json!({"batch.kubernetes.io/job-completion-index": index.to_string(),
                "batch.kubernetes.io/job-index-failure-count": before.to_string()});
            let finalizers = if case.released.contains(&number) { json!([]) } else { json!([FINALIZER]) };
            pod::<PodView>(&format!("p{number}"), "job", json!({"metadata": {"finalizers": finalizers, "annotations": notes},
                "status": {"phase": phase, "containerStatuses": [status]}}))
        }).collect();
        let failed = pods.iter().enumerate().filter(|(number, pod)| {
            pod.view.status.phase == "Failed" && !case.released.contains(number)
        });
        let failed = failed.map(|(_, pod)| pod.object.view().unwrap()).collect();
        let plan = plan(&Snapshot { job: &job, pods, failed, now: at(case.now) });
        let created: Vec<String> = plan
            .create
            .iter()
            .map(|pod| {
                let note = |key: &str| pod.metadata.annotations.as_ref().unwrap()[key].clone();
                format!(
                    "{}:{}",
                    note("batch.kubernetes.io/job-completion-index"),
                    note("batch.kubernetes.io/job-index-failure-count")
                )
            })
            .collect();
        assert_eq!(created, case.create, "{}", case.name);
        assert_eq!(plan.status.failed_indexes.as_deref(), Some(&*case.failed), "{}", case.name);
        assert_eq!(plan.release.len(), case.release, "{}", case.name);
        assert_eq!(reasons(&plan), case.reasons, "{}", case.name);
        assert_eq!(plan.again.map(|again| again.as_secs()), case.again, "{}", case.name);
    }
}
