//! Caches that follow the server: reflector, indexer, shared informer, factory.
//!
//! An informer holds each object once, as the shared bytes the server gave it (in the same process:
//! the very bytes of the store), with a view of the fields its users asked for.

mod factory;
mod indexer;
mod informer;
mod reflector;

pub use factory::InformerFactory;
pub use indexer::{Entry, IndexFn, Indexer};
pub use informer::{Change, Informer};
pub use reflector::{Reflector, Sink};

/// The view of those who need the header only.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
pub struct HeaderOnly {}

#[cfg(test)]
mod tests;
