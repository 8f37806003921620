//! Tests of the store over real etcd processes, which they start on free ports of the loopback address.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cluster;
mod contract;
mod faults;
mod leases;
mod limits;
mod login;
mod model;
mod rebased;
#[path = "../suite/steps.rs"]
mod steps;
mod unchanged;
mod watches;
mod writers;
