//! `ConversionReview` (API reference, `apiextensions.k8s.io/v1`): what is asked, and what is taken for an answer.

use crate::strategy::Map;
use crate::strategy::json::{list_of, map_mut, map_of, str_at, str_of};
use serde_json::{Value, json};
use windlass_core::scheme::GroupVersionKind;

#[cfg(test)]
mod tests;

/// The review that asks for objects in another version.
pub(super) fn request(version: &str, uid: &str, to: &str, objects: &[Map]) -> Vec<u8> {
    let review = json!({
        "kind": "ConversionReview",
        "apiVersion": format!("apiextensions.k8s.io/{version}"),
        "request": {"uid": uid, "desiredAPIVersion": to, "objects": objects},
    });
    review.to_string().into_bytes()
}

/// The objects of an answer. Only what a conversion may change is taken: not who an object is.
pub(super) fn read(
    version: &str,
    uid: &str,
    to: &GroupVersionKind,
    answer: &[u8],
    originals: Vec<Map>,
) -> Result<Vec<Map>, String> {
    let review: Map = serde_json::from_slice(answer)
        .map_err(|error| format!("the answer is no JSON: {error}"))?;
    let expected = format!("apiextensions.k8s.io/{version}");
    if (str_of(&review, "kind"), str_of(&review, "apiVersion")) != ("ConversionReview", &*expected)
    {
        return Err(format!(
            "expected webhook response of {expected}, Kind=ConversionReview, got {}, Kind={}",
            str_of(&review, "apiVersion"),
            str_of(&review, "kind"),
        ));
    }
    let response = map_of(&review, "response").ok_or("no response provided")?;
    if str_of(response, "uid") != uid {
        return Err(format!("expected response.uid={uid:?}, got {:?}", str_of(response, "uid")));
    }
    let empty = Map::new();
    let result = map_of(response, "result").unwrap_or(&empty);
    match (str_of(result, "status"), str_of(result, "message")) {
        ("Success", _) => {}
        ("", _) => return Err("response.result.status was '', not 'Success'".into()),
        (_, "") => return Err("response.result.message was empty".into()),
        (_, message) => return Err(message.to_owned()),
    }
    let converted = list_of(response, "convertedObjects");
    if converted.len() != originals.len() {
        return Err(format!(
            "webhook returned {} objects, expected {}",
            converted.len(),
            originals.len()
        ));
    }
    let both = originals.into_iter().zip(converted).enumerate();
    both.map(|(at, (original, converted))| {
        take(&original, converted, to).map_err(|why| {
            format!("webhook returned invalid converted object at index {at}: {why}")
        })
    })
    .collect()
}

/// A converted object with the metadata of the original, but for labels and annotations.
fn take(original: &Map, converted: &Value, to: &GroupVersionKind) -> Result<Map, String> {
    let Value::Object(converted) = converted else { return Err("it is no object".into()) };
    let (version, kind) = (str_of(converted, "apiVersion"), str_of(converted, "kind"));
    if version != to.api_version() {
        let expected = to.api_version();
        return Err(format!("invalid groupVersion (expected {expected}, received {version})"));
    }
    if kind != to.kind {
        return Err(format!("invalid kind (expected {}, received {kind})", to.kind));
    }
    let theirs = map_of(converted, "metadata").ok_or("missing metadata in converted object")?;
    for field in ["name", "namespace", "uid"] {
        let (was, is) = (str_at(original, &["metadata", field]), str_of(theirs, field));
        if was != is {
            return Err(format!("must have the same {field}: {was:?} != {is:?}"));
        }
    }
    let mut object = converted.clone();
    let mut metadata = map_of(original, "metadata").cloned().unwrap_or_default();
    for field in ["labels", "annotations"] {
        match theirs.get(field) {
            Some(value @ Value::Object(entries)) => {
                if let Some((key, _)) = entries.iter().find(|(_, value)| !value.is_string()) {
                    return Err(format!("invalid {field}: {key:?} is no string"));
                }
                metadata.insert(field.into(), value.clone());
            }
            None | Some(Value::Null) => _ = metadata.shift_remove(field),
            Some(_) => return Err(format!("invalid {field}: not a map of strings")),
        }
    }
    *map_mut(&mut object, "metadata") = metadata;
    Ok(object)
}
