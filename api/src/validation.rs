//! Errors about fields, in Kubernetes' words, and the forms that names, labels and other texts must have.

mod errors;
pub mod format;
pub(crate) mod meta;
mod path;
pub(crate) mod pod;
pub(crate) mod rules;

pub use errors::{ErrorType, Errors, FieldError};
pub use format::NameRule;
pub use meta::{validate_meta, validate_meta_update};
pub use path::Path;
