//! Which pods of this node are isolated, by which policies together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::active::Active;
use crate::ledger::{Claims, Counter};
use crate::model::NamespacedName;
use crate::policy::compile::Policy;
use crate::policy::ruleset::{Direction, PolicyChain, PolicyChange, PolicyElement};

/// Why a pod's packets are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// The pod.
    pub pod: NamespacedName,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The names of the policies that isolate it from others; none if it is not.
    pub ingress: Vec<Arc<str>>,
    /// The names of the policies that isolate others from it; none if they are not.
    pub egress: Vec<Arc<str>>,
}

/// Policies that isolate together: pods with the same ones share a profile.
type Together = (Direction, Arc<[u32]>);

/// Pods that policies select, and the profiles they have by that.
#[derive(Debug, Default)]
pub(super) struct Isolations {
    selected: BTreeMap<NamespacedName, Selected>,
    /// How many pods each policy selects.
    selecting: FxHashMap<NamespacedName, u32>,
    /// Two pods may show one address for a moment: the first by name has it.
    addresses: Claims<(Direction, IpAddr), NamespacedName, u32>,
    profiles: Counter<Together>,
    /// The numbers of profiles in use.
    numbers: FxHashMap<Together, u32>,
    last_profile: u32,
}

#[derive(Debug)]
struct Selected {
    policies: Vec<NamespacedName>,
    addresses: Vec<IpAddr>,
    profiles: Vec<Together>,
}

// === impl Isolations ===

impl Isolations {
    /// Nothing selects the pod any more; the result is what did.
    pub(super) fn release(&mut self, pod: &NamespacedName) -> Vec<NamespacedName> {
        let Some(selected) = self.selected.remove(pod) else { return Vec::new() };
        for policy in &selected.policies {
            let count = self.selecting.get_mut(policy).expect("it selected the pod");
            *count -= 1;
            if *count == 0 {
                self.selecting.remove(policy);
            }
        }
        for profile in selected.profiles {
            for ip in &selected.addresses {
                self.addresses.release((profile.0, *ip), pod);
            }
            self.profiles.remove(profile);
        }
        selected.policies
    }

    /// These select the pod, which nothing selected before.
    pub(super) fn select(&mut self, pod: NamespacedName, policies: Vec<NamespacedName>) {
        for policy in &policies {
            *self.selecting.entry(policy.clone()).or_default() += 1;
        }
        let selected = Selected { policies, addresses: Vec::new(), profiles: Vec::new() };
        self.selected.insert(pod, selected);
    }

    /// Whether the policy selects a pod of this node.
    pub(super) fn is_selecting(&self, policy: &NamespacedName) -> bool {
        self.selecting.contains_key(policy)
    }

    /// Gives a selected pod, at its addresses, the profiles that its policies make.
    pub(super) fn claim(
        &mut self,
        pod: &NamespacedName,
        addresses: impl Iterator<Item = IpAddr>,
        active: &BTreeMap<NamespacedName, Active>,
    ) {
        let Some(selected) = self.selected.get_mut(pod) else { return };
        selected.addresses = addresses.collect();
        for direction in Direction::ALL {
            let policies = selected.policies.iter().filter_map(|policy| active.get(policy));
            let numbers: Vec<u32> = policies.filter_map(|one| one.number(direction)).collect();
            if numbers.is_empty() {
                continue;
            }
            let together: Together = (direction, numbers.into());
            let number = *self.numbers.entry(together.clone()).or_insert_with(|| {
                self.last_profile = self.last_profile.wrapping_add(1);
                self.last_profile
            });
            for ip in &selected.addresses {
                self.addresses.claim((direction, *ip), pod, number);
            }
            self.profiles.add(together.clone());
            selected.profiles.push(together);
        }
    }

    /// Appends what changed since the last call; the chains of profiles that are gone go into `gone`.
    pub(super) fn settle(&mut self, change: &mut PolicyChange, gone: &mut Vec<PolicyChain>) {
        self.addresses.settle(|(direction, ip), before, after| {
            let element = |profile| PolicyElement::Isolated(direction, ip, profile);
            change.delete.extend(before.map(element));
            change.add.extend(after.map(element));
        });
        let (added, deleted) = self.profiles.settle();
        for together in added {
            let number = self.numbers[&together];
            change.add.push(PolicyElement::Profile(together.0, number));
            change.add_chains.push(chain(&together, number));
        }
        for together in deleted {
            let number = self.numbers.remove(&together).expect("profiles in use have numbers");
            change.delete.push(PolicyElement::Profile(together.0, number));
            gone.push(chain(&together, number));
        }
    }

    /// Appends all that is there.
    pub(super) fn snapshot(&self, all: &mut PolicyChange) {
        for together in self.profiles.keys() {
            let number = self.numbers[together];
            all.add.push(PolicyElement::Profile(together.0, number));
            all.add_chains.push(chain(together, number));
        }
        let isolated = self.addresses.iter();
        all.add.extend(
            isolated
                .map(|((direction, ip), profile)| PolicyElement::Isolated(direction, ip, profile)),
        );
    }

    pub(super) fn explain(
        &self,
        policies: &BTreeMap<NamespacedName, Arc<Policy>>,
    ) -> Vec<Isolation> {
        let names = |selected: &Selected, direction| {
            let isolating = selected.policies.iter().filter(|key| {
                policies.get(*key).is_some_and(|policy| policy.rules(direction).is_some())
            });
            isolating.map(|key| key.name.clone()).collect()
        };
        let isolation = |(pod, selected): (&NamespacedName, &Selected)| Isolation {
            pod: pod.clone(),
            addresses: selected.addresses.clone(),
            ingress: names(selected, Direction::Ingress),
            egress: names(selected, Direction::Egress),
        };
        self.selected.iter().map(isolation).collect()
    }
}

fn chain((direction, policies): &Together, profile: u32) -> PolicyChain {
    PolicyChain::Profile { profile, direction: *direction, policies: policies.clone() }
}
