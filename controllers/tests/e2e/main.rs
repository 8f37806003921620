//! Every controller against a whole API server in this process, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails where it must")]

mod access;
mod aggregated;
mod autoscaling;
mod between;
mod cluster;
mod collection;
mod failures;
mod jobs;
mod nodes;
mod quotas;
mod rules;
mod services;
mod volumes;
mod workloads;
