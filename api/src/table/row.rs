//! One object, and the ways in which cells read it.

use super::age;
use crate::strategy::Map;
use crate::strategy::json::{
    int_of, is_empty, list_of, map_at, map_of, maps_of, str_at, str_of, strs_of,
};
use jiff::Timestamp;
use serde_json::Value;

pub(super) const NONE: &str = "<none>";

/// One object to print.
pub(super) struct Row {
    pub(super) object: Map,
    pub(super) now: Timestamp,
}

/// The cells of one object.
pub(super) type Cells = Vec<Value>;

impl Row {
    pub(super) fn name(&self) -> Value {
        str_at(&self.object, &["metadata", "name"]).into()
    }

    pub(super) fn age(&self) -> Value {
        self.since(&["metadata", "creationTimestamp"], age::UNKNOWN)
    }

    /// When it was created, as the API writes it.
    pub(super) fn created(&self) -> Value {
        self.text(&["metadata", "creationTimestamp"])
    }

    /// How long ago the time at a path was.
    pub(super) fn since(&self, path: &[&str], missing: &str) -> Value {
        match str_at(&self.object, path) {
            "" => missing.into(),
            time => age::since(Some(time), self.now).into(),
        }
    }

    /// The text at a path, empty when there is none.
    pub(super) fn text(&self, path: &[&str]) -> Value {
        str_at(&self.object, path).into()
    }

    /// The text at a path, or another.
    pub(super) fn text_or(&self, path: &[&str], other: &str) -> Value {
        match str_at(&self.object, path) {
            "" => other.into(),
            text => text.into(),
        }
    }

    /// The number at a path, 0 when there is none.
    pub(super) fn int(&self, path: &[&str]) -> i64 {
        crate::strategy::json::value_at(&self.object, path).and_then(Value::as_i64).unwrap_or(0)
    }

    pub(super) fn map(&self, path: &[&str]) -> Option<&Map> {
        map_at(&self.object, path)
    }

    /// How many entries the map or list at a path has.
    pub(super) fn count(&self, path: &[&str]) -> usize {
        match crate::strategy::json::value_at(&self.object, path) {
            Some(Value::Object(map)) => map.len(),
            Some(Value::Array(list)) => list.len(),
            _ => 0,
        }
    }

    pub(super) fn is_deleting(&self) -> bool {
        !str_at(&self.object, &["metadata", "deletionTimestamp"]).is_empty()
    }

    /// Names and images of the containers of the template at a path.
    pub(super) fn containers(&self, path: &[&str]) -> [Value; 2] {
        let empty = Map::new();
        let spec = self.map(path).unwrap_or(&empty);
        ["name", "image"].map(|key| {
            let all: Vec<_> = maps_of(spec, "containers").map(|(_, c)| str_of(c, key)).collect();
            all.join(",").into()
        })
    }

    /// The label selector at a path.
    pub(super) fn selector(&self, path: &[&str]) -> Value {
        self.map(path).map_or_else(|| NONE.into(), selector)
    }

    /// Whether a condition is true.
    pub(super) fn condition(&self, kind: &str) -> bool {
        let status = self.map(&["status"]);
        let mut all = status.into_iter().flat_map(|status| maps_of(status, "conditions"));
        all.any(|(_, c)| str_of(c, "type") == kind && str_of(c, "status") == "True")
    }
}

/// A label selector as `-l` takes it.
pub(super) fn selector(selector: &Map) -> Value {
    let mut parts = vec![pairs(map_of(selector, "matchLabels"))];
    for (_, expression) in maps_of(selector, "matchExpressions") {
        let key = str_of(expression, "key");
        let values: Vec<_> = strs_of(expression, "values").map(|(_, value)| value).collect();
        parts.push(match str_of(expression, "operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { NONE.into() } else { parts.join(",").into() }
}

/// Labels as `key=value`, in the order of the keys.
pub(super) fn pairs(labels: Option<&Map>) -> String {
    let mut all: Vec<_> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    all.sort_unstable();
    all.join(",")
}

/// The labels of a map, or that there are none.
pub(super) fn labels(labels: Option<&Map>) -> Value {
    match pairs(labels).as_str() {
        "" => NONE.into(),
        text => text.into(),
    }
}

/// The first few of a list, and how many more there are.
pub(super) fn some_of(all: &[String], most: usize) -> String {
    if all.len() <= most {
        return all.join(",");
    }
    format!("{} + {} more...", all[..most].join(","), all.len() - most)
}

/// A number or a text as it stands in the object.
pub(super) fn plain(value: Option<&Value>, missing: &str) -> String {
    match value {
        None | Some(Value::Null) => missing.into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Access modes in their short forms.
pub(super) fn access_modes(holder: &Map) -> String {
    let short = |(_, mode): (usize, &str)| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let all: Vec<_> = strs_of(holder, "accessModes").map(short).collect();
    all.join(",")
}

/// `True` or `False`.
pub(super) fn yes_no(value: Option<&Value>) -> Value {
    match value.and_then(Value::as_bool) {
        Some(true) => "True".into(),
        Some(false) => "False".into(),
        None => "<unset>".into(),
    }
}

/// Whether a list is there and has something in it.
pub(super) fn has(map: &Map, key: &str) -> bool {
    !is_empty(map, key) && !list_of(map, key).is_empty()
}

/// The ports of a Service or of endpoints: `80/TCP`, `80:30000/TCP`.
pub(super) fn service_port(port: &Map) -> String {
    let number = int_of(port, "port").unwrap_or(0);
    let protocol = str_of(port, "protocol");
    match int_of(port, "nodePort").unwrap_or(0) {
        0 => format!("{number}/{protocol}"),
        node => format!("{number}:{node}/{protocol}"),
    }
}
