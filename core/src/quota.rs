//! What objects use of what a ResourceQuota counts (Kubernetes documentation, "Resource Quotas").
//!
//! The server asks before an object is written, the controller adds up what there is: both by this.

mod amount;
mod names;
mod scopes;
mod usage;

#[cfg(test)]
mod tests;

pub use amount::Amount;
pub use names::{Source, is_extended, is_native, source};
pub use scopes::{Scoped, Scopes};
pub use usage::{ClaimUsage, DeviceUsage, PodUsage, ServiceUsage, Uses};
