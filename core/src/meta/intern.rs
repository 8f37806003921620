//! Strings that repeat over many objects, kept once: namespaces, label keys, kinds, node names.

use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// A shared string. Two that came from [`intern`] and are equal are one allocation.
pub type Str = Arc<str>;

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Pool {
    strings: HashSet<Str>,
    sweep_at: usize,
}

/// The one copy of `text`. Strings nobody holds any more are let go as the pool grows.
#[must_use]
pub fn intern(text: &str) -> Str {
    let mut pool = POOL.lock();
    if let Some(found) = pool.strings.get(text) {
        return found.clone();
    }
    if pool.strings.len() >= pool.sweep_at {
        pool.strings.retain(|held| Arc::strong_count(held) > 1);
        pool.sweep_at = (pool.strings.len() * 2).max(1024);
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
