//! The columns of the built-in kinds, and what stands in them.

pub(super) mod access;
pub(super) mod admission;
pub(super) mod apps;
pub(super) mod batch;
pub(super) mod config;
pub(super) mod generic;
pub(super) mod metrics;
pub(super) mod network;
pub(super) mod nodes;
pub(super) mod policy;
pub(super) mod storage;
