//! Whether a pod that was bound to this node may run on it.

use super::memory::Rejection;
use crate::config::{Config, Machine};
use crate::pod::PodExt;
use crate::resources::{Requests, requests};
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::Pod;

/// What the pods here have taken, by uid.
pub(super) type Taken = BTreeMap<String, Requests>;

/// Why a pod may not run here, if so. `node_labels` are those of the Node.
pub(super) fn admit(
    pod: &Pod,
    taken: &Taken,
    config: &Config,
    node_labels: &BTreeMap<String, String>,
) -> Option<Rejection> {
    let count = taken.keys().filter(|uid| *uid != pod.uid()).count();
    if count >= config.max_pods {
        return Some(rejected("pods", &lack("pods", 1, count, config.max_pods)));
    }
    match lacking(pod, taken, config) {
        Some((what, message)) => Some(rejected(what, &message)),
        None => selector_mismatch(pod, config, node_labels),
    }
}

/// Whether the node's cpu and memory suffice for what a pod asks for beside what the others have.
///
/// # Errors
/// In words, what does not.
pub(super) fn resources(pod: &Pod, taken: &Taken, config: &Config) -> Result<(), String> {
    lacking(pod, taken, config).map_or(Ok(()), |(_, message)| Err(message))
}

/// Whether a node without any other pod has what a pod asks for.
///
/// # Errors
/// In words, what it has not.
pub(super) fn can_ever(pod: &Pod, config: &Config) -> Result<(), String> {
    let (Requests { milli_cpu, memory }, machine) = (requests(pod), &config.machine);
    let short = |what: &str, asked: i64, has: i64| {
        Err(format!(
            "Node didn't have enough capacity: {what}, requested: {asked}, capacity: {has}"
        ))
    };
    match () {
        () if memory > machine.memory => short("memory", memory, machine.memory),
        () if milli_cpu > machine.milli_cpu => short("cpu", milli_cpu, machine.milli_cpu),
        () => Ok(()),
    }
}

fn lacking(pod: &Pod, taken: &Taken, config: &Config) -> Option<(&'static str, String)> {
    let others = taken.iter().filter(|(uid, _)| *uid != pod.uid());
    let used = others.fold(Requests::default(), |sum, (_, own)| sum + *own);
    let Machine { milli_cpu, memory, .. } = config.machine;
    let wanted = requests(pod);
    if wanted.milli_cpu > 0 && used.milli_cpu + wanted.milli_cpu > milli_cpu {
        return Some(("cpu", lack("cpu", wanted.milli_cpu, used.milli_cpu, milli_cpu)));
    }
    if wanted.memory > 0 && used.memory + wanted.memory > memory {
        return Some(("memory", lack("memory", wanted.memory, used.memory, memory)));
    }
    None
}

fn lack(
    what: &str,
    requested: impl std::fmt::Display,
    used: impl std::fmt::Display,
    capacity: impl std::fmt::Display,
) -> String {
    format!(
        "Node didn't have enough resource: {what}, requested: {requested}, used: {used}, capacity: {capacity}"
    )
}

fn rejected(what: &str, message: &str) -> Rejection {
    Rejection { reason: format!("OutOf{what}"), message: format!("Pod was rejected: {message}") }
}

fn selector_mismatch(
    pod: &Pod,
    config: &Config,
    labels: &BTreeMap<String, String>,
) -> Option<Rejection> {
    let spec = pod.pod_spec();
    let here = spec.node_name.as_deref() == Some(config.node_name.as_str());
    let selector = spec.node_selector.iter().flatten();
    let fits = selector.into_iter().all(|(key, value)| labels.get(key) == Some(value));
    (!here || !fits).then(|| Rejection {
        reason: "NodeAffinity".into(),
        message: "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector".into(),
    })
}
