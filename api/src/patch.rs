//! The four ways to change part of an object: JSON patch, merge patch, strategic merge patch, apply.
//!
//! All are pure: they take the object as it is and give the object as it shall be, before defaulting
//! and validation.

mod apply;
mod json;
mod limits;
mod merge;
mod strategic;

pub(crate) use apply::lay_over;
pub use apply::{Applied, Apply, apply};
pub use json::json;
pub(crate) use json::{JsonError, apply_json};
pub use merge::merge;
pub use strategic::strategic;

#[cfg(test)]
mod tests;
