//! x
pub mod schema;

pub mod managed_fields;
pub mod patch;
pub mod strategy;
pub mod table;
pub mod validation;
pub mod pki;
