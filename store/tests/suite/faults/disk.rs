//! A file system that fails when it is told to.

use super::model::{Luck, Model};
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::SmallRng;
use std::io::{Error, Result};
use std::path::Path;
use windlass_store::testing::{Action, FileOp, FileSystem, Machine};

/// No space left on device.
pub(super) const ENOSPC: i32 = 28;
/// Input/output error.
pub(super) const EIO: i32 = 5;

/// What goes wrong. Operations are counted from 1.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    Nothing,
    /// The power goes, or the process ends, in the middle of this operation.
    Stop(usize),
    /// This operation is refused with an input/output error; what it is about may be done in part.
    Refuse(usize),
    /// From the one operation to before the other there is no room for anything more.
    Full(usize, usize),
}

/// Does what it is asked to in a real directory, but for the syncs, and keeps a model of the disk.
pub(super) struct Disk {
    inner: Mutex<Inner>,
}

struct Inner {
    model: Model,
    fault: Fault,
    count: usize,
    refused: Option<String>,
    log_sync_failed: bool,
    rng: SmallRng,
}

// === impl Disk ===

impl Disk {
    pub(super) fn new(dir: &Path, fault: Fault, rng: SmallRng) -> Self {
        let model = Model::of(dir);
        let (count, refused, log_sync_failed) = (0, None, false);
        Self { inner: Mutex::new(Inner { model, fault, count, refused, log_sync_failed, rng }) }
    }

    /// How many operations there were.
    pub(super) fn count(&self) -> usize {
        self.inner.lock().count
    }

    /// The operation that was refused.
    pub(super) fn refused(&self) -> Option<String> {
        self.inner.lock().refused.clone()
    }

    /// Whether a sync of a file of the log was refused since the last time that this was asked to be forgotten.
    pub(super) fn log_sync_failed(&self) -> bool {
        self.inner.lock().log_sync_failed
    }

    /// A new store on this disk.
    pub(super) fn reopened(&self) {
        self.inner.lock().log_sync_failed = false;
    }

    /// From now on nothing goes wrong. What was not synced is still not synced.
    pub(super) fn mend(&self) {
        self.inner.lock().fault = Fault::Nothing;
    }

    /// Directories as they may be found when the power goes now: with nothing, with all and with some of what
    /// was not synced.
    pub(super) fn images(&self, more: usize) -> Vec<tempfile::TempDir> {
        let Inner { model, rng, .. } = &mut *self.inner.lock();
        let mut images = vec![model.image(Luck::None), model.image(Luck::All)];
        images.extend((0..more).map(|_| model.image(Luck::Some(&mut *rng))));
        images
    }
}

impl FileSystem for Disk {
    fn perform(&self, op: FileOp<'_>) -> Result<()> {
        let mut inner = self.inner.lock();
        inner.count += 1;
        let at = inner.count;
        match inner.fault {
            Fault::Stop(stop) if at == stop => inner.stop(op),
            Fault::Stop(stop) if at > stop => Err(Error::other("the world stands still")),
            Fault::Refuse(refused) if at == refused => inner.refuse(op, EIO),
            Fault::Full(from, to) if (from..to).contains(&at) && takes_room(op.action) => {
                inner.refuse(op, ENOSPC)
            }
            _ => inner.perform(op),
        }
    }
}

// === impl Inner ===

impl Inner {
    fn perform(&mut self, op: FileOp<'_>) -> Result<()> {
        if !is_sync(op.action) {
            Machine.perform(op)?;
        }
        self.model.note(op.path, op.action, &mut Luck::All);
        Ok(())
    }

    /// The operation is under way: of what it changes anything may be there, what it syncs is not known to be.
    fn stop(&mut self, op: FileOp<'_>) -> Result<()> {
        if !is_sync(op.action) && Machine.perform(op).is_ok() {
            self.model.note(op.path, op.action, &mut Luck::All);
        }
        Err(Error::other("the world stands still"))
    }

    /// A write is done in part. A sync puts some on disk, and the rest is never written: programs go on
    /// to see it.
    fn refuse(&mut self, op: FileOp<'_>, code: i32) -> Result<()> {
        self.refused = Some(format!("{op:?}"));
        let FileOp { path, action } = op;
        if let Action::Write { file, offset, bytes } = action {
            let bytes = &bytes[..self.rng.random_range(0..bytes.len())];
            self.perform(FileOp { path, action: Action::Write { file, offset, bytes } })?;
        }
        if is_sync(action) {
            self.log_sync_failed |= path.to_string_lossy().contains("log-");
            self.model.note(path, action, &mut Luck::Some(&mut self.rng));
        }
        Err(Error::from_raw_os_error(code))
    }
}

fn is_sync(action: Action<'_>) -> bool {
    matches!(action, Action::SyncData { .. } | Action::SyncAll { .. } | Action::SyncDir)
}

fn takes_room(action: Action<'_>) -> bool {
    matches!(action, Action::Create | Action::Write { .. } | Action::Allocate { .. })
}
