//! Objects as tables (`metav1.Table`): what `kubectl get` prints.
//!
//! Each built-in kind has its columns and a function that fills them, in one registry; kinds that come at
//! run time give theirs to [`table_with`].

mod age;
mod column;
mod kinds;
mod pod;
mod registry;
mod render;
mod row;

#[cfg(test)]
mod tests;

pub(crate) use age::since;
pub use column::{Column, IncludeObject, TableOptions};
pub use render::{table, table_with};
