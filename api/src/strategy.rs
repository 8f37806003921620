//! What is particular about each built-in kind: defaults, what a writer may not set, validation, field selectors.
//!
//! Objects are JSON objects whose fields have the types of the schema already (see [`crate::schema`]).
//! A kind's file tells only what is its own; [`strategy_for`] puts around it what holds for all kinds:
//! metadata, the generation, and that only the `status` subresource writes a status.
//!
//! The order in which the pipeline calls: on create `default`, (admission), metadata filled in by the
//! server (`uid`, `creationTimestamp`, name), `prepare_for_create`, `validate`; on update `default`,
//! (admission), `prepare_for_update` or `prepare_for_subresource`, `validate_update`.

mod admission;
mod aggregation;
mod allocator;
mod autoscaling;
mod batch;
mod certificates;
mod config;
mod endpoints;
mod event;
mod fields;
mod flowcontrol;
mod generic;
pub(crate) mod json;
mod lease;
mod namespace;
mod networking;
mod node;
mod pod;
mod policy;
mod put;
mod quota;
mod rbac;
mod registry;
mod service;
mod volume;
mod workload;

pub use allocator::{
    Allocation, Allocator, Companion, OnConflict, PortRange, ServiceConfig, allocators,
};
pub(crate) use fields::read as read_field;
pub use generic::Generic;
pub(crate) use pod::qos_class;
pub use registry::strategy_for;

use crate::authentication::User;
use crate::validation::Errors;
use serde_json::Value;
use std::borrow::Cow;
use windlass_core::Object;

/// A JSON object.
pub type Map = serde_json::Map<String, Value>;

/// The rules of one kind. All methods are pure: no clock, no randomness, no I/O.
pub trait Strategy: Send + Sync {
    /// Fills in what the writer left out. Doing it twice changes nothing the second time.
    fn default(&self, _object: &mut Map) {}

    /// Takes away what a creator may not set and adds what the server owns. The metadata has its `uid` and name by then.
    fn prepare_for_create(&self, _object: &mut Map) {}

    /// Notes who makes the object, where its kind says so: whatever the writer claimed himself goes.
    fn made_by(&self, _object: &mut Map, _user: &User) {}

    /// Puts back what this way of writing may not change, and counts the generation.
    fn prepare_for_update(&self, _new: &mut Map, _old: &Map) {}

    /// The same for an update through a subresource that takes the whole object (`status`,
    /// `finalize`, `approval`, `resize`, `ephemeralcontainers`): puts back everything but its part.
    fn prepare_for_subresource(&self, _subresource: &str, _new: &mut Map, _old: &Map) {}

    /// What is wrong with a new object.
    fn validate(&self, _object: &Map) -> Errors {
        Errors::default()
    }

    /// What is wrong with a change, and with the object it leads to.
    fn validate_update(&self, _new: &Map, _old: &Map) -> Errors {
        Errors::default()
    }

    /// What is wrong with a change through a subresource.
    fn validate_subresource(&self, _subresource: &str, _new: &Map, _old: &Map) -> Errors {
        Errors::default()
    }

    /// Whether objects go away by themselves some time after their last write, as events do.
    fn expires(&self) -> bool {
        false
    }

    /// Whether an object may be put in the place of another by one who does not say which version he saw.
    fn allows_unconditional_update(&self) -> bool {
        true
    }

    /// Whether an object is made when it is put where there is none.
    fn allows_create_on_update(&self) -> bool {
        false
    }

    /// The fields one may select by, beside `metadata.name` and `metadata.namespace`.
    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether one may select by a field.
    fn has_field(&self, name: &str) -> bool {
        self.fields().contains(&name)
    }

    /// Takes out of an object, as a client sent it, what the kind does not know. What it took, in the words
    /// of a strict decoder: `unknown field "spec.nope"`. For kinds that the schema table does not have.
    ///
    /// # Errors
    /// Why it is no object of the kind at all.
    fn prune(&self, _object: &mut Map) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// The value of one of [`Strategy::fields`]; empty when the object does not have it, `None` for other fields.
    fn field(&self, _object: &Object, _name: &str) -> Option<Cow<'static, str>> {
        None
    }

    /// What a writer should know although the object is accepted.
    fn warnings(&self, _object: &Map) -> Vec<String> {
        Vec::new()
    }
}
