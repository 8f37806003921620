//! Equal classes of pods, kept once.

use super::PodClass;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, Weak};

/// Classes whose cheap hash is the same: beyond so many they are not looked for, so that nobody can make this slow.
const MOST: usize = 16;

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Pool {
    classes: FxHashMap<u64, Vec<Weak<PodClass>>>,
    sweep_at: usize,
}

/// The one copy of a class. Those nobody holds any more are let go as the pool grows.
pub(super) fn share(class: PodClass) -> Arc<PodClass> {
    let hash = cheap_hash(&class);
    let mut pool = POOL.lock();
    if pool.classes.len() >= pool.sweep_at {
        pool.sweep();
    }
    let alike = pool.classes.entry(hash).or_default();
    alike.retain(|held| held.strong_count() > 0);
    let found = alike.iter().filter_map(Weak::upgrade).find(|held| **held == class);
    found.unwrap_or_else(|| {
        let class = Arc::new(class);
        if alike.len() < MOST {
            alike.push(Arc::downgrade(&class));
        }
        class
    })
}

impl Pool {
    fn sweep(&mut self) {
        self.classes.retain(|_, alike| alike.iter().any(|held| held.strong_count() > 0));
        self.sweep_at = (self.classes.len() * 2).max(256);
    }
}

fn cheap_hash(class: &PodClass) -> u64 {
    let mut hasher = FxHasher::default();
    (&class.namespace, &class.labels, &class.requests).hash(&mut hasher);
    (class.priority, &class.node_selector, &class.host_ports, &class.pod_group).hash(&mut hasher);
    hasher.finish()
}
