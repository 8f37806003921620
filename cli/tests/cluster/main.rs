//! `windlass up` as a process.

mod bad_input;
mod crash;
mod policy;
mod support;
