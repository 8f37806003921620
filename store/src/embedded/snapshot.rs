//! The live keys at one revision, in one file.

use super::disk::{DataDir, HEADER, Header, Kind, UNFINISHED, io_error};
use super::encoder::Encoder;
use super::files::Action;
use super::frame::{Frames, Next};
use super::record::{self, Input, Item};
use crate::mvcc::{Leases, Moment, Mvcc, State};
use crate::{Error, KeyValue, LeaseId, Result, Revision};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// The disk is asked to keep up after this many bytes, so that the last sync does not hold up the log's.
const SYNC_EVERY: u64 = 32 << 20;

/// Loads the latest snapshot, if there is one, and tells its length in bytes.
pub(super) fn load(dir: &DataDir) -> Result<(State, u64)> {
    match dir.files(Kind::Snapshot)?.pop() {
        Some((_, path)) => read(&path),
        None => Ok((State::default(), 0)),
    }
}

fn read(path: &Path) -> Result<(State, u64)> {
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let file_len = file.metadata().map_err(io_error("stat", path))?.len();
    let header = Header::read(&mut file, Kind::Snapshot, path)?;
    let input = BufReader::new(file);
    let mut frames = Frames::new(input, path, header.salt, HEADER as u64, file_len);
    let mut content = Content::default();
    while read_frame(&mut frames, header.format, &mut |item| content.add(item))? {}
    let Content { keys, leases, grants } = content;
    let leases = Leases::restored(leases, grants, Instant::now());
    Ok((State::restored(keys, leases, header.revision), file_len))
}

/// What a snapshot holds.
#[derive(Default)]
struct Content {
    keys: Vec<KeyValue>,
    leases: BTreeMap<LeaseId, Duration>,
    grants: u64,
}

// === impl Content ===

impl Content {
    fn add(&mut self, item: Item) -> std::result::Result<(), &'static str> {
        match item {
            Item::Key(kv) if kv.lease.is_some_and(|id| !self.leases.contains_key(&id)) => {
                return Err("a key has a lease that is not there");
            }
            Item::Key(kv) => self.keys.push(kv),
            Item::Lease(id, ttl) => {
                self.leases.insert(id, ttl);
            }
            Item::Grants(grants) => self.grants = grants,
        }
        Ok(())
    }
}

/// Takes an item of a snapshot, or says what is wrong with it.
type EachItem<'a> = dyn FnMut(Item) -> std::result::Result<(), &'static str> + 'a;

/// Reads a frame; `false` at the one without anything in it, which is the last.
pub(super) fn read_frame<R: Read>(
    frames: &mut Frames<R>,
    format: u32,
    each: &mut EachItem<'_>,
) -> Result<bool> {
    let start = frames.offset();
    match frames.read_next()? {
        Next::Frame => {}
        Next::Nothing => return Err(frames.corrupt(start, "the snapshot is cut off")),
        Next::Damaged(reason) => return Err(frames.corrupt(start, reason)),
    }
    let mut input = Input(frames.payload());
    let is_last = input.is_empty();
    while !input.is_empty() {
        let item = match format {
            1 => record::read_key_value(&mut input, None).map(Item::Key),
            _ => record::read_item(&mut input),
        };
        let item = item.ok_or("not a key with its value, nor a lease");
        item.and_then(&mut *each).map_err(|reason| frames.corrupt(start, reason))?;
    }
    Ok(!is_last)
}

/// Writes a snapshot of a moment and removes older ones. Its length in bytes. Readers and the
/// writer go on meanwhile.
pub(super) fn write(dir: &DataDir, mvcc: &Mvcc, moment: &Moment) -> Result<u64> {
    let revision = moment.revision;
    let bytes = publish(dir, revision, |output| copy(mvcc, moment, output))?;
    for (older, path) in dir.files(Kind::Snapshot)? {
        if older < revision {
            dir.perform(&path, Action::Remove)?;
        }
    }
    Ok(bytes)
}

