//! One binary per component: from its command line to the component.

mod access;
mod admission;
mod agent;
mod apiserver;
pub(crate) mod audit;
mod controller_manager;
mod election;
mod etcd;
mod health;
mod limits;
mod proxy;
mod remote;
pub(crate) mod scheduler;
#[cfg(feature = "store")]
mod store;

pub use agent::Agent;
pub use apiserver::ApiServer;
pub use controller_manager::ControllerManager;
pub use proxy::Proxy;
pub use scheduler::Scheduler;
#[cfg(feature = "store")]
pub use store::Store;
