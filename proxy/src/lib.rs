//! The service proxy (kube-proxy) as a library.
//!
//! Informers feed a [`config::ChangeTracker`], which computes the desired
//! [`model::ServicePort`]s and yields those that changed; a [`backend::Backend`] carries them out.
//! [`Proxy`] is the component that ties them together. Each part serves alone as well: an embedder
//! may feed the tracker himself, or bring a backend of his own.

pub mod backend;
mod component;
pub mod config;
pub mod dns;
mod dump;
mod health;
mod ledger;
mod metrics;
pub mod model;
mod netlink;
pub mod policy;
pub mod topology;

pub use component::{Proxy, ProxyBuilder};
