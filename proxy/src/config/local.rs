//! Counts ports that drop what comes, for want of an endpoint on this node.

use rustc_hash::FxHashMap;

use crate::model::{Family, ServicePort, TrafficPolicy};

/// Which of a port's policies asks for an endpoint on this node; named as kube-proxy's metrics do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asking {
    Internal,
    External,
}

/// How many ports have a policy `Local`, and endpoints, but none on this node.
#[derive(Debug, Default)]
pub(crate) struct WithoutLocal {
    counts: FxHashMap<(Family, Asking), i64>,
}

// === impl WithoutLocal ===

impl WithoutLocal {
    pub(crate) fn add(&mut self, port: &ServicePort) {
        self.count(port, 1);
    }

    pub(crate) fn remove(&mut self, port: &ServicePort) {
        self.count(port, -1);
    }

    pub(crate) fn get(&self, family: Family, asking: Asking) -> i64 {
        self.counts.get(&(family, asking)).copied().unwrap_or(0)
    }

    fn count(&mut self, port: &ServicePort, by: i64) {
        if port.cluster_endpoints.is_empty() || !port.local_endpoints.is_empty() {
            return;
        }
        let from_outside = port.node_port.is_some() || port.external_addresses().next().is_some();
        let external = from_outside && port.external_policy == TrafficPolicy::Local;
        let internal = port.internal_policy == TrafficPolicy::Local;
        for (asking, lacks) in [(Asking::Internal, internal), (Asking::External, external)] {
            if lacks {
                *self.counts.entry((port.key.family, asking)).or_default() += by;
            }
        }
    }
}
