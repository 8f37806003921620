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
    let others = taken.iter().filter(|(uid, _)| *uid != pod.uid());
    let count = others.clone().count();
    if count >= config.max_pods {
        return Some(lack("pods", 1, count, config.max_pods));
    }
    let used = others.fold(Requests::default(), |sum, (_, own)| sum + *own);
    let Machine { milli_cpu, memory, .. } = config.machine;
    let wanted = requests(pod);
    if wanted.milli_cpu > 0 && used.milli_cpu + wanted.milli_cpu > milli_cpu {
        return Some(lack("cpu", wanted.milli_cpu, used.milli_cpu, milli_cpu));
    }
    if wanted.memory > 0 && used.memory + wanted.memory > memory {
        return Some(lack("memory", wanted.memory, used.memory, memory));
    }
    selector_mismatch(pod, config, node_labels)
}

fn lack(
    what: &str,
    requested: impl std::fmt::Display,
    used: impl std::fmt::Display,
    capacity: impl std::fmt::Display,
) -> Rejection {
    let message = format!(
        "Pod was rejected: Node didn't have enough resource: {what}, requested: {requested}, used: {used}, capacity: {capacity}"
    );
    Rejection { reason: format!("OutOf{what}"), message }
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
