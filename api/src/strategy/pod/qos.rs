//! The quality of service of a pod (KEP-2837 and "Pod Quality of Service Classes").

use crate::strategy::Map;
use crate::strategy::json::{is_empty, map_of, maps_of};
use serde_json::Value;
use windlass_core::meta::Quantity;

const COUNTED: [&str; 2] = ["cpu", "memory"];

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub(crate) fn class(spec: &Map) -> &'static str {
    if map_of(spec, "resources").is_some_and(|r| !is_empty(r, "requests") || !is_empty(r, "limits"))
    {
        return of_resources(std::iter::once(spec));
    }
    let of = |list| maps_of(spec, list).map(|(_, container)| container);
    of_resources(of("initContainers").chain(of("containers")))
}

fn of_resources<'a>(holders: impl Iterator<Item = &'a Map>) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    for holder in holders {
        for name in COUNTED {
            let (request, limit) =
                (amount(holder, "requests", name), amount(holder, "limits", name));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// The amount, when it is more than nothing.
fn amount(holder: &Map, list: &str, name: &str) -> Option<Quantity> {
    let value = map_of(map_of(holder, "resources")?, list)?.get(name)?;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse().ok().filter(|amount| *amount > Quantity::default())
}
