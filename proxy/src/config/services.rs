//! Services with their slices, put together by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use windlass_core::cache::Entry;

use super::{label, name_of};
use crate::model::{EndpointSliceView, NamespacedName, SERVICE_NAME_LABEL, ServiceView};

/// What is known under each Service's name, with something of the owner's own kept beside it.
///
/// Objects may arrive in any order; each method tells the names whose entries it touched.
#[derive(Debug)]
pub(crate) struct ServiceTable<T> {
    known: FxHashMap<NamespacedName, Known<T>>,
    service_of_slice: FxHashMap<NamespacedName, NamespacedName>,
}

/// All that is known under one Service's name.
#[derive(Debug, Default)]
pub(crate) struct Known<T> {
    pub(crate) service: Option<Arc<Entry<ServiceView>>>,
    pub(crate) slices: BTreeMap<Arc<str>, Arc<Entry<EndpointSliceView>>>,
    /// The owner's.
    pub(crate) kept: T,
}

// === impl ServiceTable ===

impl<T> Default for ServiceTable<T> {
    fn default() -> Self {
        Self { known: FxHashMap::default(), service_of_slice: FxHashMap::default() }
    }
}

impl<T: Default> ServiceTable<T> {
    pub(crate) fn get(&self, key: &NamespacedName) -> Option<&Known<T>> {
        self.known.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &NamespacedName) -> Option<&mut Known<T>> {
        self.known.get_mut(key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &NamespacedName> {
        self.known.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Known<T>> {
        self.known.values()
    }

    /// Whether it knows of nothing.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.service_of_slice.is_empty()
    }

    /// Puts a Service there, or takes it away. False when there was nothing to take.
    pub(crate) fn set_service(
        &mut self,
        key: &NamespacedName,
        service: Option<Arc<Entry<ServiceView>>>,
    ) -> bool {
        if service.is_none() && !self.known.contains_key(key) {
            return false;
        }
        self.known.entry(key.clone()).or_default().service = service;
        true
    }

    /// Puts a slice under its Service, perhaps another one than before.
    pub(crate) fn set_slice(
        &mut self,
        slice: Arc<Entry<EndpointSliceView>>,
    ) -> SmallVec<[NamespacedName; 2]> {
        let key = name_of(&slice.object);
        let service = label(&slice.object, SERVICE_NAME_LABEL).filter(|name| !name.is_empty());
        let service = service.map(|service| NamespacedName::new(key.namespace.clone(), service));
        let mut touched = SmallVec::new();
        if self.service_of_slice.get(&key) != service.as_ref() {
            touched.extend(self.remove_slice(&key));
        }
        let Some(service) = service else { return touched };
        let known = self.known.entry(service.clone()).or_default();
        known.slices.insert(key.name.clone(), slice);
        self.service_of_slice.insert(key, service.clone());
        touched.push(service);
        touched
    }

    /// Takes a slice away.
    pub(crate) fn remove_slice(&mut self, key: &NamespacedName) -> Option<NamespacedName> {
        let service = self.service_of_slice.remove(key)?;
        self.known.entry(service.clone()).or_default().slices.remove(&key.name);
        Some(service)
    }

    /// Forgets an entry when nothing is left of it; true when it did.
    pub(crate) fn tidy(&mut self, key: &NamespacedName) -> bool {
        let empty = |known: &Known<T>| known.service.is_none() && known.slices.is_empty();
        self.known.get(key).is_some_and(empty) && self.known.remove(key).is_some()
    }
}
