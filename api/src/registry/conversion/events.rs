//! Events: stored in the core group's version, served in `events.k8s.io/v1` too.

use super::{Conversion, rename};
use crate::strategy::Map;

/// Core's name, and the one in `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

pub(super) struct Events;

impl Conversion for Events {
    fn to_served(&self, object: &mut Map) {
        NAMES.iter().for_each(|(core, other)| rename(object, core, other));
    }

    fn to_stored(&self, object: &mut Map) {
        NAMES.iter().for_each(|(core, other)| rename(object, other, core));
        if !object.contains_key("involvedObject") {
            object.insert("involvedObject".into(), Map::new().into());
        }
    }

    fn stored_field(&self, name: &str) -> String {
        let (first, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
        let core = NAMES.iter().find(|(_, other)| *other == first).map(|(core, _)| *core);
        format!("{}{rest}", core.unwrap_or(first))
    }
}
