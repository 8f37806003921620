//! Tests of the stores through their public interface.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod backup;
mod close;
mod common;
mod concurrent;
mod contract;
mod crash;
#[cfg(feature = "encryption")]
mod encrypted;
mod faults;
mod kill;
mod leases;
mod restart;
mod steps;
