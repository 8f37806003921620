//! What names are made of: Services, their slices, and the way back from addresses.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use windlass_core::cache::Entry;

use crate::config::{Known, ServiceTable, name_of};
use crate::model::{EndpointSliceView, EndpointView, NamespacedName, ServiceView};

/// The cluster's Services as DNS sees them.
///
/// Objects may arrive in any order, and twice. Work is in proportion to the Service that changed.
#[derive(Debug, Default)]
pub struct Catalog {
    services: ServiceTable<Vec<IpAddr>>,
    by_address: FxHashMap<IpAddr, Vec<NamespacedName>>,
    namespaces: FxHashMap<Arc<str>, usize>,
    revision: u32,
}

/// An endpoint that may be given out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) address: IpAddr,
    pub(super) view: &'a EndpointView,
    pub(super) slice: &'a EndpointSliceView,
}

// === impl Catalog ===

impl Catalog {
    /// A Service was added or modified.
    pub fn service_applied(&mut self, service: Arc<Entry<ServiceView>>) {
        let key = name_of(&service.object);
        if self.services.get(&key).is_none_or(|known| known.service.is_none()) {
            *self.namespaces.entry(key.namespace.clone()).or_default() += 1;
        }
        self.services.set_service(&key, Some(service));
        self.refresh(&key);
    }

    /// A Service was deleted.
    pub fn service_deleted(&mut self, key: &NamespacedName) {
        if self.services.get(key).is_none_or(|known| known.service.is_none()) {
            return;
        }
        self.services.set_service(key, None);
        self.leave_namespace(&key.namespace);
        self.refresh(key);
    }

    /// A slice was added or modified.
    pub fn slice_applied(&mut self, slice: Arc<Entry<EndpointSliceView>>) {
        for key in self.services.set_slice(slice) {
            self.refresh(&key);
        }
    }

    /// A slice was deleted.
    pub fn slice_deleted(&mut self, key: &NamespacedName) {
        if let Some(service) = self.services.remove_slice(key) {
            self.refresh(&service);
        }
    }

    /// Counts changes: the serial number of the zone.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision
    }

    pub(super) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains_key(name)
    }

    pub(super) fn service(&self, key: &NamespacedName) -> Option<Service<'_>> {
        let known = self.services.get(key)?;
        Some(Service { view: &known.service.as_ref()?.view, known })
    }

    pub(super) fn at_address(&self, address: IpAddr) -> &[NamespacedName] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }

    fn leave_namespace(&mut self, name: &Arc<str>) {
        if let Some(services) = self.namespaces.get_mut(name) {
            *services -= 1;
            if *services == 0 {
                self.namespaces.remove(name);
            }
        }
    }

    /// Brings the way back from addresses in step with a Service.
    fn refresh(&mut self, key: &NamespacedName) {
        self.revision = self.revision.wrapping_add(1);
        let mut addresses = self.service(key).map(|s| s.reverse()).unwrap_or_default();
        addresses.sort_unstable();
        addresses.dedup();
        let Some(known) = self.services.get_mut(key) else { return };
        let old = std::mem::replace(&mut known.kept, addresses.clone());
        self.services.tidy(key);
        for address in old.iter().filter(|address| addresses.binary_search(address).is_err()) {
            self.unfile(*address, key);
        }
        for address in addresses.into_iter().filter(|address| old.binary_search(address).is_err()) {
            self.by_address.entry(address).or_default().push(key.clone());
        }
    }

    fn unfile(&mut self, address: IpAddr, key: &NamespacedName) {
        if let Some(names) = self.by_address.get_mut(&address) {
            names.retain(|name| name != key);
            if names.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

/// A Service that is there.
#[derive(Clone, Copy)]
pub(super) struct Service<'a> {
    pub(super) view: &'a ServiceView,
    known: &'a Known<Vec<IpAddr>>,
}

// === impl Service ===

impl<'a> Service<'a> {
    pub(super) fn external_name(self) -> Option<&'a str> {
        (self.view.spec.type_ == "ExternalName").then_some(&self.view.spec.external_name)
    }

    pub(super) fn is_headless(self) -> bool {
        self.view.spec.cluster_ip == "None"
    }

    pub(super) fn cluster_addresses(self) -> impl Iterator<Item = IpAddr> + 'a {
        let spec = &self.view.spec;
        let first = spec.cluster_ips.is_empty().then_some(&spec.cluster_ip);
        spec.cluster_ips.iter().chain(first).filter_map(|address| address.parse().ok())
    }

    /// The ready ones, each once a slice.
    pub(super) fn endpoints(self) -> impl Iterator<Item = Endpoint<'a>> + 'a {
        let slices = self.known.slices.values().map(|entry| &entry.view);
        slices.flat_map(|slice| {
            slice.endpoints.iter().filter(|view| view.conditions.is_ready()).filter_map(
                move |view| {
                    let address = view.addresses.first()?.parse().ok()?;
                    Some(Endpoint { address, view, slice })
                },
            )
        })
    }

    /// The addresses whose names lead here.
    fn reverse(self) -> Vec<IpAddr> {
        if self.is_headless() {
            self.endpoints().map(|endpoint| endpoint.address).collect()
        } else {
            self.cluster_addresses().collect()
        }
    }
}

// === impl Endpoint ===

impl Endpoint<'_> {
    /// Its name within the Service: the one it was given, else its address with dashes.
    pub(super) fn host(&self) -> String {
        let given = self.view.hostname.as_deref().filter(|name| !name.is_empty());
        given.map_or_else(|| self.address.to_string().replace(['.', ':'], "-"), str::to_owned)
    }

    pub(super) fn is_named(&self, host: &str) -> bool {
        match self.view.hostname.as_deref() {
            Some(name) if !name.is_empty() => name.eq_ignore_ascii_case(host),
            _ => self.host() == host,
        }
    }
}
