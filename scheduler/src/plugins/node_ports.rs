//! A port of a node belongs to one pod.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::queue::ClusterEvent;
use crate::{HostPort, PodClass, PodInfo, Snapshot};
use std::sync::Arc;

/// Refuses nodes on which a host port of the pod is taken.
pub struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { filter: Some(self), ..Extensions::default() }
    }

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        if pod.host_ports.is_empty() { Reach::Nothing } else { Reach::Node }
    }

    fn may_help(&self, event: &ClusterEvent, _: &PodInfo) -> bool {
        matches!(event, ClusterEvent::NodeAdded(_) | ClusterEvent::PodDeleted(_))
    }
}

impl Filter for NodePorts {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let wanted = &cycle.pod.host_ports;
        if wanted.is_empty() {
            return;
        }
        let taken = |used: &[HostPort]| used.iter().any(|u| wanted.iter().any(|w| u.conflicts(w)));
        let occupied = cycle.snapshot.host_ports().filter(|(_, used)| taken(used));
        let mut nodes: crate::NodeSet = occupied.map(|(id, _)| id).collect();
        nodes.intersect(feasible.nodes());
        feasible.refuse(nodes, "node(s) didn't have free ports for the requested pod ports");
    }
}

impl HostPort {
    fn conflicts(&self, other: &Self) -> bool {
        let all = |ip: &str| matches!(ip, "" | "0.0.0.0");
        (self.port, &self.protocol) == (other.port, &other.protocol)
            && (all(&self.ip) || all(&other.ip) || self.ip == other.ip)
    }
}
