//! Pod status: what the API shows of a pod, as a pure function of what is known about it.

mod conditions;
mod containers;
pub(crate) mod patch;
mod phase;

pub(crate) use phase::{is_shown_over, is_terminal, raw_phase};

use crate::pod::PodExt;
use crate::pod_workers::plan::{Input, Life};
use crate::pod_workers::snapshot::timestamp;
use crate::resources;
use jiff::Timestamp;
use std::time::Duration;
use windlass_core::apis::core::v1::{HostIP, PodIP, PodStatus};
use windlass_core::apis::meta::v1::Time;

/// A failed image pull is shown as such for a moment before it is shown as waiting for the next try.
pub(crate) const SHOWN_AS_ERROR: Duration = Duration::from_secs(2);

/// The status of a pod.
pub(crate) fn generate(input: &Input<'_>, life: &Life) -> PodStatus {
    let lists = containers::generate(input);
    let mut status = PodStatus {
        host_ip: Some(input.host_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: input.host_ip.to_string() }]),
        qos_class: Some(resources::qos(input.pod).as_str().into()),
        start_time: input.memory.start_time.map(Time),
        init_container_statuses: lists.init,
        container_statuses: lists.app,
        ephemeral_container_statuses: lists.ephemeral,
        ..PodStatus::default()
    };
    addresses(input, &mut status);
    phase::set(input, life, &mut status);
    status.conditions = Some(conditions::generate(input, &status));
    status
}

fn addresses(input: &Input<'_>, status: &mut PodStatus) {
    let mut ips: Vec<String> = Vec::new();
    if input.pod.pod_spec().host_network == Some(true) {
        ips.push(input.host_ip.to_string());
    } else if let Some(sandbox) = input.runtime.sandbox() {
        ips.extend(sandbox.ips.iter().map(ToString::to_string));
    } else if let Some(old) = &input.memory.status.pod_ips {
        // The address a pod had stays in its status after its end.
        ips.extend(old.iter().map(|ip| ip.ip.clone()));
    }
    status.pod_ip = ips.first().cloned();
    status.pod_ips = Some(ips.into_iter().map(|ip| PodIP { ip }).collect::<Vec<_>>())
        .filter(|ips| !ips.is_empty());
}

/// When the status changes although nothing happens.
pub(crate) fn next_change(input: &Input<'_>) -> Option<Timestamp> {
    let shown = |waiting: &crate::pod_workers::memory::Waiting| {
        waiting.later.is_some().then(|| waiting.since + SHOWN_AS_ERROR)
    };
    input.memory.waiting.values().filter_map(shown).filter(|at| *at > input.now).min()
}

/// Whether the status of the start of a pod was taken over from the API.
pub(crate) fn start_time(input: &PodStatus) -> Option<Timestamp> {
    input.start_time.as_ref().map(|time| time.0)
}

pub(super) fn time(at: std::time::SystemTime) -> Time {
    whole_seconds(timestamp(at))
}

/// The API's times have no fractions.
pub(super) fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

#[cfg(test)]
mod tests;
