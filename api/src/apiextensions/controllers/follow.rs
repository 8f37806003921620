//! From the watch of definitions to what is served, and to the queues.

use crate::apiextensions::Registrar;
use crate::registry::Loopback;
use crate::storage::{ChangeKind, Event};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::scheme;
use windlass_core::workqueue::WorkQueue;

/// Waiting time after the watch could not begin.
const AGAIN: Duration = Duration::from_millis(500);

/// Who is told about definitions, by name.
pub(super) struct Queues {
    pub(super) names: Arc<WorkQueue<String>>,
    pub(super) finalizer: Arc<WorkQueue<String>>,
}

/// Follows the definitions for as long as it is polled. A watch may end at any time: then the next one begins
/// with all definitions there are.
pub(super) async fn run(objects: Loopback, registrar: Arc<Registrar>, queues: Queues) {
    let mut last = BTreeMap::new();
    loop {
        if let Err(status) = watch(&objects, &registrar, &queues, &mut last).await {
            tracing::warn!(%status, "definitions can't be watched");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Takes in what happens until the watch ends. `last` are the definitions that are known.
async fn watch(
    objects: &Loopback,
    registrar: &Registrar,
    queues: &Queues,
    last: &mut BTreeMap<String, Arc<Object>>,
) -> Result<(), Status> {
    let scope = Scope::all(scheme::CUSTOMRESOURCEDEFINITIONS);
    let mut events = objects.events(&scope).await?;
    // Until all that is there was told, what was known before may be gone.
    let mut unseen = Some(last.clone());
    while let Some(batch) = events.next().await {
        for event in batch? {
            match event {
                Event::Initial(object) => {
                    unseen.iter_mut().for_each(|unseen| _ = unseen.remove(object.name()));
                    changed(object, registrar, queues, last).await;
                }
                Event::Change(ChangeKind::Deleted, change) => {
                    gone(change.object(ChangeKind::Deleted), registrar, queues, last);
                }
                Event::Change(kind, change) => {
                    let object = change.object(kind).clone();
                    changed(object, registrar, queues, last).await;
                }
                Event::Bookmark { .. } => {
                    for object in unseen.take().unwrap_or_default().into_values() {
                        gone(&object, registrar, queues, last);
                    }
                }
            }
        }
    }
    Ok(())
}

async fn changed(
    object: Arc<Object>,
    registrar: &Registrar,
    queues: &Queues,
    last: &mut BTreeMap<String, Arc<Object>>,
) {
    registrar.apply(&object).await;
    queues.names.add(object.name().to_owned());
    // It may have given a name back.
    free(&object, registrar, queues);
    if object.header().deleting {
        queues.finalizer.add(object.name().to_owned());
    }
    last.insert(object.name().to_owned(), object);
}

fn gone(
    object: &Object,
    registrar: &Registrar,
    queues: &Queues,
    last: &mut BTreeMap<String, Arc<Object>>,
) {
    registrar.remove(object);
    last.remove(object.name());
    free(object, registrar, queues);
}

/// Others of its group may get what they were refused before.
fn free(object: &Object, registrar: &Registrar, queues: &Queues) {
    let group = object.name().split_once('.').map_or("", |(_, group)| group);
    registrar.waiting(group).into_iter().for_each(|name| queues.names.add(name));
}
