//! The last two samples of each node.

use super::rates::{Usage, usage};
use super::sample::Sample;
use std::collections::{BTreeMap, HashMap, HashSet};

/// All of them.
#[derive(Default)]
pub(super) struct History {
    nodes: HashMap<String, Series>,
    /// The node that told of a pod last, by `namespace/pod`.
    places: HashMap<String, String>,
    failing: HashSet<String>,
}

struct Series {
    new: Sample,
    old: Option<Sample>,
}

// === impl History ===

impl History {
    /// What a node uses.
    pub(super) fn node(&self, name: &str) -> Option<Usage> {
        let Series { new, old } = self.nodes.get(name)?;
        usage(&new.node, old.as_ref().map(|old| &old.node))
    }

    /// What each container of a pod uses; none while that is not known of all that run.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<BTreeMap<&str, Usage>> {
        let key = format!("{namespace}/{name}");
        let Series { new, old } = self.nodes.get(self.places.get(&key)?)?;
        let (new, old) = (new.pods.get(&key)?, old.as_ref().and_then(|old| old.pods.get(&key)));
        let of = |(name, point)| {
            let before = old.and_then(|old| old.get(name));
            Some((String::as_str(name), usage(point, before)?))
        };
        new.iter().map(of).collect()
    }

    /// Takes in what a node said. Whether that was the first of it.
    pub(super) fn put(&mut self, node: &str, sample: Sample) -> bool {
        self.failing.remove(node);
        // An agent may say the same for a while.
        let before = self.nodes.get(node);
        if before.is_some_and(|before| before.new.node.at == sample.node.at) {
            return false;
        }
        let old = self.nodes.remove(node).map(|before| before.new);
        if let Some(old) = &old {
            self.forget_places(node, old);
        }
        self.places.extend(sample.pods.keys().map(|pod| (pod.clone(), node.to_owned())));
        let first = old.is_none();
        self.nodes.insert(node.to_owned(), Series { new: sample, old });
        first
    }

    /// A node did not answer: what it said before holds no longer.
    pub(super) fn fail(&mut self, node: &str) {
        self.failing.insert(node.to_owned());
        if let Some(series) = self.nodes.remove(node) {
            self.forget_places(node, &series.new);
        }
    }

    /// Forgets nodes that are gone, and puts those in order that are there: who did not answer the last time comes last.
    pub(super) fn order(&mut self, mut nodes: Vec<String>) -> Vec<String> {
        let there: HashSet<&str> = nodes.iter().map(String::as_str).collect();
        let gone: Vec<_> =
            self.nodes.keys().filter(|name| !there.contains(name.as_str())).cloned().collect();
        gone.iter().for_each(|name| self.fail(name));
        self.failing.retain(|name| there.contains(name.as_str()));
        nodes.sort_by_key(|name| self.failing.contains(name));
        nodes
    }

    fn forget_places(&mut self, node: &str, sample: &Sample) {
        for pod in sample.pods.keys() {
            if self.places.get(pod).is_some_and(|place| place == node) {
                self.places.remove(pod);
            }
        }
    }
}
