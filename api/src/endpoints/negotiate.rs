//! What a client wants to get, and what it sends.

use crate::registry::BodyFormat;
use crate::schema::protobuf::CONTENT_TYPE as PROTOBUF;
use http::{HeaderMap, header};
use windlass_core::client::PatchType;
use windlass_core::meta::{Reason, Status};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Protobuf,
}

/// What of an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Whole,
    Table,
    Metadata,
}

/// What the client takes of that which the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) format: Format,
    pub(crate) shape: Shape,
    /// It takes JSON too, for kinds that have no protobuf.
    pub(crate) json: bool,
    pub(crate) gzip: bool,
}

/// One of the types that a client accepts.
struct Wish<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

pub(super) const JSON: &str = "application/json";
pub(super) const YAML: &str = "application/yaml";

// === impl Format ===

impl Format {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Yaml => YAML,
            Self::Protobuf => PROTOBUF,
        }
    }
}

// === impl Accepted ===

impl Accepted {
    /// What is given when nobody asks.
    pub(crate) const PLAIN: Self =
        Self { format: Format::Json, shape: Shape::Whole, json: true, gzip: false };

    /// The first type the client names that the server has.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Status> {
        let accept = values(headers, header::ACCEPT);
        let wishes: Vec<_> = accept.iter().flat_map(|value| value.split(',')).map(wish).collect();
        let json = wishes.iter().any(|w| matches!(w.media_type, JSON | "*/*" | "application/*"));
        let gzip = takes_gzip(headers);
        if wishes.is_empty() {
            return Ok(Self { gzip, ..Self::PLAIN });
        }
        wishes
            .iter()
            .find_map(|wish| wish.serve())
            .map(|(format, shape)| Self { format, shape, json, gzip })
            .ok_or_else(|| not_acceptable(&[JSON, YAML, PROTOBUF]))
    }
}

// === impl Wish ===

impl Wish<'_> {
    fn serve(&self) -> Option<(Format, Shape)> {
        let format = match self.media_type {
            JSON | "*/*" | "application/*" => Format::Json,
            YAML => Format::Yaml,
            PROTOBUF => Format::Protobuf,
            _ => return None,
        };
        let parameter = |name| self.parameters.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        let shape = match (parameter("as"), parameter("g"), parameter("v")) {
            (None, ..) => Shape::Whole,
            (Some("Table"), Some("meta.k8s.io"), Some("v1" | "v1beta1")) => Shape::Table,
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("meta.k8s.io"),
                Some("v1" | "v1beta1"),
            ) => Shape::Metadata,
            _ => return None,
        };
        // A table's cells have no type in protobuf.
        (shape != Shape::Table || format != Format::Protobuf).then_some((format, shape))
    }
}

fn wish(text: &str) -> Wish<'_> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let parameters = parts.filter_map(|part| part.split_once('=')).collect();
    Wish { media_type, parameters }
}

/// How a body is written that is an object.
pub(crate) fn body_format(headers: &HeaderMap) -> Result<BodyFormat, Status> {
    match content_type(headers) {
        "" | JSON => Ok(BodyFormat::Json),
        YAML => Ok(BodyFormat::Yaml),
        PROTOBUF => Ok(BodyFormat::Protobuf),
        _ => Err(unsupported(&[JSON, YAML, PROTOBUF])),
    }
}

/// What kind of patch a body is.
pub(crate) fn patch_type(headers: &HeaderMap) -> Result<PatchType, Status> {
    let known = [PatchType::Json, PatchType::Merge, PatchType::Strategic, PatchType::Apply];
    PatchType::from_media_type(content_type(headers))
        .ok_or_else(|| unsupported(&known.map(PatchType::media_type)))
}

/// Whether an answer may be compressed.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    values(headers, header::ACCEPT_ENCODING)
        .iter()
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().split(';').next() == Some("gzip"))
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

fn values(headers: &HeaderMap, name: header::HeaderName) -> Vec<&str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

pub(super) fn not_acceptable(known: &[&str]) -> Status {
    let text = format!("only the following media types are accepted: {}", known.join(", "));
    Status::failure(Reason::NotAcceptable, text)
}

fn unsupported(known: &[&str]) -> Status {
    let text = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        known.join(", ")
    );
    Status::failure(Reason::UnsupportedMediaType, text)
}
