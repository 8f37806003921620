//! Kinds that users define: CustomResourceDefinitions.

pub mod schema;