/// Makes a snapshot whose content `write` adds. It has its name when it is whole and durable. Its length
/// in bytes.
pub(super) fn publish(
    dir: &DataDir,
    revision: Revision,
    write: impl FnOnce(&mut Output<'_>) -> Result<()>,
) -> Result<u64> {
    let path = dir.path.join(Kind::Snapshot.name(revision));
    let unfinished = path.with_extension(UNFINISHED);
    let written = Output::create(dir, &unfinished, revision).and_then(|mut output| {
        write(&mut output)?;
        let bytes = output.finish()?;
        dir.perform(&unfinished, Action::Rename { to: &path })?;
        Ok(bytes)
    });
    let bytes = written.map_err(|error| discard(dir, &unfinished, error))?;
    dir.perform(&dir.path, Action::SyncDir)?;
    Ok(bytes)
}

fn copy(mvcc: &Mvcc, moment: &Moment, output: &mut Output<'_>) -> Result<()> {
    output.grants(moment.grants)?;
    for (id, ttl) in &moment.leases {
        output.lease(*id, *ttl)?;
    }
    let mut last = None;
    loop {
        let page = mvcc.page(last.as_ref(), moment.revision)?;
        page.iter().try_for_each(|kv| output.key(kv))?;
        match page.last() {
            Some(kv) => last = Some(kv.key.clone()),
            None => return Ok(()),
        }
    }
}

/// Removes what can't be finished. The reason for that is the error worth telling.
fn discard(dir: &DataDir, unfinished: &Path, error: Error) -> Error {
    if let Err(left) = dir.perform(unfinished, Action::Remove) {
        tracing::warn!(error = %left, "an unfinished snapshot is left");
    }
    error
}

/// A snapshot that is being written.
pub(super) struct Output<'a> {
    dir: &'a DataDir,
    file: File,
    path: PathBuf,
    encoder: Encoder,
    frame: Vec<u8>,
    written: u64,
    synced: u64,
}

// === impl Output ===

impl<'a> Output<'a> {
    fn create(dir: &'a DataDir, path: &Path, revision: Revision) -> Result<Self> {
        let (file, encoder) = (dir.create(path)?, Encoder::new(revision));
        let path = path.to_owned();
        let frame = encoder.header().to_vec();
        let mut output = Self { dir, file, path, encoder, frame, written: 0, synced: 0 };
        output.put()?;
        Ok(output)
    }

    /// Adds the count of leases.
    pub(super) fn grants(&mut self, grants: u64) -> Result<()> {
        self.encoder.grants(grants);
        self.put_full_frame()
    }

    /// Adds a lease.
    pub(super) fn lease(&mut self, id: LeaseId, ttl: Duration) -> Result<()> {
        self.encoder.lease(id, ttl);
        self.put_full_frame()
    }

    /// Adds a key, whose lease was added before.
    pub(super) fn key(&mut self, kv: &KeyValue) -> Result<()> {
        self.encoder.key(kv);
        self.put_full_frame()
    }

    fn finish(mut self) -> Result<u64> {
        if !self.encoder.is_empty() {
            self.put_frame()?;
        }
        self.put_frame()?;
        self.dir.perform(&self.path, Action::SyncAll { file: &self.file })?;
        Ok(self.written)
    }

    fn put_full_frame(&mut self) -> Result<()> {
        if self.encoder.is_full() { self.put_frame() } else { Ok(()) }
    }

    fn put_frame(&mut self) -> Result<()> {
        self.encoder.frame(&mut self.frame);
        self.put()?;
        if self.written - self.synced >= SYNC_EVERY {
            self.dir.perform(&self.path, Action::SyncData { file: &self.file })?;
            self.synced = self.written;
        }
        Ok(())
    }

    fn put(&mut self) -> Result<()> {
        let action = Action::Write { file: &self.file, offset: self.written, bytes: &self.frame };
        self.dir.perform(&self.path, action)?;
        self.written += self.frame.len() as u64;
        Ok(())
    }
}
