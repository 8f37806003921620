//! The entries of `metadata.managedFields`.

use super::FieldSet;
use crate::strategy::Map;
use crate::strategy::json::{list_of, map_of, str_of};
use serde_json::{Value, json};
use std::fmt;

/// Entries of updates beyond this many are put together, the oldest first.
const MAX_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// Server-side apply.
    Apply,
    /// Anything else.
    Update,
}

/// Who owns fields, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    /// RFC 3339, to the second; sorts as text.
    pub(crate) time: String,
    pub(crate) fields: FieldSet,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Managed(pub(crate) Vec<Manager>);

// === impl Manager ===

impl Manager {
    /// Whether it is the same manager: one that applies is so through all versions of the API.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn decode(entry: &Map) -> Option<Self> {
        Some(Self {
            name: str_of(entry, "manager").into(),
            operation: match str_of(entry, "operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            },
            api_version: str_of(entry, "apiVersion").into(),
            subresource: str_of(entry, "subresource").into(),
            time: str_of(entry, "time").into(),
            fields: FieldSet::decode(map_of(entry, "fieldsV1")?)?,
        })
    }

    fn encode(&self) -> Value {
        let mut entry = json!({
            "manager": self.name,
            "operation": format!("{:?}", self.operation),
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.encode(),
        });
        if let Some(entry) = entry.as_object_mut() {
            if !self.subresource.is_empty() {
                entry.insert("subresource".into(), self.subresource.clone().into());
            }
            if self.time.is_empty() {
                entry.shift_remove("time");
            }
        }
        entry
    }
}

impl fmt::Display for Manager {
    /// As conflicts name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        match (self.operation, self.time.as_str()) {
            (Operation::Apply, _) => Ok(()),
            (Operation::Update, "") => write!(f, " using {}", self.api_version),
            (Operation::Update, time) => write!(f, " using {} at {time}", self.api_version),
        }
    }
}

// === impl Managed ===

impl Managed {
    /// The managers an object names. `None` when it names none, or in a way that can't be read.
    pub(crate) fn of(object: &Map) -> Option<Self> {
        let entries = list_of(map_of(object, "metadata")?, "managedFields");
        let managers: Option<Vec<_>> =
            entries.iter().map(|entry| Manager::decode(entry.as_object()?)).collect();
        managers.filter(|managers| !managers.is_empty()).map(Self)
    }

    /// The entry of a manager, if it is there.
    pub(crate) fn entry(&self, manager: &Manager) -> Option<&Manager> {
        self.0.iter().find(|entry| entry.is_same(manager))
    }

    /// Puts this in place of the manager's entry.
    pub(crate) fn set(&mut self, manager: Manager) {
        match self.0.iter_mut().find(|entry| entry.is_same(&manager)) {
            Some(entry) => *entry = manager,
            None => self.0.push(manager),
        }
    }

    /// All fields that anybody owns in a version.
    pub(crate) fn union(&self, version: &str) -> FieldSet {
        let mut all = FieldSet::default();
        let owners = self.0.iter().filter(|manager| manager.api_version == version);
        owners.for_each(|manager| all.union(manager.fields.clone()));
        all
    }

    /// The versions in which they own fields, each once.
    pub(crate) fn versions(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.0.iter().map(|manager| &*manager.api_version).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Writes the entries into an object, those that own nothing left out.
    pub(crate) fn write(mut self, object: &mut Map) {
        self.0.retain(|manager| !manager.fields.is_empty());
        self.put_together();
        self.0.sort_by(|a, b| {
            let key = |m: &Manager| (m.operation, m.time.clone(), m.name.clone());
            key(a).cmp(&key(b)).then_with(|| {
                (&a.api_version, &a.subresource).cmp(&(&b.api_version, &b.subresource))
            })
        });
        let metadata = crate::strategy::json::map_mut(object, "metadata");
        if self.0.is_empty() {
            metadata.shift_remove("managedFields");
        } else {
            let entries: Vec<_> = self.0.iter().map(Manager::encode).collect();
            metadata.insert("managedFields".into(), entries.into());
        }
    }

    fn put_together(&mut self) {
        let updates = |m: &Manager| m.operation == Operation::Update && m.subresource.is_empty();
        let mut surplus = self.0.iter().filter(|m| updates(m)).count().saturating_sub(MAX_UPDATERS);
        if surplus == 0 {
            return;
        }
        self.0.sort_by(|a, b| a.time.cmp(&b.time));
        let mut kept: Vec<Manager> = Vec::new();
        for mut manager in std::mem::take(&mut self.0) {
            if updates(&manager) && surplus > 0 {
                surplus -= usize::from(manager.name != ANCIENT);
                manager.name = ANCIENT.into();
            }
            match kept.iter_mut().find(|entry| entry.is_same(&manager)) {
                Some(entry) => {
                    entry.fields.union(manager.fields);
                    entry.time = manager.time;
                }
                None => kept.push(manager),
            }
        }
        self.0 = kept;
    }
}
