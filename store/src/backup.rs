//! A copy of a whole store at one revision, taken while it runs, and a store made from one.
//!
//! A copy is a file of the form that [`crate::Embedded`] keeps its own snapshots in (see the crate's
//! page), whatever backend it was taken from. It holds the keys and the leases, and no history.

mod save;
mod snapshot;

pub use save::{Saved, save};
pub use snapshot::{Snapshot, stream};

use crate::{Result, Revision};
use std::path::Path;

/// Makes a data directory from a copy: [`crate::Embedded`] opens it at the copy's revision, which is
/// returned. Leases have their whole time again.
///
/// The file may end with the SHA-256 of all before it: `etcdctl snapshot save` leaves one there. A file of
/// which any byte is changed or missing is refused, and the directory then holds nothing but its lock. Blocks.
///
/// # Errors
/// [`crate::Error::Corrupt`] with the place in the file, [`crate::Error::Invalid`] when the directory is
/// there and not empty, [`crate::Error::Locked`], [`crate::Error::Io`].
pub fn restore(file: &Path, dir: &Path) -> Result<Revision> {
    crate::embedded::restore(file, dir)
}
