//! Who is where, as selectors and affinity terms ask for it: kept up to date pod by pod, shared by the plugins
//! that look at the company a pod would have.

mod groups;
mod terms;

pub(crate) use groups::{NamespaceLabels, NodeCounts, PodGroup, PodGroups, decrement};
pub(crate) use terms::HeldTerms;

use crate::framework::Columns;
use crate::snapshot::NodeId;
use crate::{NodeSet, PodInfo, PodTerm, Snapshot};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::{self, GroupVersionResource};

/// The pods on nodes, and what they say of others.
#[derive(Clone, Default)]
pub(crate) struct Company {
    /// By namespace and labels.
    pub(crate) groups: PodGroups,
    /// Whom they must not be with.
    pub(crate) forbidden: HeldTerms<()>,
    /// Whom they are with, and how much they like it.
    pub(crate) liked: HeldTerms<Liking>,
    /// Labels of namespaces.
    pub(crate) namespaces: NamespaceLabels,
}

/// How a pod is inclined to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Liking {
    /// It had to be there.
    Required,
    /// So much; below zero it dislikes it.
    Preferred(i32),
}

// === impl Company ===

impl Company {
    /// The nodes of the groups that a term means.
    pub(crate) fn nodes_of(&self, term: &PodTerm) -> NodeSet {
        let groups = self.groups.meant(term, &self.namespaces);
        groups.flat_map(|group| group.nodes.keys().copied()).collect()
    }

    fn each_term(
        &mut self,
        pod: &PodInfo,
        forbid: impl Fn(&mut HeldTerms<()>, &PodTerm),
        like: impl Fn(&mut HeldTerms<Liking>, Liking, &PodTerm),
    ) {
        let Some(terms) = &pod.pod_terms else { return };
        terms.anti_required.iter().for_each(|term| forbid(&mut self.forbidden, term));
        let liked = &mut self.liked;
        terms.required.iter().for_each(|term| like(liked, Liking::Required, term));
        for (weight, term) in &terms.preferred {
            like(liked, Liking::Preferred(*weight), term);
        }
        for (weight, term) in &terms.anti_preferred {
            like(liked, Liking::Preferred(-*weight), term);
        }
    }
}

impl Columns for Company {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn watches(&self) -> Vec<GroupVersionResource> {
        vec![scheme::NAMESPACES]
    }

    fn pod_added(&mut self, _: &Snapshot, id: NodeId, pod: &Arc<PodInfo>) {
        self.groups.add(pod, id);
        self.each_term(
            pod,
            |held, term| held.add((), term, id),
            |held, liking, term| held.add(liking, term, id),
        );
    }

    fn pod_removed(&mut self, _: &Snapshot, id: NodeId, pod: &Arc<PodInfo>) {
        self.groups.remove(pod, id);
        self.each_term(
            pod,
            |held, term| held.remove((), term, id),
            |held, liking, term| held.remove(liking, term, id),
        );
    }

    fn object_set(&mut self, _: &Snapshot, resource: &GroupVersionResource, object: &Arc<Object>) {
        if *resource == scheme::NAMESPACES {
            self.namespaces.set(object.name().into(), object.header().labels.clone());
        }
    }

    fn object_removed(
        &mut self,
        _: &Snapshot,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
    ) {
        if *resource == scheme::NAMESPACES {
            self.namespaces.remove(object.name());
        }
    }
}
