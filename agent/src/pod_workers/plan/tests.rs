//! Cases are lines of data: what the pod says, what runs, what is to be done, what is shown.

use super::{Input, Plan, Step, plan};
use crate::pod_workers::memory::{Memory, Rejection, Volumes};
use crate::pod_workers::snapshot::{BACKOFF_ANNOTATION, IMAGE_ANNOTATION, PodRuntime};
use crate::prober::{Kind, PodProbes};
use crate::runtime::{
    ContainerId, ContainerState, ContainerStatus, SandboxConfig, SandboxId, SandboxStatus,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use windlass_core::apis::core::v1::Pod;

const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs((NOW + seconds).unsigned_abs())
}

/// `name:attempt running`, `name:attempt exit CODE SECONDS-AGO [BACKOFF]`, `name:attempt created`.
fn container(text: &str) -> ContainerStatus {
    let words: Vec<&str> = text.split(' ').collect();
    let (name, attempt) = words[0].split_once(':').expect("name:attempt");
    let number = |at: usize| words.get(at).map_or(0, |word| word.parse::<i64>().expect("a number"));
    let state = match words[1] {
        "running" => ContainerState::Running { started_at: at(-5), pid: 1 },
        "created" => ContainerState::Created,
        _ => ContainerState::Exited {
            started_at: Some(at(-number(3) - 1)),
            finished_at: at(-number(3)),
            exit_code: i32::try_from(number(2)).expect("a code"),
            reason: if number(2) == 0 { "Completed".into() } else { "Error".into() },
            message: String::new(),
        },
    };
    ContainerStatus {
        id: ContainerId(words[0].to_owned()),
        sandbox: SandboxId("s".into()),
        name: name.into(),
        attempt: attempt.parse().expect("a number"),
        image: crate::images::ImageId("sha256:1".into()),
        state,
        created_at: at(-number(3) - 1),
        resources: crate::runtime::Resources { cpu_shares: Some(2), ..Default::default() },
        log_path: "/log".into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::from([(BACKOFF_ANNOTATION.to_owned(), number(4).to_string())]),
    }
}

fn runtime(sandbox: bool, containers: &[&str]) -> PodRuntime {
    let resources = crate::runtime::Resources { cpu_shares: Some(2), ..Default::default() };
    let config = SandboxConfig { uid: "u".into(), resources, ..SandboxConfig::default() };
    let ips = vec!["10.0.0.9".parse().expect("an address")];
    let status = SandboxStatus {
        id: SandboxId("s".into()),
        config,
        ready: sandbox,
        ips,
        created_at: at(-9),
    };
    let sandboxes = if sandbox || !containers.is_empty() { vec![status] } else { vec![] };
    PodRuntime::new(sandboxes, containers.iter().map(|text| container(text)).collect())
}

fn pod(spec: &Value) -> Pod {
    let mut whole = json!({"containers": [{"name": "c", "image": "i"}], "nodeName": "n", "terminationGracePeriodSeconds": 30});
    for (name, value) in spec.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    let meta = json!({"name": "p", "namespace": "ns", "uid": "u"});
    serde_json::from_value(json!({"metadata": meta, "spec": whole})).expect("a pod")
}

fn memory() -> Memory {
    let start_time = Some(Timestamp::from_second(NOW - 60).expect("a time"));
    let volumes = Volumes::Ready { stale: false, renew_at: None };
    Memory { volumes, start_time, ..Memory::default() }
}

fn decide(pod: &Pod, runtime: &PodRuntime, memory: &Memory, probes: &PodProbes) -> Plan {
    plan(&Input {
        pod,
        runtime,
        memory,
        probes,
        host_ip: "10.0.0.1".parse().expect("an address"),
        runtime_name: "fake",
        now: Timestamp::from_second(NOW).expect("a time"),
    })
}

