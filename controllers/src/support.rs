//! What several controllers share.

pub(crate) mod aggregated;
pub(crate) mod backoff;
pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod disruption;
pub(crate) mod endpoints;
pub(crate) mod hash;
pub(crate) mod intstr;
pub(crate) mod kinds;
pub(crate) mod ops;
pub(crate) mod owner;
pub(crate) mod pods;
pub(crate) mod revisions;
pub(crate) mod scale;
pub(crate) mod slices;
pub(crate) mod status;
pub(crate) mod storage;
pub(crate) mod taints;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod time;
pub(crate) mod trigger;
pub(crate) mod wiring;
pub(crate) mod writes;
