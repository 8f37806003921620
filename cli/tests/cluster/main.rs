//! `windlass up` as a process.

mod bad_input;
mod crash;
mod metrics;
mod policy;
mod support;
