//! `/stats/summary`, as far as it is known.

use super::{Stats, timestamp};
use crate::runtime::Usage;
use serde_json::{Value, json};
use std::time::SystemTime;

pub(crate) fn summary(stats: &Stats) -> Value {
    let pods = stats.pods.iter().map(|pod| {
        let of = &pod.pod;
        let containers: Vec<_> = pod
            .containers
            .iter()
            .map(|c| used(json!({"name": c.name, "startTime": time(c.started_at)}), &c.usage))
            .collect();
        let reference = json!({"name": of.name, "namespace": of.namespace, "uid": of.uid});
        let started = time(pod.started_at);
        let all = json!({"podRef": reference, "startTime": started, "containers": containers});
        used(all, &pod.usage)
    });
    let pods: Vec<_> = pods.collect();
    let mut node = json!({"nodeName": stats.node_name});
    if let Some(usage) = &stats.node {
        node = used(node, usage);
    }
    json!({"node": node, "pods": pods})
}

fn used(mut of: Value, usage: &Usage) -> Value {
    let at = time(usage.at);
    let nanos = u64::try_from(usage.cpu.as_nanos()).unwrap_or(u64::MAX);
    of["cpu"] = json!({"time": at, "usageCoreNanoSeconds": nanos});
    let (memory, set) = (usage.memory, usage.working_set);
    of["memory"] = json!({"time": at, "usageBytes": memory, "workingSetBytes": set});
    of
}

fn time(at: SystemTime) -> String {
    format!("{:.0}", timestamp(at))
}
