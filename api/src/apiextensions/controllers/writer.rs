//! How the controllers write: as the server itself, through the pipeline of everybody.

use crate::apiextensions::Registrar;
use crate::registry::{Entry, Own, Registry, Write};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{DeleteOptions, Key, ListOptions};
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme;

/// Reads and writes definitions, and deletes what they define.
pub(super) struct Writer {
    pub(super) registry: Arc<Registry>,
    pub(super) registrar: Arc<Registrar>,
    own: Own,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(registry: Arc<Registry>, registrar: Arc<Registrar>) -> Self {
        Self { registry, registrar, own: Own::new() }
    }

    /// A definition as it is now; none when it is gone.
    pub(super) async fn definition(&self, name: &str) -> Result<Option<Arc<Object>>, Status> {
        let key = Key::cluster(scheme::CUSTOMRESOURCEDEFINITIONS, name);
        self.registry.objects.get_at(&key, ReadVersion::Newest).await
    }

    /// Changes a definition, or its status, as `change` says when it sees it; takes effect at once. One that is
    /// gone stays gone.
    pub(super) async fn change(
        &self,
        name: &str,
        subresource: &str,
        change: impl Fn(&Map) -> Map + Send + Sync,
    ) -> Result<(), Status> {
        let entry = self.registry.objects.entry(&scheme::CUSTOMRESOURCEDEFINITIONS)?;
        let mut write = Write { subresource, ..self.own.write(&entry, name) };
        match self.registry.rewrite(&mut write, change).await {
            Ok(object) => {
                self.registrar.apply(&object).await;
                Ok(())
            }
            Err(status) if status.reason == Reason::NotFound => Ok(()),
            Err(status) => Err(status),
        }
    }

    /// Deletes all objects of a definition, in all namespaces.
    pub(super) async fn delete_all(&self, hub: &Arc<Entry>) -> Result<(), Status> {
        let (list, options) = (ListOptions::default(), DeleteOptions::default());
        let mut write = self.own.write(hub, "");
        self.registry.delete_collection(&mut write, &list, &options).await.map(drop)
    }
}
