//! Static pods: those that files of the node describe instead of the API, which only shows their mirrors.

mod manifest;
mod mirror;

pub(crate) use manifest::SOURCE;
pub(crate) use mirror::{MirrorStep, Mirrors, is_mirror};

use mirror::is_mirror_of;

use crate::changes::Changes;
use parking_lot::Mutex;
use rustix::fs::inotify::WatchFlags;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::clock::Clock;
use windlass_core::component::Shutdown;
use windlass_core::controller::ObjectKey;

type Pods = BTreeMap<ObjectKey, Arc<Object>>;

/// The pods that the files of a folder describe.
pub(crate) struct StaticPods {
    folder: Option<PathBuf>,
    node: String,
    clock: Arc<dyn Clock>,
    pods: Mutex<Pods>,
}

// === impl StaticPods ===

impl StaticPods {
    /// Without a folder there are none.
    pub(crate) fn new(folder: Option<PathBuf>, node: &str, clock: Arc<dyn Clock>) -> Self {
        Self { folder, node: node.to_owned(), clock, pods: Mutex::default() }
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

    /// Reads the folder until shutdown, first of all at once, and tells which pods have come, changed or gone. Tells
    /// `read` when it was read first.
    pub(crate) async fn follow(
        &self,
        read: impl FnOnce(),
        changed: impl Fn(ObjectKey),
        shutdown: Shutdown,
    ) {
        let Some(folder) = self.folder.clone() else { return read() };
        let mut changes = match watch(&folder).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::error!(folder = %folder.display(), %error, "static pods can't be followed");
                return read();
            }
        };
        self.look(&folder, &changed).await;
        read();
        while let Some(told) = shutdown.run_until_cancelled(changes.wait()).await {
            if let Err(error) = told {
                return tracing::error!(folder = %folder.display(), %error, "static pods are no longer followed");
            }
            self.look(&folder, &changed).await;
        }
    }

    async fn look(&self, folder: &Path, changed: &impl Fn(ObjectKey)) {
        let (node, now, at) = (self.node.clone(), self.clock.now(), folder.to_path_buf());
        let read = tokio::task::spawn_blocking(move || {
            let files = manifest::files(&at)?;
            Ok::<_, io::Error>(manifest::pods(files, &node, now))
        });
        let new: Pods = match read.await.map_err(io::Error::other).and_then(|read| read) {
            Ok(pods) => pods,
            Err(error) => {
                return tracing::error!(folder = %folder.display(), %error, "static pods can't be read");
            }
        };
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
        drop(old);
        other.into_iter().for_each(changed);
    }
}

async fn watch(folder: &Path) -> io::Result<Changes> {
    tokio::fs::create_dir_all(folder).await?;
    Changes::of(folder, WatchFlags::CLOSE_WRITE | WatchFlags::MOVE | WatchFlags::DELETE)
}
