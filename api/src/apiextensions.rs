//! Kinds that are defined at run time: CustomResourceDefinitions, and the objects they define.
//!
//! ```text
//! definition ── strategy (default, validate) ──┐
//!                                              ├─ Registrar ── Resources, OpenAPI ── requests
//! watch of definitions ── controllers ─────────┘
//!      names: which are accepted; established        Registrar: one CustomResource a served version
//!      finalizer: the objects go before it           CustomResource: the Strategy of its objects
//! ```
//!
//! A definition is installed before its condition `Established` is written, and each write of a definition
//! takes effect before it is answered. Objects are handled in the version they are asked for and stored in
//! the one that the definition marks; `conversion` stands between.

mod approval;
mod columns;
pub(crate) mod conditions;
mod controllers;
mod conversion;
mod custom;
mod definition;
mod jsonpath;
mod names;
mod own;
mod registrar;
mod scale;
pub mod schema;
mod strategy;

pub(crate) use controllers::{begin_deletion, run as run_controller, start};
pub(crate) use custom::CustomResource;
pub(crate) use registrar::Registrar;
pub(crate) use scale::{Scale, ScalePaths};
pub(crate) use strategy::Definitions;
