//! Stored bytes are wire bytes without the resource version, which is put in at one place.

use super::Object;
use bytes::{BufMut, Bytes};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::io::Write;

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

/// Whether the brace that opens the JSON is closed by its last byte.
pub(super) fn is_whole(json: &[u8]) -> bool {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1 == json.len(),
            b'}' => depth = depth.saturating_sub(1),
            b'"' => match behind_string(json, at + 1) {
                Some(behind) => at = behind,
                None => return false,
            },
            _ => {}
        }
        at += 1;
    }
    false
}

/// Where the quote is that ends a string.
fn behind_string(json: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match json.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

pub(super) fn chunks(object: &Object) -> [Bytes; 3] {
    let Some(splice) = object.splice else {
        return [object.json.clone(), Bytes::new(), Bytes::new()];
    };
    let at = splice as usize;
    let version = Bytes::copy_from_slice(Version::of(object, at).as_bytes());
    [object.json.slice(..at), version, object.json.slice(at..)]
}

pub(super) fn len(object: &Object) -> usize {
    let version = object.splice.map(|at| Version::of(object, at as usize).len);
    object.json.len() + version.unwrap_or(0)
}

pub(super) fn put(object: &Object, out: &mut impl BufMut) {
    let at = object.splice.map_or(object.json.len(), |splice| splice as usize);
    out.put_slice(&object.json[..at]);
    if object.splice.is_some() {
        out.put_slice(Version::of(object, at).as_bytes());
        out.put_slice(&object.json[at..]);
    }
}

/// The wire form in a buffer of this thread, for as long as `read` runs.
pub(super) fn with_scratch<T>(object: &Object, read: impl FnOnce(&[u8]) -> T) -> T {
    let at = object.splice.map_or(object.json.len(), |splice| splice as usize);
    // Taken, not borrowed: `read` may decode another object.
    let mut buffer = SCRATCH.take();
    buffer.clear();
    buffer.extend_from_slice(&object.json[..at]);
    buffer.extend_from_slice(Version::of(object, at).as_bytes());
    buffer.extend_from_slice(&object.json[at..]);
    let result = read(&buffer);
    if buffer.capacity() <= 64 * 1024 {
        SCRATCH.set(buffer);
    }
    result
}

/// The member with the resource version, in memory of its own: there are many of them in a list.
struct Version {
    text: [u8; Self::MOST],
    len: usize,
}

impl Version {
    /// The name, the largest number, and what stands around them.
    const MOST: usize = 48;

    fn of(object: &Object, at: usize) -> Self {
        let comma = if object.json.get(at) == Some(&b'}') { "" } else { "," };
        let mut text = [0; Self::MOST];
        let mut rest = &mut text[..];
        write!(rest, "\"resourceVersion\":\"{}\"{comma}", object.resource_version())
            .expect("the largest number has room");
        let len = Self::MOST - rest.len();
        Self { text, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}
