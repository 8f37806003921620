//! Lists, written piece by piece from the objects' own bytes.

use super::Body;
use super::encode::{View, encode_json, metadata_of};
use super::negotiate::{Format, Shape};
use super::respond::with_type;
use crate::schema::Schema;
use crate::schema::protobuf::{self, ListFrame};
use crate::strategy::Map;
use crate::table::IncludeObject;
use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, HeaderValue, VARY};
use http::{Response, StatusCode};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::request::RequestInfo;
use windlass_core::{Object, ObjectList};

/// Pieces are about this long.
const PIECE: usize = 64 << 10;
/// How many objects are encoded before others get their turn.
const TURN: usize = 64;
/// Shorter answers are not compressed. (Kubernetes begins at 128 KiB, but its objects carry more managed fields.)
const WORTH_COMPRESSING: u64 = 32 << 10;

/// How much of each object a table's row carries.
pub(super) fn include_object(info: &RequestInfo) -> Result<IncludeObject, Status> {
    let asked = info.query.iter().find(|(name, _)| name == "includeObject");
    match asked.map(|(_, value)| value.as_str()) {
        None | Some("" | "Metadata") => Ok(IncludeObject::Metadata),
        Some("None") => Ok(IncludeObject::None),
        Some("Object") => Ok(IncludeObject::Object),
        Some(other) => {
            Err(Status::bad_request(format!("unrecognized includeObject value: {other:?}")))
        }
    }
}

pub(super) async fn respond(view: &View, list: ObjectList) -> Result<Response<Body>, Status> {
    let format = view.format();
    let body = match (view.accepted.shape, format) {
        (Shape::Whole, Format::Json) => return Ok(streamed(view, list)),
        (Shape::Whole, Format::Protobuf) => return protobuf_list(view, list).await,
        (Shape::Whole, Format::Yaml) => encode_json(format, whole_json(view, list))?,
        (Shape::Table, _) => encode_json(format, view.table(&list.items, &list.meta, false)?)?,
        (Shape::Metadata, _) => encode_json(format, metadata_list(&list)?)?,
    };
    let length = body.len() as u64;
    Ok(compressed_if_asked(view, format, std::iter::once(body), length))
}

/// The list as the objects' own bytes, a piece at a time.
fn streamed(view: &View, list: ObjectList) -> Response<Body> {
    let (head, tail) = frame(view, &list);
    let commas = list.items.len().saturating_sub(1);
    let items: usize = list.items.iter().map(|object| object.wire_len()).sum();
    let length = (head.len() + items + commas + tail.len()) as u64;
    let pieces = Pieces { head: Some(head), items: list.items.into_iter(), tail, write: put_json };
    compressed_if_asked(view, Format::Json, pieces, length)
}

fn whole_json(view: &View, list: ObjectList) -> Bytes {
    let (head, tail) = frame(view, &list);
    let pieces = Pieces { head: Some(head), items: list.items.into_iter(), tail, write: put_json };
    pieces
        .fold(BytesMut::new(), |mut all, piece| {
            all.extend_from_slice(&piece);
            all
        })
        .freeze()
}

/// What stands before and after the items.
fn frame(view: &View, list: &ObjectList) -> (Bytes, Bytes) {
    let kind = view.entry.list_kind();
    let version = view.entry.served.api_version();
    let meta = serde_json::to_string(&list.meta).unwrap_or_else(|_| "{}".into());
    let head = format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",\"metadata\":{meta},\"items\":["
    );
    (head.into(), Bytes::from_static(b"]}\n"))
}

/// Joins items into pieces of a good size; never more than one at a time.
struct Pieces<T, W> {
    head: Option<Bytes>,
    items: std::vec::IntoIter<T>,
    tail: Bytes,
    /// Writes an item; it is told whether it is the first.
    write: W,
}

/// An object of a list in JSON.
fn put_json(object: Arc<Object>, first: bool, piece: &mut BytesMut) {
    if !first {
        piece.extend_from_slice(b",");
    }
    object.put_wire(piece);
}

