//! The data directory and the first bytes of its files.

use super::files::{Action, FileOp, FileSystem};
use crate::{Error, Result, Revision};
use rustix::fs::FlockOperation;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The version of the formats of all files that are written. Version 1, without leases, is read as well.
pub(super) const FORMAT: u32 = 2;
/// Bytes at the start of a file.
pub(super) const HEADER: usize = 32;
/// The file that is locked.
pub(super) const LOCK: &str = "LOCK";
/// Ends the name of a file that is not finished.
pub(super) const UNFINISHED: &str = "tmp";

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A segment of the log; its revision is that of the first commit in it.
    Log,
    /// A snapshot; its revision is that of the state in it.
    Snapshot,
}

/// The start of a file.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) format: u32,
    pub(super) salt: u32,
    pub(super) revision: Revision,
}

/// A directory that no other process uses.
pub(super) struct DataDir {
    pub(super) path: PathBuf,
    files: Arc<dyn FileSystem>,
    lock: File,
    /// Why the log can't be written any more.
    broken: OnceLock<&'static str>,
}

/// An [`Error::Io`] about a path.
pub(super) fn io_error(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let context = format!("{what} {}", path.display());
    move |source| Error::Io { context, source }
}

/// Opens a file to read and write.
pub(super) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path).map_err(io_error("open", path))
}

/// Whether a directory holds a log or a snapshot.
pub(super) fn holds_store(path: &Path) -> Result<bool> {
    let of_store = |name: &String| Kind::Log.parse(name).or(Kind::Snapshot.parse(name)).is_some();
    Ok(names(path)?.iter().any(of_store))
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let failed = || io_error("list", dir);
    let entries = std::fs::read_dir(dir).map_err(failed())?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<std::io::Result<_>>().map_err(failed())
}

fn perform(files: &dyn FileSystem, path: &Path, action: Action<'_>) -> Result<()> {
    files.perform(FileOp { path, action }).map_err(io_error(action.verb(), path))
}

// === impl Kind ===

impl Kind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Log => b"wndl-log",
            Self::Snapshot => b"wndl-snp",
        }
    }

    fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Self::Log => ("log-", ".wal"),
            Self::Snapshot => ("snapshot-", ".snap"),
        }
    }

    /// The file's name. Names sort like revisions.
    pub(super) fn name(self, revision: Revision) -> String {
        let (start, end) = self.affixes();
        format!("{start}{revision:020}{end}")
    }

    fn parse(self, name: &str) -> Option<Revision> {
        let (start, end) = self.affixes();
        name.strip_prefix(start)?.strip_suffix(end)?.parse().ok()
    }
}

// === impl Header ===

impl Header {
    /// The header of a new file. The salt need not be repeatable: it shows in no result.
    pub(super) fn new(kind: Kind, revision: Revision) -> Self {
        let bytes = RandomState::new().build_hasher().finish().to_le_bytes();
        let salt = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        Self { kind, format: FORMAT, salt, revision }
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(self.kind.magic());
        bytes[8..12].copy_from_slice(&self.format.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.salt.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.revision.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads and checks the start of the file at `path`.
    pub(super) fn read(file: &mut impl Read, kind: Kind, path: &Path) -> Result<Self> {
        let mut bytes = [0; HEADER];
        match file.read_exact(&mut bytes) {
            Ok(()) => Self::parse(&bytes, kind, path),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let (file, reason) = (path.display().to_string(), "the header is cut off".into());
                Err(Error::Corrupt { file, offset: 0, reason })
            }
            Err(error) => Err(io_error("read", path)(error)),
        }
    }

    fn parse(bytes: &[u8; HEADER], kind: Kind, path: &Path) -> Result<Self> {
        let corrupt = |offset, reason: &str| Error::Corrupt {
            file: path.display().to_string(),
            offset,
            reason: reason.into(),
        };
        let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        if &bytes[..8] != kind.magic() {
            return Err(corrupt(0, "this is another kind of file"));
        }
        if u32_at(28) != crc32fast::hash(&bytes[..28]) {
            return Err(corrupt(28, "the checksum of the header is wrong"));
        }
        let format = u32_at(8);
        if !(1..=FORMAT).contains(&format) {
            let reason = format!("format version {format}, this build reads up to {FORMAT}");
            return Err(corrupt(8, &reason));
        }
        let revision = u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32;
        Ok(Self { kind, format, salt: u32_at(12), revision })
    }
}

// === impl DataDir ===

impl DataDir {
    /// Takes a directory; makes it when it is not there. Unfinished files are removed.
    pub(super) fn open(path: &Path, files: Arc<dyn FileSystem>) -> Result<Self> {
        make_dir(&*files, path)?;
        let lock = lock(&*files, path)?;
        let dir = Self { path: path.to_owned(), files, lock, broken: OnceLock::new() };
        for path in dir.unfinished()? {
            dir.perform(&path, Action::Remove)?;
        }
        Ok(dir)
    }

