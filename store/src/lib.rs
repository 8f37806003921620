#![doc = include_str!("../README.md")]

mod backend;
pub mod backup;
mod embedded;
#[cfg(feature = "encryption")]
mod encrypted;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
mod limits;
mod memory;
mod mvcc;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod types;

pub use backend::{Backend, Commit, Compact, Lease, Leased, Read, Watch, WatchStream};
pub use embedded::{Durability, Embedded, EmbeddedOptions, Log, Record};
#[cfg(feature = "encryption")]
pub use encrypted::{Encrypted, KeyRing, KeyRingError, Nonces, Rotation, SystemNonces, is_sealed};
pub use error::{Error, Result};
#[cfg(feature = "etcd")]
pub use etcd::{Etcd, EtcdOptions, EtcdTls};
pub use limits::Limits;
pub use memory::Memory;
pub use types::{
    Batch, Committed, Event, KeyRange, KeyValue, LeaseId, LeaseStatus, Op, Precondition,
    RangeResult, Revision, Txn,
};
