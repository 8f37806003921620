//! Keeps the graph by what happens. Objects are looked at and let go: only what they name is kept.

use super::NodeAuthorizer;
use super::graph::{Edges, Origin, Source};
use super::pod;
use rustc_hash::FxHashSet;
use std::sync::Arc;
use windlass_core::cache::{Reflector, Sink};
use windlass_core::client::{Client, ListOptions, Scope, WatchBatch, WatchEvent};
use windlass_core::component::{Ready, Shutdown};
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_core::{Object, Result};

/// What comes of one resource.
struct Follower {
    authorizer: Arc<NodeAuthorizer>,
    origin: Origin,
    read: fn(&Object) -> Result<Option<Edges>>,
    synced: Ready,
}

// === impl NodeAuthorizer ===

impl NodeAuthorizer {
    /// Learns from pods, volumes, attachments and slices until shutdown. What is returned is set once each of them is known. Needs
    /// a tokio runtime.
    pub fn follow(self: &Arc<Self>, client: &Arc<dyn Client>, shutdown: &Shutdown) -> Vec<Ready> {
        let follow = |resource: GroupVersionResource| {
            let (origin, read): (_, fn(&Object) -> _) = match &resource {
                it if *it == scheme::PODS => (Origin::Pod, pod::pod),
                it if *it == scheme::PERSISTENTVOLUMES => (Origin::Volume, pod::volume),
                it if *it == scheme::VOLUMEATTACHMENTS => (Origin::Attachment, pod::attachment),
                _ => (Origin::Slice, pod::slice),
            };
            let synced = Ready::default();
            let follower =
                Follower { authorizer: self.clone(), origin, read, synced: synced.clone() };
            let options = ListOptions::default();
            let reflector = Reflector::new(client.clone(), Scope::all(resource), options);
            let shutdown = shutdown.child_token();
            tokio::spawn(async move { reflector.run(&follower, shutdown).await });
            synced
        };
        Self::FOLLOWED.into_iter().map(follow).collect()
    }
}

// === impl Follower ===

impl Follower {
    fn source(&self, object: &Object) -> Source {
        (self.origin, object.namespace().into(), object.name().into())
    }

    fn set(&self, object: &Object) {
        let edges = (self.read)(object).unwrap_or_else(|error| {
            let name = object.header().full_name();
            tracing::error!(%name, %error, "an object gives nodes no rights");
            None
        });
        self.authorizer.graph.write().set(self.source(object), edges);
    }
}

impl Sink for Follower {
    fn replace(&self, objects: Vec<Arc<Object>>) {
        let here: FxHashSet<Source> = objects.iter().map(|object| self.source(object)).collect();
        self.authorizer.graph.write().keep(self.origin, |source| here.contains(source));
        objects.iter().for_each(|object| self.set(object));
        self.synced.set();
    }

    fn apply(&self, batch: WatchBatch) {
        for event in batch {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => self.set(&object),
                WatchEvent::Deleted(object) => {
                    self.authorizer.graph.write().set(self.source(&object), None);
                }
                WatchEvent::Bookmark { .. } => {}
            }
        }
    }
}
