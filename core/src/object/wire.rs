//! Stored bytes are wire bytes without the resource version, which is put in at one place.

use super::Object;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::cell::RefCell;

const METADATA: &[u8] = b"\"metadata\":{";

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The JSON an object is stored as: `apiVersion`, `kind` and `metadata` first, no resource version.
/// An object without metadata gets an empty one.
#[must_use]
pub fn canonical(mut object: Map<String, Value>) -> Bytes {
    let mut ordered = Map::with_capacity(object.len());
    for key in ["apiVersion", "kind", "metadata"] {
        if let Some(value) = object.shift_remove(key) {
            ordered.insert(key.into(), value);
        }
    }
    let metadata = ordered.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.shift_remove("resourceVersion");
    }
    ordered.extend(object);
    let mut text = Value::Object(ordered).to_string();
    // It is kept for long, and a text that grew is up to twice as large as what is in it.
    text.shrink_to_fit();
    text.into()
}

/// Where the resource version goes: behind the brace that opens the metadata. In canonical JSON only
/// two strings come before it, and a quote in a string is escaped, so the first match is the right one.
/// Were there anything nested before it, the match could be somebody else's metadata: that is refused.
pub(super) fn splice_point(json: &[u8]) -> Option<u32> {
    let at = json.windows(METADATA.len()).take(1024).position(|window| window == METADATA)?;
    if json[1..at].iter().any(|byte| matches!(byte, b'{' | b'[')) {
        return None;
    }
    u32::try_from(at + METADATA.len()).ok()
}

pub(super) fn chunks(object: &Object) -> [Bytes; 3] {
    let Some(splice) = object.splice else {
        return [object.json.clone(), Bytes::new(), Bytes::new()];
    };
    let at = splice as usize;
    [object.json.slice(..at), version(object, at).into(), object.json.slice(at..)]
}

/// The wire form in a buffer of this thread, for as long as `read` runs.
pub(super) fn with_scratch<T>(object: &Object, read: impl FnOnce(&[u8]) -> T) -> T {
    let at = object.splice.map_or(object.json.len(), |splice| splice as usize);
    // Taken, not borrowed: `read` may decode another object.
    let mut buffer = SCRATCH.take();
    buffer.clear();
    buffer.extend_from_slice(&object.json[..at]);
    buffer.extend_from_slice(version(object, at).as_bytes());
    buffer.extend_from_slice(&object.json[at..]);
    let result = read(&buffer);
    if buffer.capacity() <= 64 * 1024 {
        SCRATCH.set(buffer);
    }
    result
}

fn version(object: &Object, at: usize) -> String {
    let comma = if object.json.get(at) == Some(&b'}') { "" } else { "," };
    format!("\"resourceVersion\":\"{}\"{comma}", object.resource_version())
}
