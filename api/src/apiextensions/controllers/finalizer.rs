//! Before a definition goes, the objects it defines go.

use super::Writer;
use crate::apiextensions::conditions::{self, Condition, TERMINATING};
use crate::registry::Entry;
use crate::storage::{ChangeKind, Event, ListQuery, ReadVersion, Selection, WatchFrom, WatchQuery};
use crate::strategy::Map;
use crate::strategy::json::{map_mut, strs_of};
use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use tokio_util::task::AbortOnDropHandle;
use windlass_core::component::Shutdown;
use windlass_core::controller::{Action, Reconciler};
use windlass_core::meta::Status;
use windlass_core::workqueue::WorkQueue;

/// Holds a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What the first request to delete a definition makes of it: it waits for its objects.
pub(crate) fn begin_deletion(definition: &mut Map, now: Timestamp) {
    let metadata = map_mut(definition, "metadata");
    if metadata.contains_key("deletionTimestamp") {
        return;
    }
    let finalizers = metadata.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(finalizers) = finalizers
        && !finalizers.iter().any(|finalizer| finalizer == CLEANUP)
    {
        finalizers.push(CLEANUP.into());
    }
    let message =
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    let (ty, reason) = (TERMINATING, "InstanceDeletionPending");
    conditions::set(definition, &Condition { ty, holds: true, reason, message }, now);
}

/// Where a definition is put again once its last object is gone.
type Again = Arc<OnceLock<Arc<WorkQueue<String>>>>;

pub(super) struct Finalizer {
    writer: Arc<Writer>,
    again: Again,
    shutdown: Shutdown,
    /// Who waits for the objects that something else holds, by definition.
    waiting: Mutex<FxHashMap<String, AbortOnDropHandle<()>>>,
}

// === impl Finalizer ===

impl Finalizer {
    pub(super) fn new(writer: Arc<Writer>, again: Again, shutdown: Shutdown) -> Self {
        Self { writer, again, shutdown, waiting: Mutex::default() }
    }

    /// Deletes the objects. Whether none is left.
    async fn clean(&self, name: &str, hub: &Arc<Entry>) -> Result<bool, Status> {
        let progress = ("InstanceDeletionInProgress", "CustomResource deletion is in progress");
        self.say(name, true, progress).await?;
        self.writer.delete_all(hub).await?;
        if is_empty(&self.writer, hub, ReadVersion::Newest).await? {
            return Ok(true);
        }
        self.wait(name, hub);
        Ok(false)
    }

    /// Comes back to the definition when its last object is gone.
    fn wait(&self, name: &str, hub: &Arc<Entry>) {
        let (writer, hub, again) = (self.writer.clone(), hub.clone(), self.again.clone());
        let (key, shutdown) = (name.to_owned(), self.shutdown.clone());
        let wait = async move {
            if let Err(status) = until_empty(&writer, &hub).await {
                tracing::warn!(name = key, %status, "the last objects can't be watched");
            }
            // Looks itself whether they are gone, so it may come too early.
            again.get().iter().for_each(|queue| _ = queue.add_rate_limited(key.clone()));
        };
        let task = tokio::spawn(async move { _ = shutdown.run_until_cancelled(wait).await });
        self.waiting.lock().insert(name.to_owned(), AbortOnDropHandle::new(task));
    }

    async fn say(
        &self,
        name: &str,
        holds: bool,
        (reason, message): (&str, &str),
    ) -> Result<(), Status> {
        let now = self.writer.registry.env.clock.now();
        let change = |old: &Map| {
            let mut new = old.clone();
            let condition = Condition { ty: TERMINATING, holds, reason, message };
            conditions::set(&mut new, &condition, now);
            new
        };
        self.writer.change(name, "status", change).await
    }
}

#[async_trait]
impl Reconciler for Finalizer {
    type Request = String;
    type Error = Status;

    async fn reconcile(&self, name: &String) -> Result<Action, Status> {
        let Some(definition) = self.writer.definition(name).await? else {
            self.waiting.lock().remove(name);
            return Ok(Action::Done);
        };
        let header = definition.header();
        if !header.deleting || !header.finalizers.iter().any(|finalizer| &**finalizer == CLEANUP) {
            return Ok(Action::Done);
        }
        // What was never served has no objects.
        if let Some(hub) = self.writer.registrar.hub(name)
            && !self.clean(name, &hub).await?
        {
            return Ok(Action::Done);
        }
        self.say(name, false, ("InstanceDeletionCompleted", "removed all instances")).await?;
        self.writer.change(name, "", without_finalizer).await?;
        Ok(Action::Done)
    }
}

fn without_finalizer(definition: &Map) -> Map {
    let mut new = definition.clone();
    let metadata = map_mut(&mut new, "metadata");
    let rest: Vec<Value> = strs_of(metadata, "finalizers")
        .filter(|(_, finalizer)| *finalizer != CLEANUP)
        .map(|(_, finalizer)| finalizer.into())
        .collect();
    metadata.insert("finalizers".into(), rest.into());
    new
}

/// Returns when there are no objects, or when the watch ends.
async fn until_empty(writer: &Writer, hub: &Entry) -> Result<(), Status> {
    let from = WatchFrom::Objects { at: ReadVersion::Newest, mark_end: true };
    let (resource, selection) = (hub.place.clone(), Selection::default());
    let query = WatchQuery { resource, selection, from, bookmarks: false };
    let mut events = writer.registry.objects.storage.watch(query).await?;
    while let Some(batch) = events.next().await {
        let decisive = |event: &Event| {
            matches!(event, Event::Change(ChangeKind::Deleted, _) | Event::Bookmark { .. })
        };
        if batch?.iter().any(decisive) && is_empty(writer, hub, ReadVersion::Any).await? {
            break;
        }
    }
    Ok(())
}

async fn is_empty(writer: &Writer, hub: &Entry, at: ReadVersion) -> Result<bool, Status> {
    let (resource, selection) = (hub.place.clone(), Selection::default());
    let query = ListQuery { resource, selection, at, limit: 1, start: None };
    Ok(writer.registry.objects.storage.list(&query).await?.items.is_empty())
}
