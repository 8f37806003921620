//! The pods of this node: a worker for each decides what to do about it and does it.

mod admission;
mod bells;
pub(crate) mod cache;
mod container_config;
mod devices;
mod dispatcher;
mod effects;
mod host;
mod image_volumes;
mod images;
mod ledger;
pub(crate) mod memory;
mod messages;
pub(crate) mod plan;
mod pull_secrets;
pub(crate) mod resize;
mod sandbox_config;
pub(crate) mod snapshot;
mod start;
mod status_sync;
mod stop;
mod worker;

pub(crate) use bells::Bells;
pub(crate) use dispatcher::PodWorkers;
pub(crate) use host::Host;
