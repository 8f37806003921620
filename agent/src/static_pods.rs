//! Static pods: those that files of the node describe instead of the API, which only shows their mirrors.

mod manifest;
mod mirror;

pub(crate) use manifest::SOURCE;
pub(crate) use mirror::{MirrorStep, Mirrors, is_mirror};

use mirror::is_mirror_of;

use crate::changes::{Changes, Persistence};
use parking_lot::Mutex;
use rustix::fs::inotify::WatchFlags;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_core::Object;
use windlass_core::clock::Clock;
use windlass_core::component::Shutdown;
use windlass_core::controller::ObjectKey;
use windlass_core::workqueue::Backoff;

/// When to look again at a folder that can't be read.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(20) };

type Pods = BTreeMap<ObjectKey, Arc<Object>>;

/// The pods that the files of a folder describe.
pub(crate) struct StaticPods {
    folder: Option<PathBuf>,
    node: String,
    clock: Arc<dyn Clock>,
    pods: Mutex<Pods>,
    /// Whether these are all.
    known: watch::Sender<bool>,
}

// === impl StaticPods ===

impl StaticPods {
    /// Without a folder there are none.
    pub(crate) fn new(folder: Option<PathBuf>, node: &str, clock: Arc<dyn Clock>) -> Self {
        let known = watch::Sender::new(folder.is_none());
        Self { folder, node: node.to_owned(), clock, pods: Mutex::default(), known }
    }

    /// Whether it is known which there are. Until then one that is not here may be there.
    pub(crate) fn are_known(&self) -> bool {
        *self.known.borrow()
    }

    /// Returns when it is known which there are.
    pub(crate) async fn read(&self) {
        // The sender lives as long as this value.
        self.known.subscribe().wait_for(|known| *known).await.ok();
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.pods.lock().get(key).cloned()
    }

    /// The uid of the static pod that an object of the API shows.
    pub(crate) fn shown_by(&self, seen: &Object) -> Option<String> {
        let pod = self.get(&ObjectKey::of(seen))?;
        is_mirror_of(&pod, seen).then(|| pod.header().uid.to_string())
    }

    pub(crate) fn keys(&self) -> Vec<ObjectKey> {
        self.pods.lock().keys().cloned().collect()
    }

    /// Reads the folder until shutdown, first of all at once, and tells which pods have come, changed or gone. While it
    /// can't be read, what it held last holds.
    pub(crate) async fn follow(&self, changed: impl Fn(ObjectKey), shutdown: Shutdown) {
        let Some(folder) = &self.folder else { return };
        let trouble = format!("static pods in {} can't be read", folder.display());
        let mut persistence = Persistence::new(trouble, AGAIN);
        let following = async {
            loop {
                persistence.after(self.step(folder, &changed).await).await;
            }
        };
        shutdown.run_until_cancelled(following).await;
    }

    async fn step(&self, folder: &Path, changed: &impl Fn(ObjectKey)) -> io::Result<()> {
        self.look(folder, changed).await?.wait().await
    }

    /// Reads the folder; what tells that it has changed since. Another folder may have its name the next time.
    async fn look(&self, folder: &Path, changed: &impl Fn(ObjectKey)) -> io::Result<Changes> {
        tokio::fs::create_dir_all(folder).await?;
        let changes = Changes::of(folder, Changes::NAMES | WatchFlags::CLOSE_WRITE)?;
        let (node, now, at) = (self.node.clone(), self.clock.now(), folder.to_path_buf());
        let read = tokio::task::spawn_blocking(move || {
            let files = manifest::files(&at)?;
            Ok::<_, io::Error>(manifest::pods(files, &node, now))
        });
        self.replace(read.await.map_err(io::Error::other)??).into_iter().for_each(changed);
        self.known.send_replace(true);
        Ok(changes)
    }

    /// Takes over what was read; the pods that have come, changed or gone.
    fn replace(&self, new: Pods) -> Vec<ObjectKey> {
        let mut old = self.pods.lock();
        let uid = |pods: &Pods, key: &ObjectKey| pods.get(key).map(|pod| pod.header().uid.clone());
        let keys: Vec<_> = old.keys().chain(new.keys()).cloned().collect();
        let other: Vec<_> =
            keys.into_iter().filter(|key| uid(&old, key) != uid(&new, key)).collect();
        // What has not changed keeps the time at which it was seen first.
        let kept = std::mem::take(&mut *old);
        *old = new;
        for (key, pod) in kept {
            if !other.contains(&key) {
                old.insert(key, pod);
            }
        }
        other
    }
}
