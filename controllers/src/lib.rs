//! The controllers, each usable alone.
//!
//! A controller is a folder: its file says what it watches and which key a change maps to, `plan` decides
//! from a snapshot without I/O, `sync` reads caches and applies the plan. [`registry`] lists all.
//!
//! ```no_run
//! # async fn start(client: std::sync::Arc<dyn windlass_core::client::Client>) {
//! use windlass_controllers::{Context, replicaset};
//! use windlass_core::component::{Component, Ready, Shutdown};
//!
//! let (ready, shutdown) = (Ready::default(), Shutdown::new());
//! let context = Context::new(client, windlass_core::clock::Env::system(), shutdown.clone());
//! tokio::spawn(replicaset::component(&context).run(ready, shutdown));
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails where it must"))]

pub mod context;
pub mod registry;

pub mod attachdetach;
#[cfg(feature = "bench")]
pub mod bench;
pub mod bootstrap_token;
pub mod certificates;
pub mod clusterrole_aggregation;
pub mod cronjob;
pub mod daemonset;
pub mod deployment;
pub mod disruption;
pub mod endpoints;
pub mod endpointslice;
pub mod endpointslice_mirroring;
pub mod ephemeral_volume;
pub mod garbagecollector;
pub mod job;
pub mod local_path;
pub mod namespace;
pub mod node_ipam;
pub mod node_lifecycle;
pub mod persistentvolume_binder;
pub mod pod_gc;
pub mod podautoscaler;
pub mod replicaset;
pub mod resource_quota;
pub mod resourceclaim;
pub mod root_ca;
pub mod service_cidr;
pub mod serviceaccount;
pub mod serviceaccount_token;
pub mod statefulset;
pub mod taint_eviction;
pub mod ttl_after_finished;
pub mod volume_protection;

mod support;
mod views;

pub use context::{CertificateSigner, Context, EvictionRates, Settings, TokenSigner};