fn short(step: &Step) -> String {
    match step {
        Step::Start { name, attempt, backoff, .. } => format!("start {name}:{attempt} {backoff}"),
        Step::Stop { id, .. } => format!("stop {}", id.0),
        Step::RemoveContainer(id) => format!("remove {}", id.0),
        Step::AnnounceBackoff { .. } => "announce".into(),
        Step::RunSandbox { attempt } => format!("sandbox {attempt}"),
        Step::RemoveSandbox(_) => "remove sandbox".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[test]
fn what_is_done_and_shown() {
    let inits = json!({"initContainers": [
        {"name": "one", "image": "i"}, {"name": "side", "image": "i", "restartPolicy": "Always"}]});
    let inits_never = json!({"restartPolicy": "Never", "initContainers": inits["initContainers"]});
    let (never, onfailure) =
        (json!({"restartPolicy": "Never"}), json!({"restartPolicy": "OnFailure"}));
    let two = json!({"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]});
    let debug = json!({"ephemeralContainers": [{"name": "e", "image": "i"}]});
    let deadline = json!({"activeDeadlineSeconds": 50});
    let none = json!({});
    type Case<'a> = (&'a Value, bool, &'a [&'a str], &'a [&'a str], &'a str);
    let cases: &[Case<'_>] = &[
        // Up.
        (&none, false, &[], &["sandbox 0"], "Pending"),
        (&none, true, &[], &["start c:0 0"], "Pending"),
        (&none, true, &["c:0 created"], &["start c:0 0"], "Pending"),
        (&none, true, &["c:0 running"], &[], "Running"),
        (&two, true, &["c:0 running"], &["start d:0 0"], "Pending"),
        (&debug, true, &["c:0 running"], &["start e:0 0"], "Running"),
        (&debug, true, &["c:0 running", "e:0 exit 1 3"], &[], "Running"),
        // Down and up again.
        (&none, true, &["c:0 exit 0 3"], &["start c:1 10"], "Running"),
        (&none, true, &["c:1 exit 1 3 10"], &["announce"], "Running"),
        (&none, true, &["c:1 exit 1 10 10"], &["start c:2 20"], "Running"),
        (&none, true, &["c:9 exit 1 300 300"], &["start c:10 300"], "Running"),
        (&none, true, &["c:2 running", "c:1 exit 1 9", "c:0 exit 1 9"], &["remove c:0"], "Running"),
        (&onfailure, true, &["c:0 exit 2 3"], &["start c:1 10"], "Running"),
        (&onfailure, true, &["c:0 exit 0 3"], &["cleanup"], "Succeeded"),
        (&never, true, &["c:0 exit 0 3"], &["cleanup"], "Succeeded"),
        (&never, true, &["c:0 exit 2 3"], &["cleanup"], "Failed"),
        // The sandbox is lost.
        (&none, false, &["c:0 running"], &["stop c:0"], "Running"),
        (&none, false, &["c:0 exit 137 3"], &["sandbox 1"], "Running"),
        // Init containers and sidecars.
        (&inits, true, &[], &["start one:0 0"], "Pending"),
        (&inits, true, &["one:0 running"], &[], "Pending"),
        (&inits, true, &["one:0 exit 0 1"], &["start side:0 0"], "Pending"),
        (&inits, true, &["one:0 exit 3 1"], &["start one:1 10"], "Pending"),
        (&inits_never, true, &["one:0 exit 3 1"], &["cleanup"], "Failed"),
        (&inits, true, &["one:0 exit 0 1", "side:0 running"], &["start c:0 0"], "Pending"),
        (
            &inits,
            true,
            &["one:0 exit 0 1", "side:0 exit 0 1", "c:0 running"],
            &["start side:1 10"],
            "Running",
        ),
        (
            &inits_never,
            true,
            &["one:0 exit 0 1", "side:0 running", "c:0 exit 0 1"],
            &["stop side:0"],
            "Running",
        ),
        (
            &inits_never,
            true,
            &["one:0 exit 0 1", "side:0 exit 0 1", "c:0 exit 0 1"],
            &["cleanup"],
            "Succeeded",
        ),
        // Ends.
        (&deadline, true, &["c:0 running"], &["stop c:0"], "Running"),
        (&deadline, true, &["c:0 exit 137 1"], &["cleanup"], "Failed"),
    ];
    for (spec, sandbox, containers, steps, phase) in cases {
        let mut memory = memory();
        memory.status.phase = Some("Running".into());
        let done =
            decide(&pod(spec), &runtime(*sandbox, containers), &memory, &PodProbes::default());
        let taken: Vec<_> = done.steps.iter().map(short).collect();
        assert_eq!(taken, *steps, "{spec} {sandbox} {containers:?}");
        assert_eq!(done.status.phase.as_deref(), Some(*phase), "{spec} {sandbox} {containers:?}");
    }
}

#[test]
fn a_container_in_back_off_says_so_and_wakes_in_time() {
    let runtime = runtime(true, &["c:3 exit 1 4 40"]);
    let done = decide(&pod(&json!({})), &runtime, &memory(), &PodProbes::default());
    assert_eq!(done.wake, Timestamp::from_second(NOW + 36).ok());
    let status = &done.status.container_statuses.expect("one")[0];
    let waiting = status.state.clone().and_then(|s| s.waiting).expect("it waits");
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    let message = "back-off 40s restarting failed container=c pod=p_ns(u)";
    assert_eq!(waiting.message.as_deref(), Some(message));
    assert_eq!(status.restart_count, 3);
    let last = status.last_state.clone().and_then(|s| s.terminated).expect("it ended");
    assert_eq!(last.exit_code, 1);
}

#[test]
fn a_long_life_makes_up_for_failures() {
    let mut container = container("c:5 exit 1 4 300");
    container.created_at = at(-700);
    let runtime = PodRuntime::new(runtime(true, &[]).sandboxes, vec![container]);
    let runtime = PodRuntime {
        sandboxes: super::tests::runtime(true, &["c:5 running"]).sandboxes,
        ..runtime
    };
    let done = decide(&pod(&json!({})), &runtime, &memory(), &PodProbes::default());
    assert_eq!(done.steps.iter().map(short).collect::<Vec<_>>(), ["start c:6 10"]);
}

#[test]
fn probes_decide_over_readiness_and_life() {
    let probe = json!({"exec": {"command": ["x"]}});
    let spec = json!({"containers": [{"name": "c", "image": "i", "readinessProbe": probe, "livenessProbe": probe, "startupProbe": probe}]});
    let (pod, runtime) = (pod(&spec), runtime(true, &["c:0 running"]));
    let id = ContainerId("c:0".into());
    let mut probes = PodProbes::default();
    let look = |probes: &PodProbes| {
        let done = decide(&pod, &runtime, &memory(), probes);
        let status = done.status.container_statuses.expect("one")[0].clone();
        (status.started, status.ready, done.steps.iter().map(short).collect::<Vec<_>>())
    };
    assert_eq!(look(&probes), (Some(false), false, vec![]));
    probes.set(&id, Kind::Startup, true);
    assert_eq!(look(&probes), (Some(true), false, vec![]));
    probes.set(&id, Kind::Readiness, true);
    assert_eq!(look(&probes), (Some(true), true, vec![]));
    probes.set(&id, Kind::Liveness, false);
    assert_eq!(look(&probes).2, ["stop c:0"]);
}

#[test]
fn a_deleted_pod_ends_step_by_step() {
    let mut pod = pod(&json!({}));
    pod.metadata.deletion_timestamp =
        Timestamp::from_second(NOW + 30).ok().map(windlass_core::apis::meta::v1::Time);
    pod.metadata.deletion_grace_period_seconds = Some(30);
    let mut memory = memory();
    let steps = |memory: &Memory, containers: &[&str]| {
        let done = decide(&pod, &runtime(true, containers), memory, &PodProbes::default());
        done.steps.iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(steps(&memory, &["c:0 running"]), ["stop c:0"]);
    memory
        .busy
        .stops
        .insert(ContainerId("c:0".into()), Timestamp::from_second(NOW + 30).expect("a time"));
    assert!(steps(&memory, &["c:0 running"]).is_empty());
    memory.busy.stops.clear();
    assert_eq!(steps(&memory, &["c:0 exit 0 1"]), ["cleanup"]);
    memory.cleaned = true;
    assert_eq!(steps(&memory, &["c:0 exit 0 1"]), ["finish"]);
}

#[test]
fn a_stop_is_hurried_but_never_slowed() {
    let (mut memory, probes) = (memory(), PodProbes::default());
    let mut pod = pod(&json!({}));
    let runtime = runtime(true, &["c:0 running"]);
    memory.gone = true;
    memory
        .busy
        .stops
        .insert(ContainerId("c:0".into()), Timestamp::from_second(NOW + 30).expect("a time"));
    pod.metadata.deletion_grace_period_seconds = Some(1);
    assert_eq!(
        decide(&pod, &runtime, &memory, &probes).steps.iter().map(short).collect::<Vec<_>>(),
        ["stop c:0"]
    );
    pod.metadata.deletion_grace_period_seconds = Some(300);
    assert!(decide(&pod, &runtime, &memory, &probes).steps.is_empty());
}

#[test]
fn a_pod_that_is_over_stays_as_it_was_told() {
    let pod = pod(&json!({"restartPolicy": "Never", "activeDeadlineSeconds": 50}));
    let runtime = runtime(true, &["c:0 exit 0 3"]);
    let mut memory = memory();
    for _ in 0..2 {
        let done = decide(&pod, &runtime, &memory, &PodProbes::default());
        assert_eq!(done.status.phase.as_deref(), Some("Succeeded"));
        assert_eq!(done.status.reason, None);
        memory.status = done.status;
    }
}

#[test]
fn another_image_starts_a_container_anew() {
    let mut container = container("c:0 running");
    container.annotations.insert(IMAGE_ANNOTATION.into(), "old".into());
    let runtime = PodRuntime::new(runtime(true, &[]).sandboxes, vec![container]);
    let done = decide(&pod(&json!({})), &runtime, &memory(), &PodProbes::default());
    assert_eq!(done.steps.iter().map(short).collect::<Vec<_>>(), ["stop c:0"]);
}

#[test]
fn a_rejected_pod_fails_with_its_reason() {
    let rejected = Some(Rejection { reason: "OutOfcpu".into(), message: "no".into() });
    let memory = Memory { rejected, ..memory() };
    let done = decide(&pod(&json!({})), &runtime(false, &[]), &memory, &PodProbes::default());
    assert_eq!(done.status.phase.as_deref(), Some("Failed"));
    assert_eq!(done.status.reason.as_deref(), Some("OutOfcpu"));
}

#[test]
fn a_container_stopped_to_start_again_starts_at_once_whatever_its_policy() {
    let mut memory = memory();
    memory.status.phase = Some("Running".into());
    memory.again.insert(ContainerId("c:1".into()));
    for policy in ["Always", "OnFailure", "Never"] {
        let pod = pod(&json!({"restartPolicy": policy}));
        let runtime = runtime(true, &["c:1 exit 0 1 40"]);
        let done = decide(&pod, &runtime, &memory, &PodProbes::default());
        assert_eq!(done.steps.iter().map(short).collect::<Vec<_>>(), ["start c:2 40"], "{policy}");
        assert_eq!(done.status.phase.as_deref(), Some("Running"), "{policy}");
    }
}
