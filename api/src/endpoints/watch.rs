//! Watches: a frame for each event. A frame in the usual forms is made once for all watchers.

use super::Body;
use super::encode::{PARTIAL, View, encode_value};
use super::negotiate::{Format, Shape};
use super::respond::with_type;
use crate::schema::protobuf;
use crate::storage::{ChangeKind, Event, EventStream, FrameFormat};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{Response, StatusCode};
use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::clock::Clock;
use windlass_core::meta::{INITIAL_EVENTS_END, Status};
use windlass_core::scheme::GroupVersionKind;

const STATUS: GroupVersionKind = GroupVersionKind::new("", "v1", "Status");
static TABLE: GroupVersionKind = GroupVersionKind::new("meta.k8s.io", "v1", "Table");

/// Writes the events of one watch.
struct Frames {
    view: View,
    format: Format,
    /// A table says how old things are when its frame is sent, not when the watch began.
    clock: Arc<dyn Clock>,
    /// The columns of a table were sent.
    headed: bool,
}

/// `sent` counts the events.
pub(super) fn respond(
    view: View,
    events: EventStream,
    (clock, sent): (Arc<dyn Clock>, Counter),
) -> Response<Body> {
    // YAML has no frames.
    let format = match view.format() {
        Format::Yaml => Format::Json,
        format => format,
    };
    let media_type = match format {
        Format::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
        _ => "application/json",
    };
    let mut frames = Frames { view, format, clock, headed: false };
    let body = events.flat_map(move |batch| {
        let frames = frames.batch(batch);
        sent.inc_by(frames.len() as u64);
        stream::iter(frames).map(Ok)
    });
    with_type(StatusCode::OK, media_type, Body::stream(body.boxed()))
}

// === impl Frames ===

impl Frames {
    fn batch(&mut self, batch: Result<impl IntoIterator<Item = Event>, Status>) -> Vec<Bytes> {
        match batch {
            Ok(events) => {
                let frame = |event: Event| {
                    let format = self.format;
                    self.event(&event).unwrap_or_else(|status| error_frame(format, &status))
                };
                events.into_iter().map(frame).collect()
            }
            Err(status) => vec![error_frame(self.format, &status)],
        }
    }

    fn event(&mut self, event: &Event) -> Result<Bytes, Status> {
        match event {
            Event::Change(kind, change) => match self.shared_format() {
                Some(shared) => {
                    let (view, format) = (&self.view, self.format);
                    Ok(change
                        .frame(*kind, shared, |object| object_frame(view, format, *kind, object)))
                }
                None => self.own_frame(kind.as_str(), change.object(*kind)),
            },
            Event::Initial(object) => match self.shared_format() {
                Some(_) => Ok(object_frame(&self.view, self.format, ChangeKind::Added, object)),
                None => self.own_frame(ChangeKind::Added.as_str(), object),
            },
            Event::Bookmark { revision, initial_events_end } => {
                self.bookmark(*revision, *initial_events_end)
            }
        }
    }

    /// The form that others may want too.
    fn shared_format(&self) -> Option<FrameFormat> {
        match (self.view.accepted.shape, self.format) {
            (Shape::Whole, Format::Json) => Some(FrameFormat::Json),
            (Shape::Whole, Format::Protobuf) => Some(FrameFormat::Protobuf),
            _ => None,
        }
    }

    fn own_frame(&mut self, word: &str, object: &Arc<Object>) -> Result<Bytes, Status> {
        let no_headers = std::mem::replace(&mut self.headed, true);
        self.view.now = self.clock.now();
        let object = self.view.encode(object, self.format, no_headers)?;
        Ok(framed(self.format, word, &object))
    }

    fn bookmark(&mut self, revision: u64, end: bool) -> Result<Bytes, Status> {
        let served = &self.view.entry.served;
        let mut metadata =
            json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if end {
            metadata["annotations"] = json!({INITIAL_EVENTS_END: "true"});
        }
        let shown = match self.view.accepted.shape {
            Shape::Whole => served,
            Shape::Metadata => &PARTIAL,
            Shape::Table => &TABLE,
        };
        let mut object = json!({
            "kind": shown.kind, "apiVersion": shown.api_version(), "metadata": metadata});
        if self.view.accepted.shape == Shape::Table {
            object["columnDefinitions"] = Value::Null;
            object["rows"] = json!([{"cells": [], "object": {
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"],
            }}]);
        }
        let object = encode_value(self.format, shown, &object)?;
        Ok(framed(self.format, "BOOKMARK", &object))
    }
}

/// The frame of an event of a whole object.
fn object_frame(view: &View, format: Format, kind: ChangeKind, object: &Object) -> Bytes {
    if format == Format::Protobuf {
        let object = Arc::new(object.clone());
        return match view.encode(&object, format, false) {
            Ok(bytes) => framed(format, kind.as_str(), &bytes),
            Err(status) => error_frame(format, &status),
        };
    }
    json_line(kind.as_str(), object.wire_len(), |frame| object.put_wire(frame))
}

/// Says why there is no event, in the format of the watch.
fn error_frame(format: Format, status: &Status) -> Bytes {
    let encoded = serde_json::to_value(status)
        .map_err(Status::internal)
        .and_then(|value| encode_value(format, &STATUS, &value));
    match encoded {
        Ok(object) => framed(format, "ERROR", &object),
        Err(error) => {
            tracing::error!(%error, %status, "a watch can't be told of an error");
            Bytes::new()
        }
    }
}

/// The frame of an event whose object is encoded already.
fn framed(format: Format, word: &str, object: &[u8]) -> Bytes {
    if format == Format::Protobuf {
        return protobuf::watch_frame(word, object).into();
    }
    // An event is one line.
    let object = object.trim_ascii_end();
    json_line(word, object.len(), |frame| frame.put_slice(object))
}

/// `{"type":"ADDED","object":…}` and the end of the line.
fn json_line(word: &str, length: usize, object: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut frame = BytesMut::with_capacity(length + 40);
    frame.put_slice(b"{\"type\":\"");
    frame.put_slice(word.as_bytes());
    frame.put_slice(b"\",\"object\":");
    object(&mut frame);
    frame.put_slice(b"}\n");
    frame.freeze()
}
