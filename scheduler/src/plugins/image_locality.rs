//! Nodes that have a pod's images need not fetch them.

use crate::framework::{Columns, Cycle, Extensions, Plugin, PreScore, Reach, Score};
use crate::plugins::resources::percent;
use crate::snapshot::NodeId;
use crate::{NodeInfo, PodClass, Snapshot};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use windlass_core::meta::Str;

/// Prefers nodes with the pod's images, the more and the larger the better.
#[derive(Default)]
pub struct ImageLocality;

/// Which nodes have an image, with its size there.
#[derive(Clone, Default)]
struct Images {
    by_name: FxHashMap<Str, FxHashMap<NodeId, i64>>,
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
            let spread = having.len() as f64 / all;
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += having.get(node).map_or(0, |size| (*size as f64 * spread) as i64);
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
    fn forget(&mut self, id: NodeId, node: &NodeInfo) {
        for name in node.images.iter().flat_map(|image| &image.names) {
            if let Some(nodes) = self.by_name.get_mut(name) {
                nodes.remove(&id);
                if nodes.is_empty() {
                    self.by_name.remove(name);
                }
            }
        }
    }
}

impl Columns for Images {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn node_set(
        &mut self,
        _: &Snapshot,
        id: NodeId,
        node: &Arc<NodeInfo>,
        old: Option<&Arc<NodeInfo>>,
    ) {
        if old.is_some_and(|old| old.images == node.images) {
            return;
        }
        if let Some(old) = old {
            self.forget(id, old);
        }
        for image in &node.images {
            for name in &image.names {
                self.by_name.entry(name.clone()).or_default().insert(id, image.size);
            }
        }
    }

    fn node_removed(&mut self, _: &Snapshot, id: NodeId, node: &Arc<NodeInfo>) {
        self.forget(id, node);
    }
}
