//! A cache that many share, and that tells them what changes.

use super::reflector::version_of;
use super::{Entry, IndexFn, Indexer, Reflector, Sink};
use crate::client::{Client, ListOptions, Scope, WatchBatch, WatchEvent};
use crate::component::{Ready, Shutdown};
use crate::object::{Object, View};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashSet;
use smallvec::{SmallVec, smallvec};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// What happened to an entry.
#[derive(Debug)]
pub enum Change<V> {
    /// It came.
    Added(Arc<Entry<V>>),
    /// It changed.
    Updated {
        /// From this.
        old: Arc<Entry<V>>,
        /// To this.
        new: Arc<Entry<V>>,
    },
    /// It went.
    Deleted(Arc<Entry<V>>),
}

/// Mostly one; two when an object took the name of another.
type Changes<V> = SmallVec<[Change<V>; 2]>;
type Handler<V> = Box<dyn Fn(&Change<V>) + Send + Sync>;

/// The objects of a scope with a view `V` of each. Reads never wait for the server.
///
/// Handlers run one after the other in the informer's task, after the cache shows the change; they must be quick:
/// mostly they put a key into a queue. An object that took the name of another one (its uid differs) is told as
/// `Deleted` and `Added`, never as `Updated`, even when the time between was missed.
pub struct Informer<V> {
    scope: Scope,
    options: ListOptions,
    cache: RwLock<Indexer<V>>,
    handlers: Mutex<Vec<Handler<V>>>,
    synced: Ready,
    reached: AtomicU64,
    changed: Notify,
}

// === impl Change ===

impl<V> Change<V> {
    /// The entry as it is, or as it was last.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry<V>> {
        match self {
            Self::Added(entry) | Self::Deleted(entry) | Self::Updated { new: entry, .. } => entry,
        }
    }

    /// The object as it is, or as it was last.
    #[must_use]
    pub fn object(&self) -> &Arc<Object> {
        &self.entry().object
    }
}

// === impl Informer ===

impl<V: View> Informer<V> {
    /// Of a scope's objects that the options' selectors take. Does nothing until it [runs](Informer::run).
    #[must_use]
    pub fn new(scope: Scope, options: ListOptions) -> Self {
        Self {
            scope,
            options,
            cache: RwLock::default(),
            handlers: Mutex::default(),
            synced: Ready::default(),
            reached: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// Calls `handler` for every change from now on, beginning with an `Added` for each entry there is.
    pub fn on_change(&self, handler: impl Fn(&Change<V>) + Send + Sync + 'static) {
        // Holding the list of handlers keeps changes away until the handler has seen what there is.
        let mut handlers = self.handlers.lock();
        self.list(None).into_iter().for_each(|entry| handler(&Change::Added(entry)));
        handlers.push(Box::new(handler));
    }

    /// Adds an index. Adding one again under the same name replaces it.
    pub fn add_index(
        &self,
        name: &'static str,
        function: impl Fn(&Entry<V>) -> Vec<String> + Send + Sync + 'static,
    ) {
        let function: IndexFn<V> = Arc::new(function);
        self.cache.write().add_index(name, function);
    }

    /// One entry.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Entry<V>>> {
        self.cache.read().get(namespace, name)
    }

    /// The entries of a namespace, or all, in the order of namespace and name.
    #[must_use]
    pub fn list(&self, namespace: Option<&str>) -> Vec<Arc<Entry<V>>> {
        self.cache.read().list(namespace)
    }

    /// The entries that an index files under `value`.
    #[must_use]
    pub fn by_index(&self, index: &str, value: &str) -> Vec<Arc<Entry<V>>> {
        self.cache.read().by_index(index, value)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.read().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Set once the cache holds all that was there when it started.
    #[must_use]
    pub fn synced(&self) -> Ready {
        self.synced.clone()
    }

    /// The cache shows every change up to this version. A writer that remembers the version of its own last write
    /// knows by it whether the cache shows that write; when a handler runs, its own change counts already.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.reached.load(Ordering::Acquire)
    }

    /// Waits until `wanted` finds in the cache what is looked for. It is asked now, and again after changes; how long that
    /// may take is the caller's to say.
    pub async fn wait_for<T>(&self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(found) = wanted(self) {
                return found;
            }
            changed.await;
        }
    }

    /// Follows the server until shutdown.
    pub async fn run(&self, client: Arc<dyn Client>, shutdown: Shutdown) {
        let reflector = Reflector::new(client, self.scope.clone(), self.options.clone());
        reflector.run(self, shutdown).await;
    }

    fn upsert(&self, object: Arc<Object>) -> Changes<V> {
        let name = object.header().full_name();
        let new = match Entry::new(object) {
            Ok(entry) => Arc::new(entry),
            Err(error) => {
                let resource = &self.scope.resource;
                tracing::error!(%resource, %name, %error, "object left out of the cache");
                return Changes::new();
            }
        };
        let old = self.cache.write().insert(new.clone());
        match old {
            None => smallvec![Change::Added(new)],
            Some(old) if old.object.header().uid == new.object.header().uid => {
                smallvec![Change::Updated { old, new }]
            }
            // Its end was missed, and another one has taken its name.
            Some(old) => smallvec![Change::Deleted(old), Change::Added(new)],
        }
    }

    /// Whether the cache shows this very version.
    fn shows(&self, object: &Object) -> bool {
        self.get(object.namespace(), object.name()).is_some_and(|known| {
            let (known, header) = (known.object.header(), object.header());
            header.resource_version != 0
                && (known.resource_version, &known.uid) == (header.resource_version, &header.uid)
        })
    }

    fn take(&self, namespace: &str, name: &str) -> Changes<V> {
        let gone = self.cache.write().remove(namespace, name);
        gone.map(Change::Deleted).into_iter().collect()
    }

    fn tell(&self, handlers: &[Handler<V>], changes: Changes<V>) {
        for change in changes {
            handlers.iter().for_each(|handler| handler(&change));
        }
    }
}

impl<V: View> Sink for Informer<V> {
    fn replace(&self, objects: Vec<Arc<Object>>) {
        let handlers = self.handlers.lock();
        let place = |object: &Object| (object.namespace().to_owned(), object.name().to_owned());
        let here: FxHashSet<_> = objects.iter().map(|object| place(object)).collect();
        let gone = self.list(None).into_iter().map(|entry| place(&entry.object));
        for (namespace, name) in gone.filter(|key| !here.contains(key)) {
            self.tell(&handlers, self.take(&namespace, &name));
        }
        // After a pause most is as it was: nobody is bothered with that.
        for object in objects.into_iter().filter(|object| !self.shows(object)) {
            self.tell(&handlers, self.upsert(object));
        }
        self.synced.set();
        self.changed.notify_waiters();
    }

    fn apply(&self, batch: WatchBatch) {
        let handlers = self.handlers.lock();
        for event in batch {
            let version = version_of(&event);
            let changes = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => self.upsert(object),
                WatchEvent::Deleted(object) => self.take(object.namespace(), object.name()),
                WatchEvent::Bookmark { .. } => Changes::new(),
            };
            self.reached(version);
            self.tell(&handlers, changes);
        }
        self.changed.notify_waiters();
    }

    fn reached(&self, resource_version: u64) {
        self.reached.fetch_max(resource_version, Ordering::Release);
    }
}
