//! `windlass up` as a process.

mod bad_input;
mod crash;
#[cfg(feature = "plugins")]
mod csi;
#[cfg(feature = "plugins")]
mod devices;
mod metrics;
mod policy;
mod support;
