//! A few numbers about the node and its pods.

use crate::pod_workers::Host;
use crate::pod_workers::snapshot::is_running;
use std::fmt::Write;

/// In Prometheus' text format.
pub(super) fn render(host: &Host, bound: usize) -> String {
    let (mut running, mut exited, mut sandboxes) = (0, 0, 0);
    for uid in host.cache.uids() {
        let pod = host.cache.pod(&uid);
        let up = pod.containers.iter().filter(|c| is_running(c)).count();
        running += up;
        exited += pod.containers.len() - up;
        sandboxes += pod.sandboxes.iter().filter(|s| s.ready).count();
    }
    let mut text = String::new();
    let mut metric = |name: &str, help: &str, rows: &[(&str, usize)]| {
        // Writing to a String can't fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").ok();
        for (labels, value) in rows {
            writeln!(text, "{name}{labels} {value}").ok();
        }
    };
    metric("kubelet_desired_pods", "Pods bound to this node", &[("", bound)]);
    metric("kubelet_running_pods", "Pods that have a running sandbox", &[("", sandboxes)]);
    let rows =
        [("{container_state=\"running\"}", running), ("{container_state=\"exited\"}", exited)];
    metric("kubelet_running_containers", "Containers by their state", &rows);
    text
}
