//! Nodes that have a pod's images need not fetch them.

use crate::framework::{Columns, Cycle, Extensions, Plugin, PreScore, Reach, Score};
use crate::plugins::resources::percent;
use crate::snapshot::NodeId;
use crate::{NodeInfo, PodClass, Snapshot};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use windlass_core::meta::Str;

/// Prefers nodes with the pod's images, the more and the larger the better.
#[derive(Default)]
pub struct ImageLocality;

/// Which nodes have which images.
#[derive(Clone, Default)]
struct Images {
    by_name: FxHashMap<Str, Image>,
    /// How much has changed so far.
    changes: u64,
    /// What that was when a node came or went last.
    nodes_changed: u64,
}

/// The nodes that have an image, with its size there.
#[derive(Clone, Default)]
struct Image {
    sizes: FxHashMap<NodeId, i64>,
    changed: u64,
}

const MB: i64 = 1024 * 1024;
/// Less than this in all is not worth a thought.
const LEAST: i64 = 23 * MB;
/// More than this for a container makes nothing better.
const MOST: i64 = 1000 * MB;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            pre_score: Some(self.clone()),
            score: Some(self),
            columns: vec![|| Box::<Images>::default()],
            ..Extensions::default()
        }
    }

    fn reach(&self, pod: &PodClass, snapshot: &Snapshot) -> Reach {
        match snapshot.columns::<Images>() {
            Some(images) if pod.images.iter().any(|i| images.by_name.contains_key(i)) => {
                Reach::Nodes
            }
            _ => Reach::Nothing,
        }
    }

    /// How many nodes there are, and which of them have the pod's images.
    fn stamp(&self, pod: &PodClass, snapshot: &Snapshot) -> u64 {
        let Some(images) = snapshot.columns::<Images>() else { return 0 };
        let own = pod.images.iter().filter_map(|name| images.by_name.get(name));
        own.map(|image| image.changed).fold(images.nodes_changed, u64::max)
    }
}

impl PreScore for ImageLocality {
    fn pre_score(&self, cycle: &mut Cycle<'_>, _: &[NodeId]) -> bool {
        let images = cycle.snapshot.columns::<Images>();
        images.is_some_and(|all| cycle.pod.images.iter().any(|i| all.by_name.contains_key(i)))
    }
}

impl Score for ImageLocality {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let Some(images) = cycle.snapshot.columns::<Images>() else { return };
        let all = cycle.snapshot.nodes().len() as f64;
        for having in cycle.pod.images.iter().filter_map(|image| images.by_name.get(image)) {
            // An image that few have counts little, lest these few get all its pods.
            let spread = having.sizes.len() as f64 / all;
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += having.sizes.get(node).map_or(0, |size| (*size as f64 * spread) as i64);
            }
        }
        let most = MOST * cycle.pod.images.len() as i64;
        for score in scores {
            *score = percent((*score).clamp(LEAST, most) - LEAST, most - LEAST);
        }
    }
}

// === impl Images ===

impl Images {
    fn put(&mut self, id: NodeId, name: &Str, size: i64) {
        let image = self.by_name.entry(name.clone()).or_default();
        if image.sizes.insert(id, size) != Some(size) {
            self.changes += 1;
            image.changed = self.changes;
        }
    }

    fn forget(&mut self, id: NodeId, name: &Str) {
        let Some(image) = self.by_name.get_mut(name) else { return };
        if image.sizes.remove(&id).is_some() {
            self.changes += 1;
            image.changed = self.changes;
            if image.sizes.is_empty() {
                self.by_name.remove(name);
            }
        }
    }

    fn nodes_change(&mut self) {
        self.changes += 1;
        self.nodes_changed = self.changes;
    }
}

impl Columns for Images {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    /// Nodes say often what images they have, and mostly nothing new.
    fn node_set(
        &mut self,
        _: &Snapshot,
        id: NodeId,
        node: &Arc<NodeInfo>,
        old: Option<&Arc<NodeInfo>>,
    ) {
        match old {
            None => self.nodes_change(),
            Some(old) if old.images == node.images => return,
            Some(old) => {
                let here: FxHashSet<&Str> = names(node).map(|(name, _)| name).collect();
                let gone = names(old).filter(|(name, _)| !here.contains(name));
                gone.for_each(|(name, _)| self.forget(id, name));
            }
        }
        names(node).for_each(|(name, size)| self.put(id, name, size));
    }

    fn node_removed(&mut self, _: &Snapshot, id: NodeId, node: &Arc<NodeInfo>) {
        self.nodes_change();
        names(node).for_each(|(name, _)| self.forget(id, name));
    }
}

fn names(node: &NodeInfo) -> impl Iterator<Item = (&Str, i64)> {
    node.images.iter().flat_map(|image| image.names.iter().map(|name| (name, image.size)))
}
