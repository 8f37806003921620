//! Paths and queries, decoded.

use percent_encoding::percent_decode_str;

/// The segments of a path.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
}

/// The pairs of a query, in order.
pub(super) fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Whether one of these is set: the kubelet and the API server name the same thing differently.
pub(super) fn is_set(query: &[(String, String)], names: [&str; 2]) -> bool {
    query.iter().any(|(name, value)| {
        names.contains(&name.as_str()) && matches!(value.as_str(), "1" | "true")
    })
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
