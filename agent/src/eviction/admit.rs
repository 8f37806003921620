//! Which pods a node under pressure still takes.

use super::{Pressure, Verdicts};
use crate::pod::PodExt;
use crate::pod_workers::memory::Rejection;
use crate::resources::{Qos, qos};
use windlass_core::apis::core::v1::{Pod, Toleration};

/// Pods of this priority and above are those the cluster can't do without.
const CRITICAL: i32 = 2_000_000_000;
const MEMORY_TAINT: &str = "node.kubernetes.io/memory-pressure";

/// Whether a pod stays whatever the node runs short of.
pub(crate) fn is_critical(pod: &Pod) -> bool {
    pod.is_static() || pod.pod_spec().priority.is_some_and(|priority| priority >= CRITICAL)
}

/// Why the node does not take a pod as it is now, if so.
pub(crate) fn admit(pod: &Pod, verdicts: &Verdicts) -> Option<Rejection> {
    match verdicts.is_closed() {
        true => Some(Rejection {
            reason: "NodeShutdown".into(),
            message: "Pod was rejected as the node is shutting down.".into(),
        }),
        false => under(pod, verdicts.pressure()),
    }
}

fn under(pod: &Pod, pressure: Pressure) -> Option<Rejection> {
    let only_memory = pressure.memory && !pressure.disk && !pressure.pid;
    let tolerates = || pod.pod_spec().tolerations.iter().flatten().any(tolerates_memory);
    let fits = pressure == Pressure::default()
        || is_critical(pod)
        || only_memory && (qos(pod) != Qos::BestEffort || tolerates());
    let names = [
        (pressure.memory, "MemoryPressure"),
        (pressure.disk, "DiskPressure"),
        (pressure.pid, "PIDPressure"),
    ];
    let names: Vec<_> = names.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect();
    (!fits).then(|| Rejection {
        reason: "Evicted".into(),
        message: format!("Pod was rejected: The node had condition: [{}]. ", names.join(" ")),
    })
}

fn tolerates_memory(toleration: &Toleration) -> bool {
    let word = |field: &Option<String>| field.clone().unwrap_or_default();
    let effect = word(&toleration.effect);
    let any = word(&toleration.operator) == "Exists";
    let key = word(&toleration.key);
    let value = any || word(&toleration.value).is_empty();
    (effect.is_empty() || effect == "NoSchedule")
        && (key == MEMORY_TAINT && value || key.is_empty() && any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refused(spec: &Value, pressure: Pressure) -> bool {
        let pod = json!({"metadata": {"name": "p"}, "spec": spec});
        under(&serde_json::from_value(pod).expect("a pod"), pressure).is_some()
    }

    #[test]
    fn want_of_memory_refuses_those_that_ask_for_nothing() {
        let memory = Pressure { memory: true, ..Pressure::default() };
        let best_effort = json!({"containers": [{"name": "c"}]});
        let burstable =
            json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]});
        let tolerant = json!({"containers": [{"name": "c"}], "tolerations": [{"key": MEMORY_TAINT, "operator": "Exists"}]});
        assert!(!refused(&best_effort, Pressure::default()));
        assert!(refused(&best_effort, memory));
        assert!(!refused(&burstable, memory) && !refused(&tolerant, memory));
    }

    #[test]
    fn want_of_disk_refuses_all_but_those_that_must_be() {
        let disk = Pressure { disk: true, ..Pressure::default() };
        let burstable =
            json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]});
        let critical = json!({"containers": [{"name": "c"}], "priority": CRITICAL});
        assert!(refused(&burstable, disk) && !refused(&critical, disk));
    }
}
