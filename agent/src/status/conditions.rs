//! The conditions of a pod (Pod lifecycle, "Pod conditions").

use super::{is_terminal, whole_seconds};
use crate::eviction::EVICTED;
use crate::node_shutdown::TERMINATED;
use crate::pod::{PodExt, Role, init_role};
use crate::pod_workers::memory::Resize;
use crate::pod_workers::plan::Input;
use crate::pod_workers::resize;
use windlass_core::apis::core::v1::{ContainerStatus, PodCondition, PodStatus};

/// `Err` is the reason and the message why a condition does not hold.
type Holds = Result<Option<&'static str>, (&'static str, String)>;

pub(super) fn generate(input: &Input<'_>, status: &PodStatus) -> Vec<PodCondition> {
    let containers = containers_ready(input, status);
    let ready = containers.clone().and_then(|reason| gates(input).map(|()| reason));
    let sandbox = match input.runtime.sandbox() {
        Some(_) => Ok(None),
        None => Err(("", String::new())),
    };
    [
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", initialized(input, status)),
        ("Ready", ready),
        ("ContainersReady", containers),
        ("PodScheduled", Ok(None)),
    ]
    .into_iter()
    .map(|(kind, holds)| condition(input, kind, holds))
    .chain(resize(input))
    .chain(disruption(input))
    .collect()
}

/// That the node takes the pod away (KEP-3329).
fn disruption(input: &Input<'_>) -> Option<PodCondition> {
    let why = input.memory.ending.as_ref()?.why.as_ref();
    let (_, message) =
        why.filter(|(reason, _)| [EVICTED, TERMINATED].contains(&reason.as_str()))?;
    let base = condition(input, "DisruptionTarget", Ok(Some("TerminationByKubelet")));
    Some(PodCondition { message: Some(message.clone()), ..base })
}

/// The conditions that are there only as long as a resize is not done (KEP-1287).
pub(super) const PASSING: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

fn resize(input: &Input<'_>) -> impl Iterator<Item = PodCondition> {
    let pending = input.memory.resize.as_ref().map(|why| match why {
        Resize::Deferred(words) => ("Deferred", words),
        Resize::Infeasible(words) => ("Infeasible", words),
    });
    let under_way = input.runtime.running().any(|c| resize::change(input.pod, c).is_some());
    let failure = input.memory.resize_failure.as_ref();
    let failure = failure.map_or(("", ""), |failure| ("Error", failure.message.as_str()));
    let holds = |kind, (reason, message): (&str, &str)| {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let base = condition(input, kind, Ok(None));
        PodCondition { reason: some(reason), message: some(message), ..base }
    };
    let pending = pending.map(|(reason, words)| holds(PASSING[0], (reason, words)));
    pending.into_iter().chain(under_way.then(|| holds(PASSING[1], failure)))
}

fn condition(input: &Input<'_>, kind: &str, holds: Holds) -> PodCondition {
    let (value, reason, message) = match holds {
        Ok(reason) => ("True", reason.unwrap_or_default(), String::new()),
        Err((reason, message)) => ("False", reason, message),
    };
    let in_api = input.pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let known = input.memory.status.conditions.iter().flatten().chain(in_api);
    let same = known.filter(|c| c.type_ == kind).find(|c| c.status == value);
    let since = same.and_then(|c| c.last_transition_time.clone());
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    PodCondition {
        type_: kind.into(),
        status: value.into(),
        reason: some(reason),
        message: some(&message),
        last_transition_time: since.or_else(|| Some(whole_seconds(input.now))),
        ..PodCondition::default()
    }
}

fn phase_reason(status: &PodStatus) -> Option<&'static str> {
    match status.phase.as_deref() {
        Some("Succeeded") => Some("PodCompleted"),
        Some("Failed") => Some("PodFailed"),
        _ => None,
    }
}

fn initialized(input: &Input<'_>, status: &PodStatus) -> Holds {
    if status.phase.as_deref() == Some("Succeeded") {
        return Ok(Some("PodCompleted"));
    }
    let apps = &input.pod.pod_spec().containers;
    if apps.iter().any(|c| input.runtime.current(&c.name).is_some()) {
        return Ok(None);
    }
    let incomplete = |c: &&windlass_core::apis::core::v1::Container| {
        let of = find(&status.init_container_statuses, &c.name);
        match init_role(c) {
            Role::Sidecar => of.is_none_or(|s| s.started != Some(true)),
            _ => !of.is_some_and(|s| s.ready),
        }
    };
    let names: Vec<_> =
        input.pod.init_containers().iter().filter(incomplete).map(|c| c.name.as_str()).collect();
    named(&names, "ContainersNotInitialized", "containers with incomplete status")
}

fn containers_ready(input: &Input<'_>, status: &PodStatus) -> Holds {
    if status.phase.as_deref().is_some_and(is_terminal) {
        return Err((phase_reason(status).unwrap_or_default(), String::new()));
    }
    let spec = input.pod.pod_spec();
    let sidecars = input.pod.init_containers().iter().filter(|c| init_role(c) == Role::Sidecar);
    let sidecars = sidecars.map(|c| (c, &status.init_container_statuses));
    let apps = spec.containers.iter().map(|c| (c, &status.container_statuses));
    let unready =
        sidecars.chain(apps).filter(|(c, list)| !find(list, &c.name).is_some_and(|s| s.ready));
    let names: Vec<_> = unready.map(|(c, _)| c.name.as_str()).collect();
    named(&names, "ContainersNotReady", "containers with unready status")
}

fn gates(input: &Input<'_>) -> Result<(), (&'static str, String)> {
    let conditions = || input.pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let mut problems = Vec::new();
    for gate in input.pod.pod_spec().readiness_gates.iter().flatten() {
        let kind = &gate.condition_type;
        match conditions().find(|c| c.type_ == *kind) {
            Some(c) if c.status == "True" => {}
            Some(_) => problems.push(format!(
                "the status of pod readiness gate \"{kind}\" is not \"True\", but False"
            )),
            None => problems.push(format!(
                "corresponding condition of pod readiness gate \"{kind}\" does not exist."
            )),
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(("ReadinessGatesNotReady", problems.join(", "))),
    }
}

fn named(names: &[&str], reason: &'static str, what: &str) -> Holds {
    match names.is_empty() {
        true => Ok(None),
        false => Err((reason, format!("{what}: [{}]", names.join(" ")))),
    }
}

fn find<'a>(list: &'a Option<Vec<ContainerStatus>>, name: &str) -> Option<&'a ContainerStatus> {
    list.iter().flatten().find(|status| status.name == name)
}
