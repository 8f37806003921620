//! From changed objects to what changes in force.

mod active;
mod isolation;

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use windlass_core::Object;
use windlass_core::cache::{Entry, HeaderOnly};

use self::active::{Active, Pod};
pub use self::isolation::Isolation;
use self::isolation::Isolations;
use super::compile::Policy;
use super::ruleset::{PolicyChain, PolicyChange, PolicyElement};
use super::view::{NetworkPolicyView, PodView};
use crate::config::name_of;
use crate::ledger::Counter;
use crate::model::NamespacedName;

/// Turns applied and deleted policies, pods and namespaces into [`PolicyChange`]s.
///
/// Applying the same object twice is harmless, and objects may arrive in any order. A changed pod
/// costs a look at each policy that is in force on this node.
#[derive(Debug)]
pub struct PolicyTracker {
    node: String,
    policies: BTreeMap<NamespacedName, Arc<Policy>>,
    namespaces: FxHashMap<Arc<str>, Arc<Object>>,
    /// As counted in `elements`.
    pods: FxHashMap<Arc<str>, FxHashMap<Arc<str>, Pod>>,
    /// The policies in force.
    active: BTreeMap<NamespacedName, Active>,
    elements: Counter<PolicyElement>,
    isolations: Isolations,
    last_policy: u32,
    last_rule: u32,
    dirty: Dirty,
}

/// What came since the last [`PolicyTracker::take`]; `None` is gone.
#[derive(Debug, Default)]
struct Dirty {
    policies: BTreeMap<NamespacedName, Option<Arc<Policy>>>,
    pods: FxHashMap<NamespacedName, Option<Arc<Entry<PodView>>>>,
    namespaces: FxHashSet<Arc<str>>,
}

// === impl PolicyTracker ===

