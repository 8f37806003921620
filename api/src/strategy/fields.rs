//! Values of field selectors, read from the bytes of an object.

use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use windlass_core::Object;

type Parts = BTreeMap<String, Box<RawValue>>;

/// The value at the end of a path of names, as a selector compares it; empty when it is not there.
/// `None` when the path is not one of `known`.
pub(super) fn value(object: &Object, known: &[&str], name: &str) -> Option<Cow<'static, str>> {
    known.contains(&name).then(|| read(object, name).map_or(Cow::Borrowed(""), Cow::Owned))
}

/// The value at the end of a path of names, when it is there. Decodes only what lies on the path.
pub(crate) fn read(object: &Object, name: &str) -> Option<String> {
    let mut parts: Parts = object.view().ok()?;
    let mut steps = name.split('.').peekable();
    loop {
        let found = parts.remove(steps.next()?)?;
        if steps.peek().is_none() {
            return text(serde_json::from_str(found.get()).ok()?);
        }
        parts = serde_json::from_str(found.get()).ok()?;
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Null => None,
        Value::Array(ips) => {
            let texts = ips.iter().filter_map(|ip| ip.get("ip")?.as_str());
            Some(texts.collect::<Vec<_>>().join(","))
        }
        other => Some(other.to_string()),
    }
}
