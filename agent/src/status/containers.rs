//! The status of each container.

use super::{SHOWN_AS_ERROR, time};
use crate::pod::{PodExt, Role};
use crate::pod_workers::memory::Waiting;
use crate::pod_workers::plan::{Input, restart_wait};
use crate::pod_workers::resize;
use crate::pod_workers::snapshot::{IMAGE_ANNOTATION, IMAGE_ID_ANNOTATION, ended, is_running};
use crate::runtime::{self, ContainerState as State};
use windlass_core::apis::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus,
};

/// The three lists of a pod's status.
pub(super) struct Lists {
    pub(super) init: Option<Vec<ContainerStatus>>,
    pub(super) app: Option<Vec<ContainerStatus>>,
    pub(super) ephemeral: Option<Vec<ContainerStatus>>,
}

pub(super) fn generate(input: &Input<'_>) -> Lists {
    let (mut init, mut app, mut ephemeral) = (Vec::new(), Vec::new(), Vec::new());
    for (role, container) in input.pod.containers() {
        let list = match role {
            Role::Init | Role::Sidecar => &mut init,
            Role::App => &mut app,
            Role::Ephemeral => &mut ephemeral,
        };
        list.push(status(input, role, &container));
    }
    let some = |list: Vec<ContainerStatus>| Some(list).filter(|list| !list.is_empty());
    Lists { init: some(init), app: some(app), ephemeral: some(ephemeral) }
}

fn status(input: &Input<'_>, role: Role, container: &Container) -> ContainerStatus {
    let mut starts = input.runtime.of(&container.name);
    let (latest, previous) = (starts.next(), starts.next());
    let image = container.image.clone().unwrap_or_default();
    let Some(latest) = latest else {
        return never_started(input, role, container, image);
    };
    let mut last_state = previous.map(|c| terminated(input, c)).filter(|s| s.terminated.is_some());
    let state = match waiting_again(input, role, latest) {
        Some(waiting) => {
            let end = terminated(input, latest);
            last_state = if end.terminated.is_some() { Some(end) } else { last_state };
            ContainerState { waiting: Some(waiting), ..Default::default() }
        }
        None => state(input, latest),
    };
    let started = is_running(latest)
        && input.memory.busy.start.as_deref() != Some(&container.name)
        && input.probes.is_started(container, &latest.id);
    let completed = role == Role::Init && ended(latest).is_some_and(|end| end.exit_code == 0);
    let ready = completed || started && input.probes.is_ready(container, &latest.id);
    ContainerStatus {
        name: container.name.clone(),
        image: latest.annotations.get(IMAGE_ANNOTATION).cloned().unwrap_or(image),
        image_id: latest.annotations.get(IMAGE_ID_ANNOTATION).cloned().unwrap_or_default(),
        container_id: Some(full_id(input, latest)),
        restart_count: i32::try_from(latest.attempt).unwrap_or(i32::MAX),
        ready,
        started: Some(started),
        state: Some(state),
        last_state,
        ..with_resources(input, container, Some(latest))
    }
}

/// What a container was given, and what it has: while that differs, what was shown before.
fn with_resources(
    input: &Input<'_>,
    container: &Container,
    latest: Option<&runtime::ContainerStatus>,
) -> ContainerStatus {
    let given = container.resources.clone().unwrap_or_default();
    let lags = latest.is_some_and(|c| is_running(c) && resize::change(input.pod, c).is_some());
    let shown = shown(input, &container.name).and_then(|status| status.resources.clone());
    ContainerStatus {
        allocated_resources: given.requests.clone().filter(|list| !list.is_empty()),
        resources: Some(shown.filter(|_| lags).unwrap_or(given)),
        ..ContainerStatus::default()
    }
}

/// What was shown last of a container.
fn shown<'a>(input: &'a Input<'_>, name: &str) -> Option<&'a ContainerStatus> {
    let old = &input.memory.status;
    let old = old.container_statuses.iter().chain(&old.init_container_statuses).flatten();
    old.into_iter().find(|status| status.name == name)
}

