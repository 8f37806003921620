//! Pods: the state that people look for is put together from phase, conditions and containers.

use super::age::since;
use super::column::Column;
use super::row::{Cells, NONE};
use jiff::Timestamp;
use serde::Deserialize;
use windlass_core::{Object, Result};

pub(super) static COLUMNS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Ready", "string", 0),
    Column::new("Status", "string", 0),
    Column::new("Restarts", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("IP", "string", 1),
    Column::new("Node", "string", 1),
    Column::new("Nominated Node", "string", 1),
    Column::new("Readiness Gates", "string", 1),
];

#[derive(Deserialize)]
struct Pod {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: Option<String>,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    readiness_gates: Vec<Gate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    condition_type: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    phase: String,
    reason: String,
    nominated_node_name: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    conditions: Vec<Condition>,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    ready: bool,
    started: Option<bool>,
    restart_count: u32,
    state: ContainerState,
    last_state: ContainerState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    waiting: Option<Waiting>,
    running: Option<serde::de::IgnoredAny>,
    terminated: Option<Terminated>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    reason: String,
    exit_code: i32,
    signal: i32,
    finished_at: Option<String>,
}

/// What the containers add up to.
#[derive(Default)]
struct Summary {
    reason: String,
    ready: usize,
    restarts: u32,
    last_restart: Option<String>,
}

pub(super) fn cells(object: &Object, now: Timestamp) -> Result<Cells> {
    let pod: Pod = object.view()?;
    let summary = summarize(&pod);
    let sidecars = pod.spec.init_containers.iter().filter(|c| c.is_sidecar()).count();
    let total = pod.spec.containers.len() + sidecars;
    let restarts = match &summary.last_restart {
        Some(time) if summary.restarts > 0 => {
            format!("{} ({} ago)", summary.restarts, since(Some(time), now))
        }
        _ => summary.restarts.to_string(),
    };
    let or_none = |text: &Option<String>| match text.as_deref() {
        None | Some("") => NONE.to_owned(),
        Some(text) => text.to_owned(),
    };
    Ok(vec![
        pod.metadata.name.clone().into(),
        format!("{}/{total}", summary.ready).into(),
        summary.reason.into(),
        restarts.into(),
        since(pod.metadata.creation_timestamp.as_deref(), now).into(),
        or_none(&pod.status.pod_ip).into(),
        or_none(&pod.spec.node_name).into(),
        or_none(&pod.status.nominated_node_name).into(),
        gates(&pod).into(),
    ])
}

fn summarize(pod: &Pod) -> Summary {
    let status = &pod.status;
    let reason = if status.reason.is_empty() { &status.phase } else { &status.reason };
    let mut summary = Summary { reason: reason.clone(), ..Summary::default() };
    if status.conditions.iter().any(|c| c.kind == "PodScheduled" && c.reason == "SchedulingGated") {
        summary.reason = "SchedulingGated".into();
    }
    let initializing = init_containers(pod, &mut summary);
    if !initializing || is_true(status, "Initialized") {
        containers(pod, &mut summary);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        if status.reason == "NodeLost" {
            summary.reason = "Unknown".into();
        } else if !["Succeeded", "Failed"].contains(&status.phase.as_str()) {
            summary.reason = "Terminating".into();
        }
    }
    summary
}

/// Looks for the first init container that is not done. Whether there is one.
fn init_containers(pod: &Pod, summary: &mut Summary) -> bool {
    let of = |name: &str| pod.spec.init_containers.iter().find(|c| c.name == name);
    for (at, status) in pod.status.init_container_statuses.iter().enumerate() {
        summary.count_restarts(status);
        let sidecar = of(&status.name).is_some_and(Container::is_sidecar);
        match (&status.state.terminated, &status.state.waiting) {
            (Some(end), _) if end.exit_code == 0 => continue,
            _ if sidecar && status.started == Some(true) => {
                summary.ready += usize::from(status.ready);
                continue;
            }
            (Some(end), _) => summary.reason = format!("Init:{}", end.text()),
            (None, Some(waiting))
                if !["", "PodInitializing"].contains(&waiting.reason.as_str()) =>
            {
                summary.reason = format!("Init:{}", waiting.reason);
            }
            _ => summary.reason = format!("Init:{at}/{}", pod.spec.init_containers.len()),
        }
        return true;
    }
    false
}

fn containers(pod: &Pod, summary: &mut Summary) {
    // Of init containers only those that run along count from here on.
    let sidecar = |status: &&ContainerStatus| {
        pod.spec.init_containers.iter().any(|c| c.name == status.name && c.is_sidecar())
    };
    (summary.restarts, summary.last_restart) = (0, None);
    pod.status
        .init_container_statuses
        .iter()
        .filter(sidecar)
        .for_each(|s| summary.count_restarts(s));
    let mut running = false;
    for status in pod.status.container_statuses.iter().rev() {
        summary.count_restarts(status);
        match (&status.state.waiting, &status.state.terminated) {
            (Some(waiting), _) if !waiting.reason.is_empty() => {
                summary.reason.clone_from(&waiting.reason);
            }
            (_, Some(end)) => summary.reason = end.text(),
            _ if status.ready && status.state.running.is_some() => {
                running = true;
                summary.ready += 1;
            }
            _ => {}
        }
    }
    if summary.reason == "Completed" && running {
        let ready = is_true(&pod.status, "Ready");
        summary.reason = if ready { "Running" } else { "NotReady" }.into();
    }
}

fn gates(pod: &Pod) -> String {
    let all = &pod.spec.readiness_gates;
    if all.is_empty() {
        return NONE.into();
    }
    let met = all.iter().filter(|gate| is_true(&pod.status, &gate.condition_type)).count();
    format!("{met}/{}", all.len())
}

fn is_true(status: &State, kind: &str) -> bool {
    status.conditions.iter().any(|c| c.kind == kind && c.status == "True")
}

// === impl Container ===

impl Container {
    fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

// === impl Terminated ===

impl Terminated {
    fn text(&self) -> String {
        match (self.reason.as_str(), self.signal) {
            ("", 0) => format!("ExitCode:{}", self.exit_code),
            ("", signal) => format!("Signal:{signal}"),
            (reason, _) => reason.to_owned(),
        }
    }
}

// === impl Summary ===

impl Summary {
    fn count_restarts(&mut self, status: &ContainerStatus) {
        self.restarts += status.restart_count;
        let time = status.last_state.terminated.as_ref().and_then(|end| end.finished_at.clone());
        self.last_restart = self.last_restart.take().max(time);
    }
}
