//! Resources that nothing keeps: what is read of them is found out when it is asked for.

use super::Loopback;
use super::entry::Entry;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use windlass_core::client::ListOptions;
use windlass_core::meta::Status;
use windlass_core::object::ListMeta;
use windlass_core::{Object, ObjectList};

/// Answers what is read of one resource. That it may be read was decided before. May be asked from many tasks.
#[async_trait]
pub trait Observer: Send + Sync {
    /// All objects that are asked for, as they are served, with their metadata.
    ///
    /// # Errors
    /// What the client is told.
    async fn observe(&self, asked: Observation<'_>) -> Result<Vec<Arc<Object>>, Status>;

    /// The schema of the objects as it is published: an `openAPIV3Schema` as JSON. Without one they may hold anything.
    fn schema(&self) -> Option<Bytes> {
        None
    }
}

/// What is asked of an [`Observer`].
pub struct Observation<'a> {
    /// The server's own objects.
    pub objects: &'a Loopback,
    /// The namespace, if only one is meant.
    pub namespace: Option<&'a str>,
    /// Which of the objects are meant. Pages are not asked for.
    pub options: &'a ListOptions,
}

/// The one of this name.
pub(super) async fn get(
    (observer, entry): (&dyn Observer, &Entry),
    objects: &Loopback,
    namespace: Option<&str>,
    name: &str,
) -> Result<Arc<Object>, Status> {
    let field_selector = format!("metadata.name={name}");
    let options = &ListOptions { field_selector, ..ListOptions::default() };
    let found = observer.observe(Observation { objects, namespace, options }).await?;
    let missing = || Status::not_found(entry.group(), entry.plural(), name);
    found.into_iter().next().ok_or_else(missing)
}

/// All that are asked for: at once, whatever page was asked for.
pub(super) async fn list(
    observer: &dyn Observer,
    objects: &Loopback,
    namespace: Option<&str>,
    options: &ListOptions,
) -> Result<ObjectList, Status> {
    let items = observer.observe(Observation { objects, namespace, options }).await?;
    Ok(ObjectList { meta: ListMeta::default(), items })
}
