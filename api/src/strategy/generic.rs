//! What holds for every kind, as data.

use super::json::{int_of, map_mut, map_of, restore};
use super::{Map, Strategy};
use crate::validation::{Errors, NameRule, validate_meta, validate_meta_update};

/// The rules all kinds share, with what differs as data. Alone it serves kinds that have nothing else
/// particular, custom resources among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generic {
    /// Its objects live in namespaces.
    pub namespaced: bool,
    /// It has a `status` that only the subresource writes.
    pub status: bool,
    /// Its `metadata.generation` counts the changes of everything but metadata and status.
    pub generation: bool,
    /// The form of its names.
    pub name: NameRule,
}

// === impl Generic ===

impl Strategy for Generic {
    fn prepare_for_create(&self, object: &mut Map) {
        if self.status {
            object.shift_remove("status");
        }
        let metadata = map_mut(object, "metadata");
        metadata.shift_remove("deletionTimestamp");
        metadata.shift_remove("deletionGracePeriodSeconds");
        metadata.shift_remove("selfLink");
        if self.generation {
            metadata.insert("generation".into(), 1.into());
        } else {
            metadata.shift_remove("generation");
        }
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        if self.status {
            restore(new, old, "status");
        }
        self.keep_system_fields(new, old);
        self.count_generation(new, old);
    }

    fn prepare_for_subresource(&self, subresource: &str, new: &mut Map, old: &Map) {
        if subresource == "status" {
            keep_all_but(&["metadata", "status"], new, old);
            if let Some(before) = map_of(old, "metadata") {
                restore(map_mut(new, "metadata"), before, "ownerReferences");
            }
        }
        self.keep_system_fields(new, old);
    }

    fn validate(&self, object: &Map) -> Errors {
        validate_meta(object, self.namespaced, self.name)
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        validate_meta_update(new, old)
    }

    fn validate_subresource(&self, _subresource: &str, new: &Map, old: &Map) -> Errors {
        validate_meta_update(new, old)
    }
}

impl Generic {
    /// A writer may leave these out, and may not change the generation.
    #[allow(clippy::unused_self, reason = "reads as a rule of the kind")]
    fn keep_system_fields(&self, new: &mut Map, old: &Map) {
        let Some(before) = map_of(old, "metadata") else { return };
        let metadata = map_mut(new, "metadata");
        for key in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            if metadata.get(key).is_none_or(serde_json::Value::is_null) {
                restore(metadata, before, key);
            }
        }
        metadata.shift_remove("selfLink");
        restore(metadata, before, "generation");
    }

    /// Counts the change up, after everything else has had its say.
    pub(super) fn count_generation(&self, new: &mut Map, old: &Map) {
        if !self.generation {
            return;
        }
        let before = generation(old);
        let now = before + i64::from(before == 0 || is_changed(new, old));
        map_mut(new, "metadata").insert("generation".into(), now.into());
    }

    /// Counts a change up that is none of those that always count.
    #[allow(clippy::unused_self, reason = "reads as a rule of the kind")]
    pub(crate) fn count_up(&self, new: &mut Map, old: &Map) {
        map_mut(new, "metadata").insert("generation".into(), (generation(old) + 1).into());
    }
}

fn generation(object: &Map) -> i64 {
    map_of(object, "metadata").and_then(|metadata| int_of(metadata, "generation")).unwrap_or(0)
}

/// Puts back everything but the named fields.
pub(crate) fn keep_all_but(keys: &[&str], new: &mut Map, old: &Map) {
    let mut kept = Map::new();
    for (key, value) in old {
        if !keys.contains(&key.as_str()) {
            kept.insert(key.clone(), value.clone());
        }
    }
    for key in keys {
        if let Some(value) = new.shift_remove(*key) {
            kept.insert((*key).into(), value);
        }
    }
    *new = kept;
}

/// Whether anything but metadata and status differs.
fn is_changed(new: &Map, old: &Map) -> bool {
    let counts = |key: &&String| !matches!(key.as_str(), "metadata" | "status");
    new.keys().chain(old.keys()).filter(counts).any(|key| new.get(key) != old.get(key))
}
