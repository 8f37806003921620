//! What can help a pod that was refused for its company, or theirs.

use crate::PodInfo;
use crate::PodTerm;
use crate::queue::ClusterEvent;
use windlass_core::object::Labels;
use windlass_core::scheme;

/// Whether an event may make room for the pod near those it wants, or take away those it can't be with.
pub(super) fn may_help(event: &ClusterEvent, pod: &PodInfo) -> bool {
    match event {
        ClusterEvent::PodAdded(other) => wants(pod, other) || pod.uid == other.uid,
        ClusterEvent::PodDeleted(other) => apart(pod, other) || apart(other, pod),
        ClusterEvent::PodUpdated { old, new } => {
            let itself = new.uid == pod.uid;
            let relabelled = old.labels != new.labels;
            itself || (relabelled && (wants(pod, new) || apart(pod, old) || apart(old, pod)))
        }
        // A node that comes, or gets another place, may be where nobody is whom the pod can't be with.
        ClusterEvent::NodeAdded(_) => true,
        ClusterEvent::NodeUpdated { old, new } => old.labels != new.labels,
        ClusterEvent::ObjectSet(resource, _) => *resource == scheme::NAMESPACES,
        _ => false,
    }
}

/// The labels of a namespace are not at hand here: a term that selects by them may mean any.
fn means(term: &PodTerm, other: &PodInfo) -> bool {
    let named = term.namespace_selector.is_some()
        || term.in_namespace(&other.namespace, &Labels::default());
    named && term.selector.as_ref().is_some_and(|selector| selector.matches(&other.labels))
}

fn wants(pod: &PodInfo, other: &PodInfo) -> bool {
    let terms = pod.pod_terms.as_ref().map(|terms| &terms.required);
    terms.is_some_and(|terms| terms.iter().any(|term| means(term, other)))
}

fn apart(pod: &PodInfo, other: &PodInfo) -> bool {
    let terms = pod.pod_terms.as_ref().map(|terms| &terms.anti_required);
    terms.is_some_and(|terms| terms.iter().any(|term| means(term, other)))
}
