//! What a volume has when its writer does not say.

use super::container::default_field_ref;
use crate::strategy::Map;
use crate::strategy::json::{each_mut, existing_mut, fill, fill_nil, map_mut};
use serde_json::json;

const FILE_MODE: i64 = 0o644;

/// Fills in a volume.
pub(super) fn default_volume(volume: &mut Map) {
    if volume.iter().all(|(key, value)| key == "name" || value.is_null()) {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = existing_mut(volume, source) {
            fill_nil(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(source) = existing_mut(volume, "downwardAPI") {
        each_mut(source, "items").for_each(default_field_ref);
    }
    if let Some(source) = existing_mut(volume, "projected") {
        each_mut(source, "sources").for_each(default_projection);
    }
    if let Some(source) = existing_mut(volume, "hostPath") {
        fill_nil(source, "type", "");
    }
    if let Some(source) = existing_mut(volume, "iscsi") {
        fill(source, "iscsiInterface", "default");
    }
    if let Some(source) = existing_mut(volume, "ephemeral")
        && let Some(template) = existing_mut(source, "volumeClaimTemplate")
    {
        fill_nil(map_mut(template, "spec"), "volumeMode", "Filesystem");
    }
}

fn default_projection(source: &mut Map) {
    if let Some(token) = existing_mut(source, "serviceAccountToken") {
        fill_nil(token, "expirationSeconds", 3600);
    }
    if let Some(downward) = existing_mut(source, "downwardAPI") {
        each_mut(downward, "items").for_each(default_field_ref);
    }
}
