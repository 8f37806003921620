//! What configurations and policies say, ready to be asked: read from memory, made anew when one of them changes.

use crate::registry::Loopback;
use crate::storage::{ChangeKind, Event};
use futures::StreamExt;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use windlass_core::Object;
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionResource;

/// Waiting time after a watch could not begin.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a request waits for the objects to be read when the server has just begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// All objects of a resource, by name.
pub(super) type Objects = BTreeMap<String, Arc<Object>>;

/// Something made of all objects of a few resources. Its tasks end when it is dropped.
pub(super) struct Index<T> {
    made: Arc<RwLock<Arc<[T]>>>,
    /// Whether all objects were read once.
    synced: watch::Receiver<bool>,
    tasks: Vec<AbortHandle>,
}

// === impl Index ===

impl<T: Send + Sync + 'static> Index<T> {
    /// Makes it with `make` whenever one of the objects changes; they come in the order of the resources. A resource
    /// that is not served has no objects.
    pub(super) fn follow<const N: usize>(
        objects: &Loopback,
        resources: [GroupVersionResource; N],
        make: impl FnMut(&[Objects; N]) -> Vec<T> + Send + 'static,
    ) -> Self {
        Self::follow_and_tell(objects, resources, make, || {})
    }

    /// The same; `tell` is called whenever it was made anew.
    pub(super) fn follow_and_tell<const N: usize>(
        objects: &Loopback,
        resources: [GroupVersionResource; N],
        mut make: impl FnMut(&[Objects; N]) -> Vec<T> + Send + 'static,
        tell: impl Fn() + Send + 'static,
    ) -> Self {
        let made: Arc<RwLock<Arc<[T]>>> = Arc::new(RwLock::new(Arc::new([])));
        let served = resources.iter().filter(|one| objects.serves(one)).count();
        let (ready, synced) = watch::channel(served == 0);
        let (sender, mut told) = mpsc::channel::<(usize, Objects)>(1);
        let mut tasks = Vec::with_capacity(served + 1);
        for (place, resource) in resources.into_iter().enumerate() {
            if objects.serves(&resource) {
                let following = follow(objects.clone(), resource, place, sender.clone());
                tasks.push(tokio::spawn(following).abort_handle());
            }
        }
        let shared = made.clone();
        let making = async move {
            let mut all = [const { Objects::new() }; N];
            let mut seen = [false; N];
            while let Some((place, objects)) = told.recv().await {
                all[place] = objects;
                seen[place] = true;
                *shared.write() = make(&all).into();
                if seen.iter().filter(|seen| **seen).count() >= served {
                    ready.send_replace(true);
                }
                tell();
            }
        };
        tasks.push(tokio::spawn(making).abort_handle());
        Self { made, synced, tasks }
    }

    /// Whether it can be passed by: all was read, and there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self.synced.borrow() && self.made.read().is_empty()
    }

    /// What there is, once all was read.
    pub(super) async fn get(&self) -> Result<Arc<[T]>, Status> {
        if !*self.synced.borrow() {
            let mut synced = self.synced.clone();
            let ready = tokio::time::timeout(PATIENCE, synced.wait_for(|synced| *synced)).await;
            if !matches!(ready, Ok(Ok(_))) {
                let text = "not yet ready to handle request";
                return Err(Status::failure(windlass_core::meta::Reason::Forbidden, text));
            }
        }
        Ok(self.made.read().clone())
    }
}

impl<T> Drop for Index<T> {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Tells of all objects of a resource whenever one of them changes. A watch may end at any time: then the next one
/// begins with all there are.
async fn follow(
    objects: Loopback,
    resource: GroupVersionResource,
    place: usize,
    tell: mpsc::Sender<(usize, Objects)>,
) {
    let scope = Scope::all(resource);
    loop {
        if let Err(status) = watch(&objects, &scope, place, &tell).await {
            tracing::warn!(%status, resource = %scope.resource.resource, "can't be watched");
            tokio::time::sleep(AGAIN).await;
        }
        if tell.is_closed() {
            return;
        }
    }
}

async fn watch(
    objects: &Loopback,
    scope: &Scope,
    place: usize,
    tell: &mpsc::Sender<(usize, Objects)>,
) -> Result<(), Status> {
    let mut events = objects.events(scope).await?;
    let (mut all, mut complete) = (Objects::new(), false);
    while let Some(batch) = events.next().await {
        for event in batch? {
            match event {
                Event::Initial(object) => _ = all.insert(object.name().to_owned(), object),
                Event::Change(ChangeKind::Deleted, change) => {
                    _ = all.remove(change.object(ChangeKind::Deleted).name());
                }
                Event::Change(kind, change) => {
                    let object = change.object(kind).clone();
                    all.insert(object.name().to_owned(), object);
                }
                Event::Bookmark { .. } => complete = true,
            }
        }
        if complete && tell.send((place, all.clone())).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