    /// Changes a file in the directory.
    pub(super) fn perform(&self, path: &Path, action: Action<'_>) -> Result<()> {
        perform(&*self.files, path, action)
    }

    /// A sync that the log stands on. When it fails, what is on disk is unknown from then on, and a second
    /// one would not tell: nothing more is written.
    pub(super) fn sync(&self, path: &Path, action: Action<'_>) -> Result<()> {
        let synced = self.perform(path, action);
        if synced.is_err() {
            self.give_up("an earlier sync failed; open it again");
        }
        synced
    }

    /// Lets nothing more be written to the log.
    pub(super) fn give_up(&self, reason: &'static str) {
        self.broken.get_or_init(|| reason);
    }

    /// Whether the log may still be written.
    pub(super) fn usable(&self) -> Result<()> {
        let Some(reason) = self.broken.get() else { return Ok(()) };
        Err(io_error("append to the log in", &self.path)(std::io::Error::other(*reason)))
    }

    /// A new, empty file.
    pub(super) fn create(&self, path: &Path) -> Result<File> {
        self.perform(path, Action::Create)?;
        open(path)
    }

    pub(super) fn names(&self) -> Result<Vec<String>> {
        names(&self.path)
    }

    fn unfinished(&self) -> Result<Vec<PathBuf>> {
        let names = self.names()?.into_iter().map(|name| self.path.join(name));
        Ok(names.filter(|path| path.extension().is_some_and(|e| e == UNFINISHED)).collect())
    }

    /// The files of a kind with their revisions, in order.
    pub(super) fn files(&self, kind: Kind) -> Result<Vec<(Revision, PathBuf)>> {
        let names = self.names()?;
        let ours = names.iter().filter_map(|name| Some((kind.parse(name)?, self.path.join(name))));
        let mut files: Vec<_> = ours.collect();
        files.sort();
        Ok(files)
    }
}

impl Drop for DataDir {
    /// Closing alone is not enough: a child that is just being started holds the file as well.
    fn drop(&mut self) {
        if let Err(error) = rustix::fs::flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(dir = %self.path.display(), %error, "could not unlock");
        }
    }
}

/// Makes a directory and those above it, durably.
fn make_dir(files: &dyn FileSystem, path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make_dir(files, above)?;
    match perform(files, path, Action::CreateDir) {
        Ok(()) => perform(files, above, Action::SyncDir),
        // Somebody else was quicker.
        Err(Error::Io { source, .. })
            if source.kind() == ErrorKind::AlreadyExists && path.is_dir() =>
        {
            Ok(())
        }
        failed => failed,
    }
}

fn lock(files: &dyn FileSystem, dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    perform(files, &path, Action::Create)?;
    let lock = open(&path)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked(dir.display().to_string())),
        Err(errno) => Err(io_error("lock", &path)(errno.into())),
    }
}
