//! How an embedded store is opened.

use crate::Limits;
use std::path::PathBuf;

/// What an acknowledged commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: each group of commits is synced to the disk before it is acknowledged.
    #[default]
    Fsync,
    /// The end of the process, also by `kill -9`. The loss of power may take the last commits,
    /// and leaves a store that opens.
    Buffered,
}

/// Where and how to open an [`crate::Embedded`] store.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The directory; only its owner may enter when it is made.
    pub dir: PathBuf,
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// What is refused because it is too much.
    pub limits: Limits,
    /// Length at which a file of the log is sealed and the next one begun.
    pub segment_bytes: u64,
    /// A snapshot is taken when the log got longer than this, and than the last snapshot.
    pub snapshot_after_bytes: u64,
}

// === impl EmbeddedOptions ===

impl EmbeddedOptions {
    /// The defaults: synced, segments of 64 MiB, snapshots after 64 MiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::default(),
            limits: Limits::default(),
            segment_bytes: 64 << 20,
            snapshot_after_bytes: 64 << 20,
        }
    }
}
