//! What the built-in kinds look like: fields, wire numbers, and how their parts merge.
//!
//! One table (`data/schema.tsv`) drives everything that must know the shape of an object without
//! having its type: strict decoding ([`decode`]), protobuf ([`protobuf`]), strategic merge and
//! server-side apply. Each line is a field as Kubernetes' API types declare it: its JSON name, its
//! protobuf number, its type, whether Go would leave it out when empty, and its merge markers.

mod declared;
pub mod decode;
mod field;
#[cfg(test)]
mod generate;
mod message;
pub mod protobuf;
mod quantity;
mod table;
mod time;

#[cfg(test)]
mod tests;

pub use field::{Cardinality, Field, FieldRef, ListType, Merge, PatchStrategy, Type};
pub use message::{Message, MessageRef};
pub use table::Schema;

pub(crate) use declared::declared;
