//! Strings that repeat over many objects, kept once: namespaces, label keys, kinds, node names.

use parking_lot::Mutex;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// A shared string. Two that came from [`intern`] and are equal are one allocation.
pub type Str = Arc<str>;

/// Many pools, so that requests that decode at the same time seldom wait for each other.
static POOLS: LazyLock<[Mutex<Pool>; 64]> =
    LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[derive(Default)]
struct Pool {
    strings: HashSet<Str>,
    sweep_at: usize,
}

/// The one copy of `text`. Strings nobody holds any more are let go as the pool grows.
#[must_use]
pub fn intern(text: &str) -> Str {
    let shard = HASHER.hash_one(text) as usize % POOLS.len();
    let mut pool = POOLS[shard].lock();
    if let Some(found) = pool.strings.get(text) {
        return found.clone();
    }
    if pool.strings.len() >= pool.sweep_at {
        pool.strings.retain(|held| Arc::strong_count(held) > 1);
        pool.sweep_at = (pool.strings.len() * 2).max(64);
    }
    let new: Str = text.into();
    pool.strings.insert(new.clone());
    new
}

#[cfg(test)]
mod tests {
    #[test]
    fn equal_strings_are_one_allocation() {
        let (a, b) = (super::intern("kube-system"), super::intern("kube-system"));
        assert!(std::sync::Arc::ptr_eq(&a, &b));
        assert_ne!(super::intern("default"), a);
    }
}
