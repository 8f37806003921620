//! Topology spread constraints, read once for each pod (KEP-895).

use super::affinity::narrow;
use windlass_core::apis::core::v1::TopologySpreadConstraint;
use windlass_core::meta::{LabelOperator, LabelSelector, Str, intern};
use windlass_core::object::Labels;

/// How evenly pods shall lie over places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadConstraint {
    /// By so much the fullest place may exceed the emptiest.
    pub max_skew: i32,
    /// Nodes with the same value of this label are one place.
    pub topology_key: Str,
    /// A demand (`DoNotSchedule`); otherwise a wish (`ScheduleAnyway`).
    pub hard: bool,
    /// The pods that count, of the pod's namespace; none: no pod.
    pub selector: Option<LabelSelector>,
    /// With fewer places than these the emptiest counts as having no pod.
    pub min_domains: i32,
    /// Only nodes that the pod's node affinity and selector admit count.
    pub honor_affinity: bool,
    /// Only nodes whose taints the pod tolerates count.
    pub honor_taints: bool,
}

impl SpreadConstraint {
    /// Reads a constraint of a pod with these labels. A selector that can't be read selects no pod.
    #[must_use]
    pub fn new(api: TopologySpreadConstraint, labels: &Labels) -> Self {
        let read = |selector| LabelSelector::from_api(&selector).ok();
        let mut selector = api.label_selector.and_then(read);
        if let Some(selector) = &mut selector {
            let keys = api.match_label_keys.unwrap_or_default();
            narrow(selector, &keys, LabelOperator::In, labels);
        }
        Self {
            max_skew: api.max_skew,
            topology_key: intern(&api.topology_key),
            hard: api.when_unsatisfiable == "DoNotSchedule",
            selector,
            min_domains: api.min_domains.unwrap_or(1),
            honor_affinity: api.node_affinity_policy.is_none_or(|policy| policy == "Honor"),
            honor_taints: api.node_taints_policy.is_some_and(|policy| policy == "Honor"),
        }
    }
}