impl PolicyTracker {
    /// An empty tracker for the node of this name.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            policies: BTreeMap::new(),
            namespaces: FxHashMap::default(),
            pods: FxHashMap::default(),
            active: BTreeMap::new(),
            elements: Counter::default(),
            isolations: Isolations::default(),
            last_policy: 0,
            last_rule: 0,
            dirty: Dirty::default(),
        }
    }

    /// A policy was added or modified. One without meaning is told to the log and not enforced.
    pub fn policy_applied(&mut self, entry: &Entry<NetworkPolicyView>) {
        let key = name_of(&entry.object);
        let policy = Policy::new(&entry.view.spec)
            .inspect_err(|error| tracing::error!(policy = %key, %error, "policy not enforced"))
            .ok();
        self.dirty.policies.insert(key, policy.map(Arc::new));
    }

    /// A policy was deleted.
    pub fn policy_deleted(&mut self, key: &NamespacedName) {
        self.dirty.policies.insert(key.clone(), None);
    }

    /// A pod was added or modified.
    pub fn pod_applied(&mut self, pod: Arc<Entry<PodView>>) {
        self.dirty.pods.insert(name_of(&pod.object), Some(pod));
    }

    /// A pod was deleted.
    pub fn pod_deleted(&mut self, key: &NamespacedName) {
        self.dirty.pods.insert(key.clone(), None);
    }

    /// A namespace was added or modified.
    pub fn namespace_applied(&mut self, entry: &Entry<HeaderOnly>) {
        let name: Arc<str> = entry.object.name().into();
        let old = self.namespaces.insert(name.clone(), entry.object.clone());
        if old.is_none_or(|old| old.header().labels != entry.object.header().labels) {
            self.dirty.namespaces.insert(name);
        }
    }

    /// A namespace was deleted.
    pub fn namespace_deleted(&mut self, name: &str) {
        if let Some((name, _)) = self.namespaces.remove_entry(name) {
            self.dirty.namespaces.insert(name);
        }
    }

    /// Whether [`take`](Self::take) has something to look at.
    pub fn has_changes(&self) -> bool {
        let Dirty { policies, pods, namespaces } = &self.dirty;
        !policies.is_empty() || !pods.is_empty() || !namespaces.is_empty()
    }

    /// What changed since the last call; empty when the changes made no difference to packets.
    pub fn take(&mut self) -> PolicyChange {
        let mut change = PolicyChange::default();
        let mut dirty = std::mem::take(&mut self.dirty);
        let namespaces = self.replace_policies(dirty.policies, &mut change);
        self.look_again(&dirty.namespaces, &mut dirty.pods);
        let mut touched = self.local_pods(&namespaces);
        for (key, pod) in dirty.pods {
            if self.replace_pod(&key, pod) {
                touched.insert(key);
            }
        }
        self.isolate(touched, &mut change);
        self.settle(&mut change);
        change
    }

    /// All that is in force as last handed out by [`take`](Self::take): the change from nothing.
    pub fn snapshot(&self) -> PolicyChange {
        let mut all = PolicyChange {
            add_chains: self.active.values().flat_map(Active::chains).collect(),
            add: self.elements.keys().copied().collect(),
            ..PolicyChange::default()
        };
        self.isolations.snapshot(&mut all);
        all
    }

    /// The pods of this node that are isolated, and by which policies, in the order of their names.
    pub fn isolated(&self) -> Vec<Isolation> {
        self.isolations.explain(&self.policies)
    }

    /// Old versions go out of force; whoever they selected has to be looked at. The result says in which namespaces.
    fn replace_policies(
        &mut self,
        policies: BTreeMap<NamespacedName, Option<Arc<Policy>>>,
        change: &mut PolicyChange,
    ) -> FxHashSet<Arc<str>> {
        let mut namespaces = FxHashSet::default();
        for (key, policy) in policies {
            if self.policies.get(&key) == policy.as_ref() {
                continue;
            }
            self.deactivate(&key, change);
            namespaces.insert(key.namespace.clone());
            match policy {
                Some(policy) => self.policies.insert(key, policy),
                None => self.policies.remove(&key),
            };
        }
        namespaces
    }

    /// Pods of namespaces with other labels than before match other rules.
    fn look_again(
        &self,
        namespaces: &FxHashSet<Arc<str>>,
        dirty: &mut FxHashMap<NamespacedName, Option<Arc<Entry<PodView>>>>,
    ) {
        for namespace in namespaces {
            for (name, pod) in self.pods.get(namespace).into_iter().flatten() {
                let key = NamespacedName::new(namespace.clone(), name.clone());
                dirty.entry(key).or_insert_with(|| Some(pod.entry.clone()));
            }
        }
    }

    /// The pods of this node in these namespaces.
    fn local_pods(&self, namespaces: &FxHashSet<Arc<str>>) -> FxHashSet<NamespacedName> {
        let of_namespace = |namespace: &Arc<str>| {
            let pods = self.pods.get(namespace).into_iter().flatten();
            let local = pods.filter(|(_, pod)| pod.local).map(|(name, _)| name.clone());
            local.map(|name| NamespacedName::new(namespace.clone(), name)).collect::<Vec<_>>()
        };
        namespaces.iter().flat_map(of_namespace).collect()
    }

    /// Whether the pod is, or was, one of this node.
    fn replace_pod(&mut self, key: &NamespacedName, new: Option<Arc<Entry<PodView>>>) -> bool {
        let namespace = self.namespaces.get(&key.namespace).cloned();
        let new = new.map(|entry| Pod::new(entry, namespace, &self.node));
        let pods = self.pods.entry(key.namespace.clone()).or_default();
        let old = match new.clone() {
            Some(new) => pods.insert(key.name.clone(), new),
            None => pods.remove(&key.name),
        };
        if pods.is_empty() {
            self.pods.remove(&key.namespace);
        }
        for active in self.active.values() {
            old.iter().for_each(|pod| active.elements(pod, |one| self.elements.remove(one)));
            new.iter().for_each(|pod| active.elements(pod, |one| self.elements.add(one)));
        }
        old.iter().chain(&new).any(|pod| pod.local)
    }

    /// Brings these pods' isolation in step with the policies, and those in force with whom they select.
    fn isolate(&mut self, touched: FxHashSet<NamespacedName>, change: &mut PolicyChange) {
        let mut policies = FxHashSet::default();
        for key in &touched {
            policies.extend(self.isolations.release(key));
        }
        for key in &touched {
            let pod = self.pods.get(&key.namespace).and_then(|pods| pods.get(&key.name));
            let Some(pod) = pod.filter(|pod| pod.local) else { continue };
            let from = NamespacedName::new(key.namespace.clone(), "");
            let of_namespace = self
                .policies
                .range(from..)
                .take_while(|(policy, _)| policy.namespace == key.namespace);
            let selecting = of_namespace.filter(|(_, policy)| pod.is_selected_by(policy));
            let selecting: Vec<_> = selecting.map(|(policy, _)| policy.clone()).collect();
            if !selecting.is_empty() && pod.entry.view.addresses().next().is_some() {
                policies.extend(selecting.iter().cloned());
                self.isolations.select(key.clone(), selecting);
            }
        }
        for policy in policies {
            match (self.isolations.is_selecting(&policy), self.active.contains_key(&policy)) {
                (true, false) => self.activate(&policy, change),
                (false, true) => self.deactivate(&policy, change),
                _ => {}
            }
        }
        for key in &touched {
            let pod = self.pods.get(&key.namespace).and_then(|pods| pods.get(&key.name));
            let addresses = pod.into_iter().flat_map(|pod| pod.entry.view.addresses());
            self.isolations.claim(key, addresses, &self.active);
        }
    }

    fn activate(&mut self, key: &NamespacedName, change: &mut PolicyChange) {
        let policy = self.policies.get(key).expect("only policies that are there select").clone();
        self.last_policy = self.last_policy.wrapping_add(1);
        let active = Active::new(self.last_policy, self.last_rule, key.namespace.clone(), policy);
        self.last_rule = active.last_rule();
        change.add_chains.extend(active.chains());
        self.count(&active, Counter::add);
        self.active.insert(key.clone(), active);
    }

    fn deactivate(&mut self, key: &NamespacedName, change: &mut PolicyChange) {
        let Some(active) = self.active.remove(key) else { return };
        change.delete_chains.extend(active.chains());
        self.count(&active, Counter::remove);
    }

    fn count(&mut self, active: &Active, count: fn(&mut Counter<PolicyElement>, PolicyElement)) {
        active.fixed_elements(|one| count(&mut self.elements, one));
        for pod in self.pods.values().flat_map(FxHashMap::values) {
            active.elements(pod, |one| count(&mut self.elements, one));
        }
    }

    fn settle(&mut self, change: &mut PolicyChange) {
        let (added, deleted) = self.elements.settle();
        change.add.extend(added);
        change.delete.extend(deleted);
        let mut profiles: Vec<PolicyChain> = Vec::new();
        self.isolations.settle(change, &mut profiles);
        // What leads to others goes first.
        profiles.append(&mut change.delete_chains);
        change.delete_chains = profiles;
    }
}
