//! The one door through which a store changes what is on disk.

use rustix::fs::FallocateFlags;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// What an embedded store asks of a file system. Reading is not part of it: a store reads its files where
/// they are.
pub trait FileSystem: Send + Sync {
    /// Does one thing, all of it, before it returns.
    ///
    /// # Errors
    /// What the operating system says. Then the thing may be done in part.
    fn perform(&self, op: FileOp<'_>) -> Result<()>;
}

/// One change of a file or directory.
#[derive(Clone, Copy, Debug)]
pub struct FileOp<'a> {
    /// What it is done to.
    pub path: &'a Path,
    /// What is done.
    pub action: Action<'a>,
}

/// What is done to a file or directory. A file that is open is handed along.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Makes a directory that only its owner may enter.
    CreateDir,
    /// Makes a file that only its owner may read, or empties the one that is there.
    Create,
    /// Writes all the bytes.
    Write {
        /// The open file.
        file: &'a File,
        /// Where the first byte goes.
        offset: u64,
        /// What is written.
        bytes: &'a [u8],
    },
    /// Cuts or lengthens.
    SetLen {
        /// The open file.
        file: &'a File,
        /// Its length from now on.
        len: u64,
    },
    /// Takes space ahead of the writing; the file gets longer.
    Allocate {
        /// The open file.
        file: &'a File,
        /// Where the new space begins: the end of the file.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Makes what was written durable, with the length.
    SyncData {
        /// The open file.
        file: &'a File,
    },
    /// The same, with all that is known of the file.
    SyncAll {
        /// The open file.
        file: &'a File,
    },
    /// Gives a file another name; a file that has it is replaced.
    Rename {
        /// The new name.
        to: &'a Path,
    },
    /// Removes a file.
    Remove,
    /// Makes names that came or went in a directory durable.
    SyncDir,
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

// === impl Action ===

impl Action<'_> {
    /// The word for it in an error, before the path.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::CreateDir | Self::Create => "create",
            Self::Write { .. } => "write",
            Self::SetLen { .. } => "cut",
            Self::Allocate { .. } => "take space for",
            Self::SyncData { .. } | Self::SyncAll { .. } | Self::SyncDir => "sync",
            Self::Rename { .. } => "rename",
            Self::Remove => "remove",
        }
    }
}

// === impl Machine ===

impl FileSystem for Machine {
    fn perform(&self, FileOp { path, action }: FileOp<'_>) -> Result<()> {
        match action {
            Action::CreateDir => DirBuilder::new().mode(0o700).create(path),
            Action::Create => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true).mode(0o600).open(path).map(drop)
            }
            Action::Write { file, offset, bytes } => file.write_all_at(bytes, offset),
            Action::SetLen { file, len } => file.set_len(len),
            Action::Allocate { file, offset, len } => {
                Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len)?)
            }
            Action::SyncData { file } => file.sync_data(),
            Action::SyncAll { file } => file.sync_all(),
            Action::Rename { to } => std::fs::rename(path, to),
            Action::Remove => std::fs::remove_file(path),
            Action::SyncDir => File::open(path)?.sync_all(),
        }
    }
}
