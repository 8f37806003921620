//! What nodes can give to claims.

use super::allocate::{self, Offer, Unknown, allocate};
use super::counters::Counters;
use super::objects::{DeviceId, Devices};
use super::{Allocated, DeviceSelectors};
use crate::plugins::node_affinity::select::selected;
use crate::snapshot::NodeId;
use crate::{NodeSet, Snapshot};
use rustc_hash::FxHashMap;
use std::collections::HashSet;
use std::sync::Arc;
use windlass_core::apis::core::v1::NodeSelector;
use windlass_core::apis::resource::v1::{Device, ResourceClaim, ResourceSliceSpec};

/// The devices that are there, less those that somebody has.
pub(super) struct Supply<'a> {
    devices: &'a Devices,
    snapshot: &'a Snapshot,
    slices: Vec<Slice<'a>>,
    /// Places in the list of the slices that one node alone can use.
    of_node: FxHashMap<NodeId, Vec<usize>>,
    /// Of the others.
    of_several: Vec<usize>,
    taken: HashSet<DeviceId>,
    counters: Counters,
}

/// A slice with the nodes that can use its devices; none when each device says so for itself.
struct Slice<'a>(&'a Arc<ResourceSliceSpec>, Option<NodeSet>);

// === impl Supply ===

impl<'a> Supply<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        devices: &'a Devices,
        taken: HashSet<DeviceId>,
    ) -> Self {
        let slices = devices.slices();
        let counters = Counters::new(&slices, &taken);
        let slices = slices.into_iter().map(|slice| Slice::new(snapshot, slice)).collect();
        let (of_node, of_several) = (FxHashMap::default(), Vec::new());
        let mut supply = Self { devices, snapshot, slices, of_node, of_several, taken, counters };
        for (at, Slice(slice, nodes)) in supply.slices.iter().enumerate() {
            match nodes.as_ref().filter(|_| named(&slice.node_name)) {
                Some(nodes) => {
                    nodes.iter().for_each(|id| supply.of_node.entry(id).or_default().push(at));
                }
                None => supply.of_several.push(at),
            }
        }
        supply
    }

    /// What a node gives to claims that have nothing yet; none when it has not enough for all of them.
    pub(super) fn on(
        &self,
        node: NodeId,
        claims: &[Arc<ResourceClaim>],
    ) -> Result<Option<Vec<Allocated>>, Unknown> {
        let offers = self.offers(node);
        let selectors = self.devices.selectors.get().map(|selectors| &**selectors);
        let selectors: Option<&dyn DeviceSelectors> = selectors;
        let found = allocate(self.devices, claims, &offers, &self.counters, selectors)?;
        let Some(results) = found else { return Ok(None) };
        let allocated = claims.iter().zip(results).map(|(claim, results)| {
            let here = |result| offers.iter().any(|offer| offer.local && offer.is(result));
            let local = results.iter().any(here);
            let config = allocate::config(self.devices, claim, &results);
            Allocated { claim: claim.clone(), results, config, local }
        });
        Ok(Some(allocated.collect()))
    }

    fn offers(&self, node: NodeId) -> Vec<Offer> {
        let own = self.of_node.get(&node).into_iter().flatten();
        let mut slices: Vec<usize> = own.chain(&self.of_several).copied().collect();
        slices.sort_unstable();
        let offers = slices.into_iter().flat_map(|at| self.slices[at].offers(self.snapshot, node));
        offers.map(|offer| Offer { taken: self.taken.contains(&offer.id), ..offer }).collect()
    }
}

// === impl Slice ===

impl<'a> Slice<'a> {
    fn new(snapshot: &Snapshot, slice: &'a Arc<ResourceSliceSpec>) -> Self {
        if slice.per_device_node_selection == Some(true) {
            return Self(slice, None);
        }
        let (name, selector) = (slice.node_name.as_deref(), slice.node_selector.as_ref());
        Self(slice, Some(reached(snapshot, name, selector, slice.all_nodes)))
    }

    fn offers(&self, snapshot: &Snapshot, node: NodeId) -> Vec<Offer> {
        let Self(slice, nodes) = self;
        if nodes.as_ref().is_some_and(|nodes| !nodes.contains(node)) {
            return Vec::new();
        }
        let usable = |device: &&Device| {
            nodes.is_some() || {
                let (name, selector) = (device.node_name.as_deref(), device.node_selector.as_ref());
                reached(snapshot, name, selector, device.all_nodes).contains(node)
            }
        };
        let offer = |device: &Device| {
            let id = (slice.driver.clone(), slice.pool.name.clone(), device.name.clone());
            let all = if nodes.is_some() { slice.all_nodes } else { device.all_nodes };
            Offer { id, device: device.clone(), local: all != Some(true), taken: false }
        };
        slice.devices.iter().flatten().filter(usable).map(offer).collect()
    }
}

fn named(name: &Option<String>) -> bool {
    name.as_ref().is_some_and(|name| !name.is_empty())
}

fn reached(
    snapshot: &Snapshot,
    name: Option<&str>,
    selector: Option<&NodeSelector>,
    all: Option<bool>,
) -> NodeSet {
    match (name.filter(|name| !name.is_empty()), selector) {
        (Some(name), _) => snapshot.id(name).into_iter().collect(),
        (None, Some(selector)) => selected(snapshot, selector),
        (None, None) if all == Some(true) => snapshot.nodes().clone(),
        (None, None) => NodeSet::default(),
    }
}