fn never_started(
    input: &Input<'_>,
    role: Role,
    container: &Container,
    image: String,
) -> ContainerStatus {
    // What the API showed of a container that the runtime has lost is all there is to show.
    let ended = |c: &&ContainerStatus| c.state.as_ref().is_some_and(|s| s.terminated.is_some());
    if let Some(known) = shown(input, &container.name).filter(ended) {
        return ContainerStatus { ready: false, started: Some(false), ..known.clone() };
    }
    let waiting = match input.memory.waiting.get(&container.name) {
        Some(waiting) => words(input, waiting),
        None => words_before_start(input, role),
    };
    ContainerStatus {
        name: container.name.clone(),
        image,
        ready: false,
        started: Some(false),
        state: Some(ContainerState { waiting: Some(waiting), ..Default::default() }),
        last_state: None,
        ..with_resources(input, container, None)
    }
}

fn words_before_start(input: &Input<'_>, role: Role) -> ContainerStateWaiting {
    let has_init = !input.pod.init_containers().is_empty();
    let reason =
        if has_init || role == Role::Init { "PodInitializing" } else { "ContainerCreating" };
    ContainerStateWaiting { reason: Some(reason.into()), message: None }
}

/// What a container that ended waits for before it runs again.
fn waiting_again(
    input: &Input<'_>,
    role: Role,
    latest: &runtime::ContainerStatus,
) -> Option<ContainerStateWaiting> {
    let end = ended(latest)?;
    if !input.restarts(latest, role, &end) {
        return None;
    }
    if let Some(waiting) = input.memory.waiting.get(&latest.name) {
        return Some(words(input, waiting));
    }
    if input.pod.deletion().is_some() || input.stopped_to_start(latest) {
        return None;
    }
    let (_, seconds) = restart_wait(latest, &end, input.now)?;
    let message = format!(
        "back-off {} restarting failed container={} pod={}",
        go_seconds(seconds),
        latest.name,
        input.pod.full_name()
    );
    Some(ContainerStateWaiting { reason: Some("CrashLoopBackOff".into()), message: Some(message) })
}

fn words(input: &Input<'_>, waiting: &Waiting) -> ContainerStateWaiting {
    let (reason, message) = match &waiting.later {
        Some((reason, message)) if waiting.since + SHOWN_AS_ERROR <= input.now => {
            (*reason, message)
        }
        _ => (waiting.reason, &waiting.message),
    };
    let message = Some(message.clone()).filter(|message| !message.is_empty());
    ContainerStateWaiting { reason: Some(reason.into()), message }
}

fn state(input: &Input<'_>, container: &runtime::ContainerStatus) -> ContainerState {
    match &container.state {
        State::Running { started_at, .. } => ContainerState {
            running: Some(ContainerStateRunning { started_at: Some(time(*started_at)) }),
            ..Default::default()
        },
        State::Exited { .. } => terminated(input, container),
        State::Created => ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: Some("ContainerCreating".into()),
                message: None,
            }),
            ..Default::default()
        },
    }
}

fn terminated(input: &Input<'_>, container: &runtime::ContainerStatus) -> ContainerState {
    let State::Exited { started_at, finished_at, exit_code, reason, message } = &container.state
    else {
        return ContainerState::default();
    };
    let words = input.memory.messages.get(&container.id).filter(|words| !words.is_empty());
    let message = words.unwrap_or(message);
    let state = ContainerStateTerminated {
        container_id: Some(full_id(input, container)),
        exit_code: *exit_code,
        started_at: Some(time(started_at.unwrap_or(*finished_at))),
        finished_at: Some(time(*finished_at)),
        reason: Some(reason.clone()),
        message: Some(message.clone()).filter(|message| !message.is_empty()),
        signal: None,
    };
    ContainerState { terminated: Some(state), ..Default::default() }
}

fn full_id(input: &Input<'_>, container: &runtime::ContainerStatus) -> String {
    format!("{}://{}", input.runtime_name, container.id.0)
}

/// Seconds as Go prints a duration: `10s`, `1m20s`, `5m0s`.
pub(crate) fn go_seconds(seconds: u64) -> String {
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{}s", seconds % 60),
    }
}
