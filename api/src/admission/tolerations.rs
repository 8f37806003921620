//! Tolerations: which of them cover others.

use crate::strategy::Map;
use serde_json::{Value, json};

fn text<'a>(toleration: &'a Value, field: &str) -> &'a str {
    toleration[field].as_str().unwrap_or_default()
}

fn operator(toleration: &Value) -> &str {
    match text(toleration, "operator") {
        "" => "Equal",
        named => named,
    }
}

/// Whether one toleration tolerates all that another does.
pub(super) fn covers(wide: &Value, narrow: &Value) -> bool {
    if wide == narrow {
        return true;
    }
    let keys = text(wide, "key") == text(narrow, "key")
        || (text(wide, "key").is_empty() && operator(wide) == "Exists");
    let effects = text(wide, "effect") == text(narrow, "effect") || text(wide, "effect").is_empty();
    let seconds = |toleration: &Value| toleration["tolerationSeconds"].as_i64();
    let lasts = match text(wide, "effect") {
        "NoExecute" => match (seconds(wide), seconds(narrow)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => wide >= narrow,
        },
        _ => true,
    };
    let values = match operator(wide) {
        "Exists" => true,
        named => named == operator(narrow) && text(wide, "value") == text(narrow, "value"),
    };
    keys && effects && lasts && values
}

/// Adds tolerations to a pod's. Of two that cover one another the wider one stays.
pub(super) fn merge(spec: &mut Map, more: &[Value]) {
    if more.is_empty() {
        return;
    }
    let list = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    let mut all: Vec<Value> = Vec::new();
    for one in list.drain(..).chain(more.iter().cloned()) {
        if all.iter().any(|known| covers(known, &one)) {
            continue;
        }
        all.retain(|known| !covers(&one, known));
        all.push(one);
    }
    *list = all;
}
