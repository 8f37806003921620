//! Who owns which field: `metadata.managedFields` (KEP-555).
//!
//! `FieldSet` is a set of paths, `shape` says from the schema what a path's steps are, `walk` finds the
//! set of a value and of a difference, `managers` reads and writes the entries, `update` notes a write, and
//! `versions` shows it to owners of other versions.

mod element;
mod fields_v1;
mod managers;
mod set;
pub(crate) mod shape;
mod update;
mod versions;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use element::Element;
pub(crate) use managers::{Managed, Manager, Operation};
pub(crate) use set::{FieldSet, Node};
pub(crate) use shape::Shape;
pub use update::{Custom, Update, update};
pub(crate) use update::{has_status, schema_of, seconds, strip};
pub(crate) use versions::{Differences, Written};
pub(crate) use walk::{Difference, compare, field_set, remove};
