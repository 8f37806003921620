//! From the body of a request to an object.

mod yaml;

use super::Write;
use crate::schema::decode::{self, DecodeError, Decoded};
use crate::schema::protobuf;
use crate::strategy::Map;
use bytes::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use windlass_core::meta::{Reason, Status, StatusCause};
use windlass_core::scheme::GroupVersionKind;

/// The body of a request. `Debug` shows its length only: it may hold a secret.
#[derive(Clone)]
pub struct Body {
    /// Its bytes.
    pub bytes: Bytes,
    /// How to read them.
    pub format: BodyFormat,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes' protobuf.
    Protobuf,
}

/// What becomes of fields that are unknown or stand there twice (KEP-2885).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

// === impl Body ===

impl Body {
    /// A body of JSON.
    #[must_use]
    pub fn json(bytes: Bytes) -> Self {
        Self { bytes, format: BodyFormat::Json }
    }

    /// As JSON, if it is text.
    pub(crate) fn as_json(&self) -> Result<Cow<'_, [u8]>, Status> {
        match self.format {
            BodyFormat::Json | BodyFormat::Protobuf => Ok(Cow::Borrowed(&self.bytes)),
            BodyFormat::Yaml => yaml_to_json(&self.bytes).map(Cow::Owned),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, format } = self;
        write!(f, "Body({format:?}, {} bytes)", bytes.len())
    }
}

/// YAML as JSON.
pub(super) fn yaml_to_json(yaml: &[u8]) -> Result<Vec<u8>, Status> {
    let bad = |error: &dyn std::fmt::Display| {
        Status::bad_request(format!("error converting YAML to JSON: {error}"))
    };
    let value = yaml::read(yaml).map_err(|error| bad(&error))?;
    serde_json::to_vec(&value).map_err(|error| bad(&error))
}

// === impl Write ===

impl Write<'_> {
    /// The object of a body, as it is stored.
    pub(super) fn decode(&mut self, body: &Body) -> Result<Map, Status> {
        let gvk = self.entry.served.clone();
        let object = self.decode_as(&gvk, body)?;
        self.to_stored(object)
    }

    /// The object of a body that is of another kind than the resource's.
    pub(super) fn decode_as(&mut self, gvk: &GroupVersionKind, body: &Body) -> Result<Map, Status> {
        let unreadable = |why: &dyn std::fmt::Display| unreadable(gvk, why);
        if body.bytes.is_empty() {
            return Err(Status::bad_request("the request body is empty"));
        }
        if body.format == BodyFormat::Protobuf {
            if self.entry.custom.is_some() && *gvk == self.entry.served {
                return Err(no_protobuf());
            }
            let (given, value) = protobuf::decode(Some(gvk), &body.bytes)
                .map_err(|error| Status::bad_request(error.to_string()))?;
            same_kind(gvk, &given)?;
            return into_map(value);
        }
        let json = body.as_json()?;
        let given = decode::type_meta(&json).map_err(|error| unreadable(&error))?;
        if let Some(given) = given.gvk() {
            same_kind(gvk, &given)?;
        }
        let mut decoded = decode::strict(gvk, &json).map_err(|error| unreadable(&error))?;
        if *gvk == self.entry.served {
            decoded = self.pruned(decoded).map_err(|error| unreadable(&error))?;
        }
        self.take(decoded, |text| unreadable(&text))
    }

    /// Brings an object that a patch made into the form of its schema.
    pub(super) fn checked(&mut self, object: Map) -> Result<Map, Status> {
        let gvk = self.entry.served.clone();
        let decoded = decode::value(&gvk, Value::Object(object));
        let decoded = decoded.map_err(|error: DecodeError| unreadable(&gvk, &error))?;
        let decoded = self.pruned(decoded).map_err(|error| unreadable(&gvk, &error))?;
        self.take(decoded, |text| {
            let cause = StatusCause {
                reason: "FieldValueInvalid".into(),
                message: format!("Invalid value: {text}"),
                field: "patch".into(),
            };
            Status::invalid("", "", "", vec![cause])
        })
    }

    /// From the version it is served in to the one it is stored in.
    pub(super) fn to_stored(&self, mut object: Map) -> Result<Map, Status> {
        let Some(conversion) = self.entry.conversion else { return Ok(object) };
        let gvk = &self.entry.stored;
        conversion.stored_map(gvk, &mut object);
        let decoded = decode::value(gvk, Value::Object(object));
        into_map(decoded.map_err(|error| unreadable(gvk, &error))?.value)
    }

    /// Without what the kind does not know, where its strategy knows that and the schema table does not.
    pub(super) fn pruned(&self, mut decoded: Decoded) -> Result<Decoded, String> {
        if let Value::Object(object) = &mut decoded.value {
            decoded.strict.extend(self.entry.strategy.prune(object)?);
            decoded.strict.truncate(decode::MOST_STRICT);
        }
        Ok(decoded)
    }

    /// Refuses or reports what a strict decoder found.
    pub(super) fn take(
        &mut self,
        decoded: Decoded,
        refuse: impl Fn(String) -> Status,
    ) -> Result<Map, Status> {
        match self.field_validation()? {
            FieldValidation::Strict => {
                if let Some(text) = decoded.strict_error() {
                    return Err(refuse(text));
                }
            }
            FieldValidation::Warn => self.warnings.extend(decoded.strict),
            FieldValidation::Ignore => {}
        }
        into_map(decoded.value)
    }

    fn field_validation(&self) -> Result<FieldValidation, Status> {
        match self.options.field_validation.as_str() {
            "Ignore" => Ok(FieldValidation::Ignore),
            "" | "Warn" => Ok(FieldValidation::Warn),
            "Strict" => Ok(FieldValidation::Strict),
            other => {
                let supported = "supported values: \"Ignore\", \"Strict\", \"Warn\"";
                let cause = StatusCause {
                    reason: "FieldValueNotSupported".into(),
                    message: format!("Unsupported value: {other:?}: {supported}"),
                    field: "fieldValidation".into(),
                };
                Err(Status::invalid("meta.k8s.io", "CreateOptions", "", vec![cause]))
            }
        }
    }
}

/// A value that is an object.
pub(super) fn into_map(value: Value) -> Result<Map, Status> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Status::bad_request("the body is not an object")),
    }
}

fn same_kind(expected: &GroupVersionKind, given: &GroupVersionKind) -> Result<(), Status> {
    let (data, path) = (given.api_version(), expected.api_version());
    if given.kind != expected.kind {
        let text = format!(
            "{} in version {:?} cannot be handled as a {}",
            given.kind, given.version, expected.kind
        );
        return Err(Status::failure(Reason::BadRequest, text));
    }
    if data != path {
        let text = format!(
            "the API version in the data ({data}) does not match the expected API version ({path})"
        );
        return Err(Status::bad_request(text));
    }
    Ok(())
}

/// Kinds that are defined at run time have no form in protobuf.
fn no_protobuf() -> Status {
    let text = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml";
    Status::failure(Reason::UnsupportedMediaType, text)
}

fn unreadable(gvk: &GroupVersionKind, why: &dyn std::fmt::Display) -> Status {
    let (kind, version) = (&gvk.kind, &gvk.version);
    Status::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: {why}"
    ))
}
