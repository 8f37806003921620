//! Objects by key, and by whatever else they are looked up with.

use crate::error::Result;
use crate::object::{Object, View};
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An object with its view.
#[derive(Debug)]
pub struct Entry<V> {
    /// The object: header and bytes.
    pub object: Arc<Object>,
    /// The fields that the cache's users read.
    pub view: V,
}

/// The values an index files an entry under.
pub type IndexFn<V> = Arc<dyn Fn(&Entry<V>) -> Vec<String> + Send + Sync>;

type Entries<V> = BTreeMap<Box<str>, Arc<Entry<V>>>;

/// Entries by namespace and name, with indexes that are kept, not rebuilt.
pub struct Indexer<V> {
    by_namespace: BTreeMap<Box<str>, Entries<V>>,
    indexes: FxHashMap<&'static str, Index<V>>,
    len: usize,
}

struct Index<V> {
    function: IndexFn<V>,
    // By value, then by namespace and name, so that what is listed comes in a fixed order.
    filed: FxHashMap<String, BTreeSet<Filed<V>>>,
}

/// An entry by its namespace and name: an index holds nothing but a pointer to it.
struct Filed<V>(Arc<Entry<V>>);

impl<V: View> Entry<V> {
    /// Decodes the view of an object.
    ///
    /// # Errors
    /// When the object has another shape than the view expects.
    pub fn new(object: Arc<Object>) -> Result<Self> {
        let view = object.view()?;
        Ok(Self { object, view })
    }
}

impl<V> Default for Indexer<V> {
    fn default() -> Self {
        Self { by_namespace: BTreeMap::new(), indexes: FxHashMap::default(), len: 0 }
    }
}

impl<V> Indexer<V> {
    /// Adds an index, and files what is there already.
    pub fn add_index(&mut self, name: &'static str, function: IndexFn<V>) {
        let mut index = Index { function, filed: FxHashMap::default() };
        self.by_namespace.values().flat_map(Entries::values).for_each(|entry| index.file(entry));
        self.indexes.insert(name, index);
    }

    /// The entry of one object.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Entry<V>>> {
        self.by_namespace.get(namespace)?.get(name).cloned()
    }

    /// All entries that an index files under `value`, in the order of namespace and name. None when there is no such index.
    #[must_use]
    pub fn by_index(&self, index: &str, value: &str) -> Vec<Arc<Entry<V>>> {
        let filed = self.indexes.get(index).and_then(|index| index.filed.get(value));
        filed.map(|all| all.iter().map(|one| one.0.clone()).collect()).unwrap_or_default()
    }

    /// All entries of a namespace in the order of their names; of all namespaces when it is `None`.
    #[must_use]
    pub fn list(&self, namespace: Option<&str>) -> Vec<Arc<Entry<V>>> {
        match namespace {
            Some(namespace) => self
                .by_namespace
                .get(namespace)
                .into_iter()
                .flat_map(Entries::values)
                .cloned()
                .collect(),
            None => self.by_namespace.values().flat_map(Entries::values).cloned().collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an entry in the place of the one with the same name, which is given back.
    pub fn insert(&mut self, entry: Arc<Entry<V>>) -> Option<Arc<Entry<V>>> {
        let (namespace, name) = (entry.object.namespace(), entry.object.name());
        let old = match self.by_namespace.get_mut(namespace) {
            Some(entries) => entries.insert(name.into(), entry.clone()),
            None => {
                let entries = Entries::from([(name.into(), entry.clone())]);
                self.by_namespace.insert(namespace.into(), entries);
                None
            }
        };
        self.len += usize::from(old.is_none());
        for index in self.indexes.values_mut() {
            old.iter().for_each(|old| index.unfile(old));
            index.file(&entry);
        }
        old
    }

    /// Takes an entry out.
    pub fn remove(&mut self, namespace: &str, name: &str) -> Option<Arc<Entry<V>>> {
        let entries = self.by_namespace.get_mut(namespace)?;
        let old = entries.remove(name)?;
        if entries.is_empty() {
            self.by_namespace.remove(namespace);
        }
        self.len -= 1;
        self.indexes.values_mut().for_each(|index| index.unfile(&old));
        Some(old)
    }
}

impl<V> Index<V> {
    fn file(&mut self, entry: &Arc<Entry<V>>) {
        for value in (self.function)(entry) {
            self.filed.entry(value).or_default().replace(Filed(entry.clone()));
        }
    }

    fn unfile(&mut self, entry: &Arc<Entry<V>>) {
        for value in (self.function)(entry) {
            if let Some(entries) = self.filed.get_mut(&value) {
                entries.remove(&Filed(entry.clone()));
                if entries.is_empty() {
                    self.filed.remove(&value);
                }
            }
        }
    }
}

impl<V> Filed<V> {
    fn place(&self) -> (&str, &str) {
        (self.0.object.namespace(), self.0.object.name())
    }
}

impl<V> PartialEq for Filed<V> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl<V> Eq for Filed<V> {}

impl<V> PartialOrd for Filed<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<V> Ord for Filed<V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}
