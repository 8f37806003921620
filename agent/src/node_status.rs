//! The Node object and its Lease: that this node is there, what it can carry, that it is alive.

mod images;
mod lease;
mod machine;
mod object;
mod register;

pub(crate) use lease::renew_leases;
pub(crate) use machine::{memory, nearest};
#[cfg(feature = "plugins")]
pub(crate) use object::Count;
pub(crate) use register::NodeStatus;
