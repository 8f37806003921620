//! The terms of pods on nodes, so that a new pod finds those that mean it without a look at the pods.

use super::groups::{NodeCounts, decrement};
use crate::snapshot::NodeId;
use crate::{PodClass, PodTerm};
use rustc_hash::FxHashMap;
use windlass_core::meta::{LabelOperator, LabelRequirement, Str};
use windlass_core::object::Labels;

/// A term with the nodes of the pods that have it.
#[derive(Clone, Debug)]
pub(crate) struct HeldTerm<R> {
    /// What they say with it.
    pub(crate) role: R,
    /// Of whom.
    pub(crate) term: PodTerm,
    /// How often it is held on each node.
    pub(crate) nodes: NodeCounts,
}

/// Distinct terms of pods on nodes.
#[derive(Clone)]
pub(crate) struct HeldTerms<R> {
    terms: Vec<HeldTerm<R>>,
    free: Vec<u32>,
    ids: FxHashMap<(R, PodTerm), u32>,
    // A term is filed under a label that a pod must have to be meant; the rest have no such label.
    by_label: FxHashMap<(Str, Str), Vec<u32>>,
    others: Vec<u32>,
}

// === impl HeldTerms ===

impl<R: Copy + Eq + std::hash::Hash> HeldTerms<R> {
    /// The terms that mean a pod whose namespace has these labels.
    pub(crate) fn about<'a>(
        &'a self,
        pod: &'a PodClass,
        namespace: &'a Labels,
    ) -> impl Iterator<Item = &'a HeldTerm<R>> {
        let lists = pod.labels.iter().filter_map(|pair| self.by_label.get(pair));
        let ids = lists.flatten().chain(&self.others);
        let terms = ids.map(|id| &self.terms[*id as usize]);
        terms.filter(|held| held.term.matches(&pod.namespace, &pod.labels, namespace))
    }

    /// Whether nobody says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn add(&mut self, role: R, term: &PodTerm, node: NodeId) {
        let id = self.id(role, term);
        *self.terms[id as usize].nodes.entry(node).or_default() += 1;
    }

    pub(super) fn remove(&mut self, role: R, term: &PodTerm, node: NodeId) {
        let key = (role, term.clone());
        let Some(id) = self.ids.get(&key).copied() else { return };
        let nodes = &mut self.terms[id as usize].nodes;
        decrement(nodes, &node);
        if nodes.is_empty() {
            self.ids.remove(&key);
            self.free.push(id);
            self.unfile(term, id);
        }
    }

    fn id(&mut self, role: R, term: &PodTerm) -> u32 {
        let key = (role, term.clone());
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let held = HeldTerm { role, term: term.clone(), nodes: NodeCounts::default() };
        let id = self.free.pop().unwrap_or(self.terms.len() as u32);
        match self.terms.get_mut(id as usize) {
            Some(slot) => *slot = held,
            None => self.terms.push(held),
        }
        self.ids.insert(key, id);
        match label(term) {
            Some(pair) => self.by_label.entry(pair).or_default().push(id),
            None if term.selector.is_some() => self.others.push(id),
            None => {}
        }
        id
    }

    fn unfile(&mut self, term: &PodTerm, id: u32) {
        let Some(pair) = label(term) else {
            return self.others.retain(|other| *other != id);
        };
        if let Some(list) = self.by_label.get_mut(&pair) {
            list.retain(|other| *other != id);
            if list.is_empty() {
                self.by_label.remove(&pair);
            }
        }
    }
}

impl<R> Default for HeldTerms<R> {
    fn default() -> Self {
        Self {
            terms: Vec::new(),
            free: Vec::new(),
            ids: FxHashMap::default(),
            by_label: FxHashMap::default(),
            others: Vec::new(),
        }
    }
}

fn label(term: &PodTerm) -> Option<(Str, Str)> {
    let exact = |r: &&LabelRequirement| r.operator == LabelOperator::In && r.values.len() == 1;
    let found = term.selector.as_ref()?.requirements.iter().find(exact)?;
    Some((found.key.as_str().into(), found.values[0].as_str().into()))
}
