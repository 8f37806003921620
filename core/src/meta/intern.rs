//! Strings that repeat over many objects, kept once: namespaces, label keys, kinds, node names.

use parking_lot::Mutex;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::HashSet;
use std::fmt;
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

/// Text that stands in many objects, in views of them: held once. Compares as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interned(Str);

// === impl Interned ===

impl Interned {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Interned {
    fn default() -> Self {
        static EMPTY: LazyLock<Str> = LazyLock::new(|| intern(""));
        Self(EMPTY.clone())
    }
}

impl std::ops::Deref for Interned {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Interned {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Interned {
    fn from(text: &str) -> Self {
        Self(intern(text))
    }
}

impl PartialEq<str> for Interned {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Interned {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl PartialEq<String> for Interned {
    fn eq(&self, other: &String) -> bool {
        &*self.0 == other.as_str()
    }
}

impl fmt::Debug for Interned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Interned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<'de> Deserialize<'de> for Interned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Interned;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Interned, E> {
                Ok(Interned(intern(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equal_strings_are_one_allocation() {
        let (a, b) = (super::intern("kube-system"), super::intern("kube-system"));
        assert!(std::sync::Arc::ptr_eq(&a, &b));
        assert_ne!(super::intern("default"), a);
        let words: Vec<super::Interned> = serde_json::from_str(r#"["a", "\u0061"]"#).unwrap();
        assert!(std::ptr::eq(words[0].as_str(), words[1].as_str()) && words[0] == "a");
    }
}
