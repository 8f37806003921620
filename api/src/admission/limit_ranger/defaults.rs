//! What containers get that ask for nothing.

use crate::strategy::Map;
use crate::strategy::json::{each_mut, existing_mut, map_mut, str_of};
use std::collections::BTreeMap;
use windlass_core::apis::Quantity;
use windlass_core::apis::core::v1::LimitRangeItem;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

type List = BTreeMap<String, Quantity>;

/// Fills in requests and limits, and tells in an annotation which.
pub(super) fn fill(pod: &mut Map, limits: &[LimitRangeItem]) {
    let mut told = vec![];
    for item in limits.iter().filter(|item| item.type_ == "Container") {
        let Some(spec) = existing_mut(pod, "spec") else { return };
        for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
            for container in each_mut(spec, list) {
                let name = str_of(container, "name").to_owned();
                for (key, given) in [("requests", &item.default_request), ("limits", &item.default)]
                {
                    let set = merge(container, key, given.as_ref());
                    if !set.is_empty() {
                        let one = key.trim_end_matches('s');
                        told.push(format!("{} {one} for {what} {name}", set.join(", ")));
                    }
                }
            }
        }
    }
    if !told.is_empty() {
        let text = format!("LimitRanger plugin set: {}", told.join("; "));
        map_mut(map_mut(pod, "metadata"), "annotations").insert(ANNOTATION.into(), text.into());
    }
}

/// What was not there before.
fn merge(container: &mut Map, key: &str, given: Option<&List>) -> Vec<String> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return vec![] };
    let list = map_mut(map_mut(container, "resources"), key);
    let mut set = vec![];
    for (name, quantity) in given {
        if !list.contains_key(name) {
            list.insert(name.clone(), quantity.0.clone().into());
            set.push(name.clone());
        }
    }
    set
}
