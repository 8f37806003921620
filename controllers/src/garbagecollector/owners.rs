//! Asking the server for owners that the graph does not know.

use super::behind::Behind;
use super::graph::{FOREGROUND, Graph, Source, waits};
use super::plan::OwnerState;
use crate::support::kinds::Definition;
use std::sync::Arc;
use windlass_core::Result;
use windlass_core::cache::Informer;
use windlass_core::client::{Client, Key};
use windlass_core::object::{Header, Owner};
use windlass_core::scheme::{GroupVersion, GroupVersionResource, Scheme};

pub(super) struct Owners {
    pub(super) graph: Arc<Graph>,
    pub(super) definitions: Arc<Informer<Definition>>,
    pub(super) behind: Arc<Behind>,
    pub(super) client: Arc<dyn Client>,
}

impl Owners {
    /// The state of each owner of an object.
    pub(super) async fn states(&self, header: &Header) -> Result<Vec<(Owner, OwnerState)>> {
        let mut states = vec![];
        for owner in &header.owners {
            states.push((owner.clone(), self.state(header, owner).await?));
        }
        Ok(states)
    }

    async fn state(&self, child: &Header, owner: &Owner) -> Result<OwnerState> {
        let namespace = &*child.namespace;
        let known = self.graph.get(&owner.uid).filter(|node| node.is(owner, namespace));
        if let Some(node) = known.filter(|node| node.source == Source::Own) {
            return Ok(if node.foreground { OwnerState::Waiting } else { OwnerState::Solid });
        }
        if self.graph.is_gone(owner, namespace) {
            return Ok(OwnerState::Gone);
        }
        // What can't be looked up is taken to be there: nothing is deleted on a guess.
        let Some(key) = self.key(child, owner) else { return Ok(OwnerState::Solid) };
        let found = match self.client.get(&key).await {
            // A server that starts or ends finds no paths: that says nothing of the owner.
            Err(error) if error.is_not_found() && error.names(&key.name) => None,
            other => Some(other?),
        };
        match found.filter(|found| *found.header().uid == *owner.uid) {
            Some(found) if waits(found.header(), FOREGROUND) => Ok(OwnerState::Waiting),
            Some(_) => Ok(OwnerState::Solid),
            None => {
                self.graph.set_gone(owner, key.namespace.as_deref().unwrap_or_default());
                Ok(OwnerState::Gone)
            }
        }
    }

    fn key(&self, child: &Header, owner: &Owner) -> Option<Key> {
        let (resource, namespaced) = self.resource(owner)?;
        match (namespaced, &*child.namespace) {
            (true, "") => None,
            (true, namespace) => Some(Key::new(resource, namespace, &*owner.name)),
            (false, _) => Some(Key::cluster(resource, &*owner.name)),
        }
    }

    fn resource(&self, owner: &Owner) -> Option<(GroupVersionResource, bool)> {
        let version: GroupVersion = owner.api_version.parse().ok()?;
        let gvk = version.with_kind(owner.kind.to_string());
        if let Some(info) = Scheme::builtin().by_gvk(&gvk) {
            return Some((info.gvr.clone(), info.namespaced));
        }
        let kinds = self.definitions.list(None).into_iter().filter_map(|entry| entry.view.kind());
        let mut fits =
            kinds.filter(|kind| kind.kind == gvk.kind && kind.resource.group == gvk.group);
        let found = fits.next().or_else(|| self.behind.find(&gvk.group, &gvk.kind));
        found.map(|kind| (kind.resource, kind.namespaced))
    }
}
