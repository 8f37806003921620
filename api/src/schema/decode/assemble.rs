//! From the values of a message's fields to its JSON object.

use serde_json::{Map, Value};

use super::Mode;
use crate::schema::MessageRef;

/// A value for each field, at the place the field has in the message.
pub(in crate::schema) struct Slots(Vec<Option<Value>>);

impl Slots {
    pub(in crate::schema) fn new(message: MessageRef) -> Self {
        Self(vec![None; message.flat.len()])
    }

    /// Sets a value; says whether there was one.
    pub(in crate::schema) fn set(&mut self, place: u16, value: Value) -> bool {
        self.0[usize::from(place)].replace(value).is_some()
    }

    /// What was set for a field, to be added to; created if there is nothing yet.
    pub(in crate::schema) fn entry(
        &mut self,
        place: u16,
        empty: impl FnOnce() -> Value,
    ) -> &mut Value {
        self.0[usize::from(place)].get_or_insert_with(empty)
    }

    /// Writes the object in the order of the fields.
    pub(super) fn into_object(self, message: MessageRef, mode: Mode) -> Value {
        let fields = message.fields().zip(self.0);
        let kept = fields.filter_map(|(field, value)| {
            let value = value.filter(|value| !value.is_null());
            let value = match mode {
                Mode::Partial => value,
                Mode::Object => value.or_else(|| field.fill()).filter(|value| !field.drops(value)),
            };
            Some((field.name.to_owned(), value?))
        });
        Value::Object(kept.collect::<Map<_, _>>())
    }
}

/// Writes a message that came from another encoding, as [`super::strict`] would.
pub(in crate::schema) fn assemble(message: MessageRef, slots: Slots) -> Value {
    slots.into_object(message, Mode::Object)
}
