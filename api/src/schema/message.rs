//! One message: a kind, or a part of one.

use serde_json::{Map, Value};

use super::{Field, FieldRef, Schema, Type};

/// A message of the built-in schema.
pub type MessageRef = &'static Message;

/// A message: what Go calls a struct and OpenAPI a definition.
#[derive(Debug)]
pub struct Message {
    /// Its name: `PodSpec`.
    pub name: &'static str,
    /// What stands before it in the name of its definition: `io.k8s.api.core.v1`.
    pub package: &'static str,
    /// Whether it may stand on its own, with `apiVersion` and `kind`.
    pub is_kind: bool,
    /// Whether it is applied as a whole, wherever it stands.
    pub atomic: bool,
    /// The fields it declares itself, in the order Kubernetes writes them.
    pub(super) own: Vec<Field>,
    /// Places in `own`, by protobuf number.
    pub(super) by_number: Vec<u16>,
    /// The fields it has in JSON, those of inlined parts included: message and place in its `own`.
    pub(super) flat: Vec<(u16, u16)>,
    /// Places in `flat`, by JSON name.
    pub(super) by_name: Vec<(&'static str, u16)>,
}

// === impl Message ===

impl Message {
    /// Its name in OpenAPI: `io.k8s.api.core.v1.PodSpec`.
    #[must_use]
    pub fn definition(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }

    /// The field of this JSON name, also if it comes from an inlined part.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldRef> {
        self.place(name).map(|place| self.flat_field(place))
    }

    /// The fields it has in JSON, in the order Kubernetes writes them.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldRef> {
        self.flat.iter().map(|&at| Schema::builtin().field_at(at))
    }

    /// Where a JSON name stands among the fields.
    pub(super) fn place(&self, name: &str) -> Option<u16> {
        self.by_name.binary_search_by_key(&name, |entry| entry.0).ok().map(|at| self.by_name[at].1)
    }

    pub(super) fn flat_field(&self, place: u16) -> FieldRef {
        Schema::builtin().field_at(self.flat[usize::from(place)])
    }

    /// The field of this protobuf number.
    pub(super) fn by_number(&self, number: u32) -> Option<&Field> {
        let own = |at: &u16| &self.own[usize::from(*at)];
        self.by_number
            .binary_search_by_key(&number, |at| own(at).number)
            .ok()
            .map(|at| own(&self.by_number[at]))
    }

    /// The JSON object of Go's zero value.
    pub(super) fn zero(&self) -> Value {
        let filled = self.fields().filter_map(|field| Some((field.name.to_owned(), field.fill()?)));
        Value::Object(filled.collect::<Map<_, _>>())
    }

    /// The name Go prints for it: `v1.PodSpec`.
    pub(super) fn go_type(&self) -> String {
        let version = self.package.rsplit('.').next().unwrap_or_default();
        format!("{version}.{}", self.name)
    }

    /// The message whose fields stand in the place of this field.
    pub(super) fn inlined(field: &Field) -> Option<u16> {
        match field.ty {
            Type::Message(index) if field.flags.inline => Some(index),
            _ => None,
        }
    }
}
