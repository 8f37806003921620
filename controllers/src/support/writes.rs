//! Own writes that a cache may not show yet.
//!
//! A controller that acted on such a cache would do the same thing twice: make pods once more, say. So it remembers
//! the version of its last write for each key, and waits until the cache has come that far. Versions are one sequence
//! over all kinds, as in etcd.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::time::Duration;
use windlass_core::cache::Informer;
use windlass_core::controller::{Action, ObjectKey};
use windlass_core::object::Header;
use windlass_core::workqueue::Backoff;
use windlass_core::{Result, View};

/// Waits no longer than this for a change to be told; then looks again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// So often it is asked what became of a write whose answer got lost …
const ATTEMPTS: u32 = 5;
/// … after such waits.
const RETRY: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(2) };

/// What was written last for each key.
#[derive(Debug, Default)]
pub(crate) struct Writes(Mutex<FxHashMap<ObjectKey, Written>>);

#[derive(Debug, Default)]
struct Written {
    version: u64,
    /// Name and uid of what was deleted.
    ended: Vec<(Box<str>, Box<str>)>,
}

impl Writes {
    /// Something was written for `key`, at `version`; 0 is nothing.
    pub(crate) fn wrote(&self, key: &ObjectKey, version: u64) {
        if version > 0 {
            let mut written = self.0.lock();
            let last = written.entry(key.clone()).or_default();
            last.version = version.max(last.version);
        }
    }

    /// An object was deleted for `key`. No version is known of the end of what is gone at once, so the cache has to show
    /// that it goes or is gone.
    pub(crate) fn deleted(&self, key: &ObjectKey, object: &Header) {
        let ended = (object.name.clone(), object.uid.clone());
        self.0.lock().entry(key.clone()).or_default().ended.push(ended);
    }

    /// What was written for `key` matters no more: its object is gone.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }

    /// Whether a cache shows all that was written for `key` in its namespace.
    pub(crate) fn are_shown<V: View>(&self, key: &ObjectKey, cache: &Informer<V>) -> bool {
        let ends = |header: &Header, uid: &str| header.deleting || *header.uid != *uid;
        let shown = |name: &str, uid: &str| {
            cache.get(&key.namespace, name).is_none_or(|entry| ends(entry.object.header(), uid))
        };
        self.are_known(key, cache.resource_version(), shown)
    }

    fn are_known(&self, key: &ObjectKey, version: u64, ended: impl Fn(&str, &str) -> bool) -> bool {
        let mut written = self.0.lock();
        let Some(last) = written.get(key) else { return true };
        let known =
            last.version <= version && last.ended.iter().all(|(name, uid)| ended(name, uid));
        if known {
            written.remove(key);
        }
        known
    }

    /// What to answer while they are not shown: the change that is missing brings the key back.
    pub(crate) fn wait() -> Action {
        Action::RequeueAfter(PATIENCE)
    }
}

/// Asks what became of a write whose answer got lost: a few times, as the next answer may get lost too. `None` when
/// nobody answers; what is done twice then has to be put right later.
pub(crate) async fn ask<T, F>(question: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T>>,
{
    for failures in 0..ATTEMPTS {
        match question().await {
            Ok(answer) => return Some(answer),
            Err(error) if error.is_not_found() => return None,
            Err(error) => tracing::debug!(%error, "will ask again what became of a write"),
        }
        tokio::time::sleep(RETRY.wait(failures)).await;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::Object;

    #[test]
    fn a_cache_behind_the_last_write_does_not_do() {
        let (writes, key) = (Writes::default(), ObjectKey::new("a", "b"));
        let known = |version| writes.are_known(&key, version, |_, _| true);
        assert!(known(0));
        writes.wrote(&key, 7);
        writes.wrote(&key, 5);
        assert!(!known(6));
        assert!(known(7));
        assert!(known(0), "it is remembered no longer");
        writes.wrote(&key, 9);
        writes.forget(&key);
        assert!(known(0), "it is gone");
    }

    #[test]
    fn nor_one_that_still_shows_what_is_gone() {
        let (writes, key) = (Writes::default(), ObjectKey::new("a", "b"));
        let json = r#"{"metadata":{"name":"p","uid":"u"}}"#;
        let pod = Object::from_wire(json.into()).unwrap();
        writes.deleted(&key, pod.header());
        assert!(!writes.are_known(&key, 9, |name, uid| (name, uid) != ("p", "u")));
        assert!(writes.are_known(&key, 9, |_, _| true));
    }
}
