//! The pods on nodes, grouped by what selectors see of them: a selector is asked once for a group,
//! and a group knows how many of its pods are on which node.

use crate::snapshot::NodeId;
use crate::{PodInfo, PodTerm};
use rustc_hash::FxHashMap;
use windlass_core::meta::{LabelOperator, LabelSelector, Str};
use windlass_core::object::Labels;

/// How many there are on each node that has any.
pub(crate) type NodeCounts = FxHashMap<NodeId, u32>;

/// Pods that no selector can tell apart.
#[derive(Clone, Debug)]
pub(crate) struct PodGroup {
    /// Their namespace.
    pub(crate) namespace: Str,
    /// Their labels.
    pub(crate) labels: Labels,
    /// They are on their way out.
    pub(crate) deleting: bool,
    /// Where they are.
    pub(crate) nodes: NodeCounts,
}

/// All groups of pods.
#[derive(Clone, Default)]
pub(crate) struct PodGroups {
    groups: Vec<PodGroup>,
    free: Vec<u32>,
    ids: FxHashMap<Str, FxHashMap<Labels, Ids>>,
    by_label: FxHashMap<Str, FxHashMap<(Str, Str), Vec<u32>>>,
}

/// The groups of equal labels: of pods that stay, and of those on their way out.
type Ids = [Option<u32>; 2];

/// The labels of namespaces.
#[derive(Clone, Default)]
pub(crate) struct NamespaceLabels(FxHashMap<Str, Labels>);

// === impl PodGroups ===

impl PodGroups {
    /// The groups of a namespace that a selector picks.
    pub(crate) fn matching<'a>(
        &'a self,
        namespace: &str,
        selector: &'a LabelSelector,
    ) -> impl Iterator<Item = &'a PodGroup> {
        let narrow = self.candidates(namespace, selector);
        let all = match narrow {
            Some(_) => None,
            None => self.ids.get(namespace).map(|groups| groups.values().flatten().flatten()),
        };
        let ids = narrow.into_iter().flatten().chain(all.into_iter().flatten());
        let groups = ids.map(|id| &self.groups[*id as usize]);
        groups.filter(|group| selector.matches(&group.labels))
    }

    /// The groups that a term means.
    pub(crate) fn meant<'a>(
        &'a self,
        term: &'a PodTerm,
        namespaces: &'a NamespaceLabels,
    ) -> impl Iterator<Item = &'a PodGroup> {
        let named = term.namespaces.iter();
        let by_labels = term.namespace_selector.iter().flat_map(move |selector| {
            let other = self.ids.keys().filter(|name| !term.namespaces.contains(name));
            other.filter(move |name| selector.matches(namespaces.get(name)))
        });
        let selector = term.selector.as_ref();
        let names = named.chain(by_labels);
        selector.into_iter().flat_map(move |selector| {
            names.clone().flat_map(move |namespace| self.matching(namespace, selector))
        })
    }

    pub(super) fn add(&mut self, pod: &PodInfo, node: NodeId) {
        let id = self.id(pod);
        *self.groups[id as usize].nodes.entry(node).or_default() += 1;
    }

    pub(super) fn remove(&mut self, pod: &PodInfo, node: NodeId) {
        let known = self.ids.get(&pod.namespace).and_then(|groups| groups.get(&pod.labels));
        let Some(id) = known.and_then(|ids| ids[usize::from(pod.deleting)]) else { return };
        let nodes = &mut self.groups[id as usize].nodes;
        decrement(nodes, &node);
        if nodes.is_empty() {
            self.drop_group(pod, id);
        }
    }

    /// The least list that holds all groups of a namespace that a selector can pick; none: all of them.
    fn candidates(&self, namespace: &str, selector: &LabelSelector) -> Option<&[u32]> {
        let exact =
            |operator, values: &[String]| operator == LabelOperator::In && values.len() == 1;
        let pairs = selector.requirements.iter().filter(|r| exact(r.operator, &r.values));
        let labels = self.by_label.get(namespace);
        let list = |key: &str, value: &str| {
            let found = labels?.get(&(key.into(), value.into()));
            found.map(Vec::as_slice)
        };
        let lists = pairs.map(|r| list(&r.key, &r.values[0]).unwrap_or_default());
        lists.min_by_key(|list| list.len())
    }

    fn id(&mut self, pod: &PodInfo) -> u32 {
        let known = self.ids.get(&pod.namespace).and_then(|groups| groups.get(&pod.labels));
        if let Some(id) = known.and_then(|ids| ids[usize::from(pod.deleting)]) {
            return id;
        }
        let group = PodGroup {
            namespace: pod.namespace.clone(),
            labels: pod.labels.clone(),
            deleting: pod.deleting,
            nodes: NodeCounts::default(),
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.groups[id as usize] = group;
                id
            }
            None => {
                self.groups.push(group);
                (self.groups.len() - 1) as u32
            }
        };
        let groups = self.ids.entry(pod.namespace.clone()).or_default();
        groups.entry(pod.labels.clone()).or_default()[usize::from(pod.deleting)] = Some(id);
        let labels = self.by_label.entry(pod.namespace.clone()).or_default();
        for pair in &pod.labels {
            labels.entry(pair.clone()).or_default().push(id);
        }
        id
    }

    fn drop_group(&mut self, pod: &PodInfo, id: u32) {
        self.free.push(id);
        if let Some(groups) = self.ids.get_mut(&pod.namespace) {
            if let Some(ids) = groups.get_mut(&pod.labels) {
                ids[usize::from(pod.deleting)] = None;
                if *ids == Ids::default() {
                    groups.remove(&pod.labels);
                }
            }
            if groups.is_empty() {
                self.ids.remove(&pod.namespace);
            }
        }
        let Some(labels) = self.by_label.get_mut(&pod.namespace) else { return };
        for pair in &pod.labels {
            if let Some(ids) = labels.get_mut(pair) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    labels.remove(pair);
                }
            }
        }
        if labels.is_empty() {
            self.by_label.remove(&pod.namespace);
        }
    }
}

/// One less, and none left is none at all.
pub(crate) fn decrement<K: Eq + std::hash::Hash>(counts: &mut FxHashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

// === impl NamespaceLabels ===

impl NamespaceLabels {
    /// The labels of a namespace; none when it is not known.
    #[must_use]
    pub(crate) fn get(&self, namespace: &str) -> &Labels {
        static NONE: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::default);
        self.0.get(namespace).unwrap_or(&NONE)
    }

    /// A namespace came or changed.
    pub(crate) fn set(&mut self, namespace: Str, labels: Labels) {
        self.0.insert(namespace, labels);
    }

    /// A namespace went.
    pub(crate) fn remove(&mut self, namespace: &str) {
        self.0.remove(namespace);
    }
}
