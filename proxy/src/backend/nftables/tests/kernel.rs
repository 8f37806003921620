//! The table as the kernel would keep it, as strict as the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::backend::nftables::{Balancer, Element, Frontend, Renderer, Target, Transaction, View};
use crate::model::AddressRange;

#[derive(Debug, Default)]
pub(super) struct Kernel {
    elements: BTreeSet<Element>,
    chains: BTreeSet<Balancer>,
}

/// What a packet sees: independent of groups' numbers and of the order within them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    frontends: BTreeMap<(View, Frontend), Followed>,
    others: BTreeSet<Element>,
    chains: BTreeSet<Balancer>,
    groups: usize,
}

/// A target with its group's endpoints, members and sources.
type Followed = (Target, BTreeSet<SocketAddr>, BTreeSet<SocketAddr>, BTreeSet<AddressRange>);

impl Kernel {
    /// With what a renderer believes to be there.
    pub(super) fn of(renderer: &Renderer) -> Self {
        let elements: BTreeSet<Element> = renderer.elements().into_iter().collect();
        let balancer = |element: &Element| match element {
            Element::Balancer(balancer) => Some(*balancer),
            _ => None,
        };
        let chains = elements.iter().filter_map(balancer).collect();
        Self { elements, chains }
    }

    pub(super) fn commit(&mut self, transaction: &Transaction) {
        for element in &transaction.delete {
            assert!(self.elements.remove(element), "deleted but not there: {element:?}");
        }
        for chain in &transaction.add_chains {
            assert!(self.chains.insert(*chain), "chain there already: {chain:?}");
        }
        for element in &transaction.add {
            assert!(!self.has_key(element), "key there already: {element:?}");
            if let Element::Balancer(balancer) = element {
                assert!(self.chains.contains(balancer), "no chain for {element:?}");
            }
            self.elements.insert(*element);
        }
        for chain in &transaction.delete_chains {
            assert!(!self.elements.contains(&Element::Balancer(*chain)), "chain in use: {chain:?}");
            assert!(self.chains.remove(chain), "no such chain: {chain:?}");
        }
    }

    fn has_key(&self, element: &Element) -> bool {
        self.elements.iter().any(|other| match (element, other) {
            (Element::Frontend(view, frontend, _), Element::Frontend(v, f, _)) => {
                (view, frontend) == (v, f)
            }
            (Element::Endpoint(group, index, _), Element::Endpoint(g, i, _)) => {
                (group, index) == (g, i)
            }
            _ => element == other,
        })
    }

    pub(super) fn elements(&self) -> &BTreeSet<Element> {
        &self.elements
    }

    /// What packets see; checks on the way that each target can be followed to its endpoints.
    pub(super) fn seen(&self) -> Seen {
        let mut groups: BTreeMap<u32, BTreeMap<u32, SocketAddr>> = BTreeMap::new();
        let mut members: BTreeMap<u32, BTreeSet<SocketAddr>> = BTreeMap::new();
        let mut sources: BTreeMap<u32, BTreeSet<AddressRange>> = BTreeMap::new();
        let mut others = BTreeSet::new();
        for element in &self.elements {
            match element {
                Element::Endpoint(group, index, address) => {
                    groups.entry(*group).or_default().insert(*index, *address);
                }
                Element::Member(group, address) => {
                    members.entry(*group).or_default().insert(*address);
                }
                Element::Source(group, first, last) => {
                    sources.entry(*group).or_default().insert((*first, *last));
                }
                Element::Frontend(..) => {}
                other => _ = others.insert(*other),
            }
        }
        let mut frontends = BTreeMap::new();
        for element in &self.elements {
            let Element::Frontend(view, frontend, target) = element else { continue };
            let group = groups.get(&target.group).cloned().unwrap_or_default();
            assert!(
                group.keys().copied().eq(0..target.endpoints),
                "indexes without holes: {target:?} {group:?}"
            );
            if let Some(balancer) = Balancer::of(*view, *frontend, *target) {
                assert!(
                    self.elements.contains(&Element::Balancer(balancer)),
                    "nobody balances {target:?}"
                );
            }
            let members = members.get(&target.group).cloned().unwrap_or_default();
            let sources = sources.get(&target.group).cloned().unwrap_or_default();
            assert!(!target.restricted || !sources.is_empty(), "restricted to nobody: {target:?}");
            let anonymous = Target { group: 0, ..*target };
            frontends.insert(
                (*view, *frontend),
                (anonymous, group.into_values().collect(), members, sources),
            );
        }
        Seen { frontends, others, chains: self.chains.clone(), groups: groups.len() }
    }
}