impl<T, W: FnMut(T, bool, &mut BytesMut)> Iterator for Pieces<T, W> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.tail.is_empty() {
            return None;
        }
        let mut piece = BytesMut::with_capacity(PIECE + PIECE / 8);
        let mut first = self.head.is_some();
        piece.extend(self.head.take());
        while piece.len() < PIECE {
            let Some(item) = self.items.next() else {
                piece.extend_from_slice(&std::mem::take(&mut self.tail));
                break;
            };
            (self.write)(item, std::mem::take(&mut first), &mut piece);
        }
        Some(piece.freeze())
    }
}

fn compressed_if_asked(
    view: &View,
    format: Format,
    pieces: impl Iterator<Item = Bytes> + Send + 'static,
    length: u64,
) -> Response<Body> {
    let gzip = view.accepted.gzip && length > WORTH_COMPRESSING;
    let body = if gzip {
        let encoder = Some(GzEncoder::new(Vec::new(), Compression::new(1)));
        Body::pieces(Gzip { pieces, encoder }, None)
    } else {
        Body::pieces(pieces, Some(length))
    };
    let mut response = with_type(StatusCode::OK, format.media_type(), body);
    if gzip {
        let headers = response.headers_mut();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

/// Compresses what passes.
struct Gzip<I> {
    pieces: I,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<I: Iterator<Item = Bytes>> Iterator for Gzip<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        const INTO_MEMORY: &str = "a Vec takes every write";
        loop {
            let Some(piece) = self.pieces.next() else {
                return Some(self.encoder.take()?.finish().expect(INTO_MEMORY).into());
            };
            let encoder = self.encoder.as_mut()?;
            encoder.write_all(&piece).expect(INTO_MEMORY);
            if encoder.get_ref().len() >= PIECE / 4 {
                return Some(std::mem::take(encoder.get_mut()).into());
            }
        }
    }
}

/// The items are encoded at first, since a list says how long it is, and let go as they are sent.
async fn protobuf_list(view: &View, list: ObjectList) -> Result<Response<Body>, Status> {
    let message = Schema::builtin().kind(&view.entry.served);
    let message = message.ok_or_else(|| Status::internal("the kind has no protobuf"))?;
    let mut items = Vec::with_capacity(list.items.len());
    for (at, object) in list.items.into_iter().enumerate() {
        let item = protobuf::transcode(message, &object.to_json()).map_err(Status::internal)?;
        items.push(Bytes::from(item));
        if at % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
    let served = &view.entry.served;
    let kind = served.group_version().with_kind(view.entry.list_kind());
    let meta = serde_json::to_value(&list.meta).map_err(Status::internal)?;
    let lengths = items.iter().map(Bytes::len);
    let ListFrame { head, tail } =
        ListFrame::new(&kind, &meta, lengths.clone()).map_err(Status::internal)?;
    let whole: usize = lengths.map(|length| ListFrame::item(length).len() + length).sum();
    let length = (head.len() + whole + tail.len()) as u64;
    let tail = Bytes::from_static(tail);
    let write = |item: Bytes, _, piece: &mut BytesMut| {
        piece.extend_from_slice(&ListFrame::item(item.len()));
        piece.extend_from_slice(&item);
    };
    let pieces = Pieces { head: Some(head.into()), items: items.into_iter(), tail, write };
    Ok(compressed_if_asked(view, Format::Protobuf, pieces, length))
}

fn metadata_list(list: &ObjectList) -> Result<Bytes, Status> {
    let items = list.items.iter().map(|object| metadata_of(object).map(Value::Object));
    let items = items.collect::<Result<Vec<_>, Status>>()?;
    let meta = serde_json::to_value(&list.meta).map_err(Status::internal)?;
    let list = Map::from_iter([
        ("kind".to_owned(), "PartialObjectMetadataList".into()),
        ("apiVersion".to_owned(), "meta.k8s.io/v1".into()),
        ("metadata".to_owned(), meta),
        ("items".to_owned(), items.into()),
    ]);
    Ok(Value::Object(list).to_string().into())
}
