//! Which pod goes first.

use super::threshold::Signal;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What a pod uses and asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodUsage {
    pub(super) uid: String,
    pub(super) priority: i32,
    /// The node can't do without it: it never goes.
    pub(super) critical: bool,
    /// Bytes.
    pub(super) memory: Use,
    /// Bytes of logs and volumes.
    pub(super) disk: Use,
    /// Files and folders of those.
    pub(super) inodes: i64,
    pub(super) processes: i64,
    /// The memory of each container.
    pub(super) containers: BTreeMap<String, Use>,
}

/// What is used of what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) used: i64,
    pub(super) requested: i64,
}

impl Use {
    pub(super) fn over(self) -> i64 {
        self.used - self.requested
    }
}

/// The pod that goes for want of something: one that uses more than it asked for before all others, then the least
/// important, then the one that uses the most above what it asked for.
pub(super) fn first(signal: Signal, pods: &[PodUsage]) -> Option<&PodUsage> {
    let eligible = pods.iter().filter(|pod| !pod.critical);
    eligible.min_by_key(|pod| {
        let over = match signal {
            Signal::MemoryAvailable => pod.memory.over(),
            Signal::NodefsAvailable | Signal::ImagefsAvailable => pod.disk.over(),
            Signal::NodefsInodesFree | Signal::ImagefsInodesFree => pod.inodes,
            Signal::PidAvailable => pod.processes,
        };
        // Nobody asks for process numbers.
        let within = signal != Signal::PidAvailable && over <= 0;
        (within, pod.priority, Reverse(over), pod.uid.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, priority: i32, used: i64, requested: i64) -> PodUsage {
        let memory = Use { used, requested };
        PodUsage { uid: uid.into(), priority, memory, processes: used, ..PodUsage::default() }
    }

    fn goes(signal: Signal, pods: &[PodUsage]) -> &str {
        first(signal, pods).map_or("", |pod| &pod.uid)
    }

    #[test]
    fn usage_above_the_request_then_priority_then_how_much() {
        let memory = Signal::MemoryAvailable;
        let within = pod("within", 0, 90, 100);
        let important = pod("important", 10, 900, 100);
        let more = pod("more", 0, 300, 100);
        let less = pod("less", 0, 200, 100);
        assert_eq!(goes(memory, &[within.clone(), important.clone()]), "important");
        assert_eq!(goes(memory, &[important.clone(), less.clone(), more.clone()]), "more");
        assert_eq!(goes(memory, &[within.clone(), less]), "less");
        assert_eq!(
            goes(Signal::PidAvailable, &[within, important, more]),
            "more",
            "the request does not count"
        );
    }

    #[test]
    fn who_the_node_cant_do_without_stays() {
        let critical = PodUsage { critical: true, ..pod("critical", 0, 900, 0) };
        assert_eq!(goes(Signal::MemoryAvailable, std::slice::from_ref(&critical)), "");
        assert_eq!(goes(Signal::MemoryAvailable, &[critical, pod("small", 100, 1, 2)]), "small");
    }
}
