//! One object in the form the client takes.

use super::Body;
use super::negotiate::{Accepted, Format, Shape};
use super::respond::with_type;
use crate::registry::Entry;
use crate::schema::{decode, protobuf};
use crate::strategy::Map;
use crate::table::{IncludeObject, TableOptions, table};
use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use std::str::FromStr;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::{Reason, Status};
use windlass_core::object::ListMeta;
use windlass_core::scheme::{GroupVersion, GroupVersionKind};

/// Metadata alone.
pub(super) static PARTIAL: GroupVersionKind =
    GroupVersionKind::new("meta.k8s.io", "v1", "PartialObjectMetadata");

/// How the objects of an answer are shown.
pub(super) struct View {
    pub(super) entry: Arc<Entry>,
    pub(super) accepted: Accepted,
    pub(super) include: IncludeObject,
    pub(super) now: Timestamp,
}

// === impl View ===

impl View {
    pub(super) fn object(
        &self,
        object: &Arc<Object>,
        code: StatusCode,
    ) -> Result<Response<Body>, Status> {
        let format = self.format();
        let bytes = self.encode(object, format, false)?;
        Ok(with_type(code, format.media_type(), Body::whole(bytes)))
    }

    /// The bytes of one object. `no_headers` leaves a table's columns out.
    pub(super) fn encode(
        &self,
        object: &Arc<Object>,
        format: Format,
        no_headers: bool,
    ) -> Result<Bytes, Status> {
        match self.accepted.shape {
            Shape::Whole if format == Format::Json => Ok(object.to_json()),
            Shape::Whole if format == Format::Protobuf => {
                let bytes =
                    protobuf::transcode_object(&kind_of(object, &self.entry), &object.to_json());
                bytes.map(Bytes::from).map_err(unencodable)
            }
            Shape::Whole => {
                let value: Value = object.view().map_err(Status::internal)?;
                encode_value(format, &kind_of(object, &self.entry), &value)
            }
            Shape::Metadata => {
                encode_json(format, Value::Object(metadata_of(object)?).to_string().into())
            }
            Shape::Table => {
                let version = object.resource_version().to_string();
                let meta = ListMeta { resource_version: version, ..ListMeta::default() };
                let items = std::slice::from_ref(object);
                encode_json(format, self.table(items, &meta, no_headers)?)
            }
        }
    }

    pub(super) fn table(
        &self,
        items: &[Arc<Object>],
        meta: &ListMeta,
        no_headers: bool,
    ) -> Result<Bytes, Status> {
        let options = TableOptions { include: self.include, no_headers, now: self.now };
        match &self.entry.custom {
            Some(custom) => custom.columns().table(items, meta, &options),
            None => table(&self.entry.served, items, meta, &options),
        }
    }

    /// The format of the answer: kinds without protobuf are shown as JSON to those who take that.
    pub(super) fn format(&self) -> Format {
        let lacks = self.accepted.format == Format::Protobuf
            && self.accepted.shape == Shape::Whole
            && self.accepted.json
            && crate::schema::Schema::builtin().kind(&self.entry.served).is_none();
        if lacks { Format::Json } else { self.accepted.format }
    }
}

/// The kind of an object; items of lists may leave it to the resource.
fn kind_of(object: &Object, entry: &Entry) -> GroupVersionKind {
    let header = object.header();
    match GroupVersion::from_str(&header.api_version) {
        Ok(version) if !header.kind.is_empty() => version.with_kind(header.kind.to_string()),
        _ => entry.served.clone(),
    }
}

/// Metadata alone.
pub(super) fn metadata_of(object: &Object) -> Result<Map, Status> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        metadata: Value,
    }
    let Metadata { metadata } = object.view().map_err(Status::internal)?;
    Ok(Map::from_iter([
        ("kind".to_owned(), Value::from(&*PARTIAL.kind)),
        ("apiVersion".to_owned(), PARTIAL.api_version().into()),
        ("metadata".to_owned(), metadata),
    ]))
}

/// A value in any format.
pub(super) fn encode_value(
    format: Format,
    gvk: &GroupVersionKind,
    value: &Value,
) -> Result<Bytes, Status> {
    match format {
        Format::Json => Ok(value.to_string().into()),
        Format::Yaml => yaml(value),
        Format::Protobuf => protobuf::encode(gvk, value).map(Bytes::from).map_err(unencodable),
    }
}

fn unencodable(error: protobuf::EncodeError) -> Status {
    match error {
        protobuf::EncodeError::Kind(_) => Status::failure(Reason::NotAcceptable, error.to_string()),
        other => Status::internal(other),
    }
}

/// An object in JSON, which says its kind, in any format.
pub(super) fn encode_json(format: Format, json: Bytes) -> Result<Bytes, Status> {
    match format {
        Format::Json => Ok(json),
        Format::Protobuf => {
            let given = decode::type_meta(&json).map_err(Status::internal)?;
            let kind = given.gvk().ok_or_else(|| Status::internal("an object without a kind"))?;
            protobuf::transcode_object(&kind, &json).map(Bytes::from).map_err(unencodable)
        }
        Format::Yaml => {
            let value: Value = serde_json::from_slice(&json).map_err(Status::internal)?;
            yaml(&value)
        }
    }
}

fn yaml(value: &Value) -> Result<Bytes, Status> {
    yaml_serde::to_string(value).map(Bytes::from).map_err(Status::internal)
}
