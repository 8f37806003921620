#![doc = include_str!("../README.md")]
//!
//! # The ways in
//!
//! ```text
//! HTTP ── endpoints ──┐
//!                     ├─ handler ── registry ── storage (cacher, kv) ── store
//! LocalClient ────────┘
//! ```

#![allow(clippy::result_large_err, reason = "a Status is made once for a request that fails")]

pub mod admission;
mod aggregation;
pub mod apiextensions;
pub mod audit;
pub mod authentication;
pub mod authorization;
pub mod bootstrap;
pub mod cel;
pub mod discovery;
pub mod endpoints;
mod expiring;
mod filters;
pub mod flowcontrol;
pub mod handler;
pub mod local;
pub mod managed_fields;
mod metrics;
pub mod nodes;
pub mod openapi;
pub mod patch;
pub mod pki;
pub mod registry;
pub mod resource_metrics;
pub mod reviews;
pub mod schema;
pub mod server;
pub mod storage;
pub mod strategy;
pub mod table;
#[cfg(feature = "opentelemetry")]
pub mod telemetry;
#[cfg(not(feature = "opentelemetry"))]
mod telemetry;
mod transaction;
pub mod validation;
mod webhook;
