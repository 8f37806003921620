//! A group of endpoints at consecutive indexes, from which a balancer picks by number.

use std::net::SocketAddr;

use rustc_hash::FxHashSet;

use crate::backend::nftables::ruleset::{Element, Transaction};
use crate::model::{AddressRange, Endpoint};

/// Endpoints keep their index while they live; a hole is filled by a new one or by the last one.
#[derive(Debug)]
pub(super) struct Group {
    id: u32,
    slots: Vec<SocketAddr>,
    affinity: u32,
    sources: Vec<AddressRange>,
}

// === impl Group ===

impl Group {
    pub(super) fn new(id: u32) -> Self {
        Self { id, slots: Vec::new(), affinity: 0, sources: Vec::new() }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("a Service has fewer than 2^32 endpoints")
    }

    pub(super) fn affinity(&self) -> u32 {
        self.affinity
    }

    /// Appends all elements of the group.
    pub(super) fn elements(&self, into: &mut Vec<Element>) {
        into.extend(
            (0..)
                .zip(&self.slots)
                .map(|(index, address)| Element::Endpoint(self.id, index, *address)),
        );
        if self.affinity > 0 {
            into.extend(self.slots.iter().map(|address| Element::Member(self.id, *address)));
        }
        let source = |(first, last): &AddressRange| Element::Source(self.id, *first, *last);
        into.extend(self.sources.iter().map(source));
    }

    /// Makes `sources` (without overlaps) the clients that may reach the group where it is restricted.
    pub(super) fn restrict(&mut self, sources: &[AddressRange], transaction: &mut Transaction) {
        let source = |(first, last): &AddressRange| Element::Source(self.id, *first, *last);
        let gone = self.sources.iter().filter(|range| !sources.contains(range));
        let new = sources.iter().filter(|range| !self.sources.contains(range));
        transaction.delete.extend(gone.map(source));
        transaction.add.extend(new.map(source));
        self.sources = sources.to_vec();
    }

    /// Makes `endpoints` (without duplicates) the group's content.
    pub(super) fn update(
        &mut self,
        endpoints: &[Endpoint],
        affinity: u32,
        transaction: &mut Transaction,
    ) {
        let slots = assign(&self.slots, endpoints);
        for index in 0..slots.len().max(self.slots.len()) {
            let (before, after) = (self.slots.get(index), slots.get(index));
            if before == after {
                continue;
            }
            let element = |address: &SocketAddr| Element::Endpoint(self.id, index as u32, *address);
            transaction.delete.extend(before.map(element));
            transaction.add.extend(after.map(element));
        }
        self.update_members(&slots, affinity, transaction);
        (self.slots, self.affinity) = (slots, affinity);
    }

    fn update_members(&self, slots: &[SocketAddr], affinity: u32, transaction: &mut Transaction) {
        let members = |slots: &[SocketAddr], affinity: u32| -> FxHashSet<SocketAddr> {
            slots.iter().filter(|_| affinity > 0).copied().collect()
        };
        let (before, after) = (members(&self.slots, self.affinity), members(slots, affinity));
        transaction
            .delete
            .extend(before.difference(&after).map(|address| Element::Member(self.id, *address)));
        transaction
            .add
            .extend(after.difference(&before).map(|address| Element::Member(self.id, *address)));
    }
}

/// The new slots: who stays keeps its index, holes are filled with the new ones and then from the end.
fn assign(old: &[SocketAddr], endpoints: &[Endpoint]) -> Vec<SocketAddr> {
    let wanted: FxHashSet<SocketAddr> = endpoints.iter().map(|endpoint| endpoint.address).collect();
    let known: FxHashSet<SocketAddr> = old.iter().copied().collect();
    let mut new = endpoints
        .iter()
        .map(|endpoint| endpoint.address)
        .filter(|address| !known.contains(address));
    let mut slots: Vec<Option<SocketAddr>> = old
        .iter()
        .map(|address| if wanted.contains(address) { Some(*address) } else { new.next() })
        .collect();
    slots.extend(new.map(Some));
    let mut assigned: Vec<SocketAddr> = Vec::with_capacity(wanted.len());
    let mut end = slots.len();
    let mut index = 0;
    while index < end {
        if let Some(address) = slots[index] {
            assigned.push(address);
            index += 1;
            continue;
        }
        end -= 1;
        slots.swap(index, end);
    }
    assigned
}
