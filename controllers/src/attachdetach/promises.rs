//! Volumes that may be attached to one node only, and which node is about to get them.
//!
//! Caches don't show an attachment at once. Of two nodes that want a volume at the same time the second would find nobody
//! who has it, and data would be written from both. So a node is promised the volume first, and has it by that until the
//! cache shows what became of it.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// By volume. Every look at the cache is taken under its lock: what is shown by then is promised no longer.
#[derive(Debug, Default)]
pub(super) struct Promises(Mutex<FxHashMap<String, Promise>>);

#[derive(Debug)]
struct Promise {
    node: String,
    /// Of the attachment.
    name: String,
    /// The version of the attachment; none while it is not known whether there is one.
    made: Option<u64>,
}

/// What a cache shows of a volume.
pub(super) struct Shown {
    /// All changes up to this version.
    pub(super) version: u64,
    /// Nodes with an attachment.
    pub(super) on: Vec<String>,
}

/// Where a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the node that asks, or on none: then it is promised to this node from now on.
    Here,
    /// Attached to another node.
    On(String),
    /// Promised to another node.
    Promised(String),
}

// === impl Promises ===

impl Promises {
    /// Whether `node` may have a volume, by an attachment of this name.
    pub(super) fn take(
        &self,
        volume: &str,
        (node, name): (&str, &str),
        shown: impl FnOnce() -> Shown,
    ) -> Place {
        let mut promises = self.0.lock();
        let shown = shown();
        if shown.on.iter().any(|on| on == node) {
            return Place::Here;
        }
        if let Some(other) = shown.on.into_iter().next() {
            return Place::On(other);
        }
        match promises.get_mut(volume) {
            Some(known) if known.node == node => {
                // It came and went: the next one is not known yet.
                known.made = known.made.filter(|version| *version > shown.version);
            }
            Some(known) if known.made.is_none_or(|version| version > shown.version) => {
                return Place::Promised(known.node.clone());
            }
            _ => {
                let promise = Promise { node: node.into(), name: name.into(), made: None };
                promises.insert(volume.into(), promise);
            }
        }
        Place::Here
    }

    /// Volumes that a node was promised, with the names of their attachments, of which nothing is known yet.
    pub(super) fn open(&self, node: &str) -> Vec<(String, String)> {
        let promises = self.0.lock();
        let open = promises.iter().filter(|(_, one)| one.node == node && one.made.is_none());
        open.map(|(volume, one)| (volume.clone(), one.name.clone())).collect()
    }

    /// The server has the attachment, since this version; none: it has none, and the volume is free.
    pub(super) fn settle(&self, volume: &str, made: Option<u64>) {
        let mut promises = self.0.lock();
        match (promises.get_mut(volume), made) {
            (Some(promise), Some(_)) => promise.made = made,
            (Some(_), None) => drop(promises.remove(volume)),
            (None, _) => {}
        }
    }

    /// Forgets what the cache shows.
    pub(super) fn forget(&self, version: u64) {
        self.0.lock().retain(|_, one| one.made.is_none_or(|made| made > version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_promised_to_one_node_until_the_cache_shows_it() {
        let promises = Promises::default();
        let take = |node: &str, version: u64, on: &[&str]| {
            let on = on.iter().map(|on| (*on).to_owned()).collect();
            promises.take("v", (node, "csi-x"), || Shown { version, on })
        };
        assert_eq!(take("a", 1, &[]), Place::Here);
        assert_eq!(take("a", 1, &[]), Place::Here, "it may ask again");
        assert_eq!(take("b", 1, &[]), Place::Promised("a".into()));
        assert_eq!(promises.open("a"), [("v".to_owned(), "csi-x".to_owned())]);
        promises.settle("v", Some(7));
        assert!(promises.open("a").is_empty());
        assert_eq!(take("b", 6, &[]), Place::Promised("a".into()), "not shown yet");
        assert_eq!(take("b", 7, &["a"]), Place::On("a".into()));
        promises.forget(6);
        assert_eq!(take("b", 6, &[]), Place::Promised("a".into()));
        assert_eq!(take("b", 7, &[]), Place::Here, "it came and went");
        promises.settle("v", Some(9));
        assert_eq!(take("b", 9, &[]), Place::Here, "once more");
        assert_eq!(promises.open("b").len(), 1, "nothing is known of the second");
        assert_eq!(take("a", 9, &[]), Place::Promised("b".into()));
        promises.settle("v", None);
        assert_eq!(take("a", 7, &[]), Place::Here, "nothing came of it");
    }
}
