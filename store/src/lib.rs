//! A revisioned, watchable key-value store.
//!
//! The interface is five small traits: [`Read`], [`Commit`], [`Watch`], [`Compact`] and, for all of
//! them at once, [`Backend`]. Keys and values are bytes; the store knows nothing of what they mean.
//! Every successful commit has a [`Revision`] of its own, one greater than the last.

mod backend;
mod embedded;
mod error;
mod limits;
mod memory;
mod mvcc;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod types;

pub use backend::{Backend, Commit, Compact, Read, Watch, WatchStream};
pub use embedded::{Durability, Embedded, EmbeddedOptions, Log, Record};
pub use error::{Error, Result};
pub use limits::Limits;
pub use memory::Memory;
pub use types::{
    Batch, Committed, Event, KeyRange, KeyValue, Op, Precondition, RangeResult, Revision, Txn,
};
