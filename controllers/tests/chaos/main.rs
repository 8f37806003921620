//! Controllers that are killed at any await point and started again, while requests fail, answers get lost, and caches
//! lag behind and hear things twice: what they leave behind is what they would have made in peace.
//!
//! Everything follows from a seed, in virtual time. `CHAOS_SEEDS=500` plays more of them, `CHAOS_SEED=7` one alone.

#![allow(clippy::unwrap_used, reason = "a test fails where it must")]

mod client;
#[allow(dead_code, reason = "shared with the end-to-end tests, which need more of it")]
#[path = "../e2e/cluster.rs"]
mod cluster;
mod jobs;
mod kill;
mod others;
mod seeds;
mod trouble;
mod workloads;
mod world;
