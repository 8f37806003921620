//! Columns, and how to print.

use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;

/// `metav1.TableColumnDefinition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its heading: `Ready`.
    pub name: Cow<'static, str>,
    /// The OpenAPI type of its cells: `string`, `integer`, `boolean`, `number`, `date`.
    #[serde(rename = "type")]
    pub ty: Cow<'static, str>,
    /// The OpenAPI format; `name` marks the column with the object's name.
    pub format: Cow<'static, str>,
    /// What it tells.
    pub description: Cow<'static, str>,
    /// 0 is always shown, anything higher only in wide output.
    pub priority: i32,
}

/// How much of each object its row carries (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata, as `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// How much of each object to carry.
    pub include: IncludeObject,
    /// Leave the columns out: a watch sends them with its first event only.
    pub no_headers: bool,
    /// Ages count from here.
    pub now: Timestamp,
}

// === impl Column ===

impl Column {
    pub(super) const fn new(name: &'static str, ty: &'static str, priority: i32) -> Self {
        let format = match name.as_bytes() {
            b"Name" => "name",
            _ => "",
        };
        Self {
            name: Cow::Borrowed(name),
            ty: Cow::Borrowed(ty),
            format: Cow::Borrowed(format),
            description: Cow::Borrowed(describe(name)),
            priority,
        }
    }
}

impl IncludeObject {
    /// Reads the query parameter; `None` for a word that is not known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "None" => Some(Self::None),
            "" | "Metadata" => Some(Self::Metadata),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

const fn describe(name: &str) -> &'static str {
    match name.as_bytes() {
        b"Name" => "The name of the object, unique among its kind in its namespace.",
        b"Age" => "How long ago the object was created.",
        b"Created At" => "When the object was created, in UTC.",
        b"Ready" => "How many are ready, of how many.",
        b"Status" => "In which state the object is.",
        b"Containers" => "The names of the containers in the template.",
        b"Images" => "The images of the containers in the template.",
        b"Selector" => "The labels by which the object selects pods.",
        _ => "",
    }
}
