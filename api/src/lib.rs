//! x
pub mod authentication;
pub mod authorization;
pub mod discovery;
pub mod schema;

pub mod managed_fields;
pub mod patch;
pub mod strategy;
pub mod table;
pub mod validation;
pub mod pki;
