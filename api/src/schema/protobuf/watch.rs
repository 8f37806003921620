//! The frames of a watch: four bytes of length, then a `metav1.WatchEvent`.

use super::{
    DecodeError,
    wire::{Reader, Writer},
};

/// The longest frame that is read.
const MAX_FRAME: usize = 64 << 20;

/// Frames an event: its type (`ADDED`, …) and the object, in its envelope.
#[must_use]
pub fn watch_frame(event_type: &str, object: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, object);
    writer.close(2, 0);
    writer.bytes(1, event_type.as_bytes());
    let event = writer.into_bytes();
    // An object is limited to some megabytes long before it is framed.
    let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &event].concat()
}

/// Takes the first frame off a stream: the type of the event, the object in its envelope, and how many
/// bytes the frame takes. None if the stream does not have the whole frame yet.
///
/// # Errors
/// If the frame is too long, or is no event.
pub fn next_frame(stream: &[u8]) -> Result<Option<(String, Vec<u8>, usize)>, DecodeError> {
    let Some((length, rest)) = stream.split_first_chunk() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(DecodeError::Malformed(format!("a frame of {length} bytes")));
    }
    let Some(frame) = rest.get(..length) else { return Ok(None) };
    let mut reader = Reader::new(frame);
    let (mut event_type, mut object) = (String::new(), Vec::new());
    while let Some((number, value)) = reader.next()? {
        match number {
            1 => event_type = value.as_str()?.to_owned(),
            2 => object = raw(value.as_bytes()?)?,
            _ => {}
        }
    }
    Ok(Some((event_type, object, 4 + length)))
}

fn raw(extension: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = Reader::new(extension);
    let mut raw = Vec::new();
    while let Some((number, value)) = reader.next()? {
        if number == 1 {
            raw = value.as_bytes()?.to_vec();
        }
    }
    Ok(raw)
}
