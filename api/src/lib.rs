//! The API server as a library: the Kubernetes API, whole or in part, over any store.
//!
//! [`server::ApiServer::builder`] puts a server together. It is reached on a socket
//! ([`server::ApiServer::serve`]), as a tower service ([`server::ApiServer::service`]), or by a client in the same
//! process ([`local::LocalClient`]). All three enter by the same door: authentication aside, a request
//! passes authorization, admission, its kind's strategy and the storage whichever way it came.
//!
//! ```text
//! HTTP ── endpoints ──┐
//!                     ├─ handler ── registry ── storage (cacher, kv) ── store
//! LocalClient ────────┘
//! ```

#![allow(clippy::result_large_err, reason = "a Status is made once for a request that fails")]

pub mod admission;
pub mod authentication;
pub mod authorization;
pub mod bootstrap;
pub mod discovery;
pub mod endpoints;
mod filters;
pub mod handler;
pub mod local;
pub mod managed_fields;
pub mod nodes;
pub mod openapi;
pub mod patch;
pub mod pki;
pub mod registry;
pub mod reviews;
pub mod schema;
pub mod server;
pub mod storage;
pub mod strategy;
pub mod table;
pub mod validation;
