//! The live keys at one revision, in one file.

use super::disk::{DataDir, HEADER, Header, Kind, UNFINISHED, io_error};
use super::files::Action;
use super::frame::{Frames, Next, build};
use super::record::{self, Input, Item};
use crate::mvcc::{Leases, Moment, Mvcc, State};
use crate::{Error, KeyValue, LeaseId, Result, Revision};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// A frame is closed when it has this many bytes.
const FRAME: usize = 1 << 20;
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
    while read_frame(&mut frames, header.format, &mut content)? {}
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
    /// `None` for a key whose lease is not there.
    fn add(&mut self, item: Item) -> Option<()> {
        match item {
            Item::Key(kv) if kv.lease.is_some_and(|id| !self.leases.contains_key(&id)) => None,
            Item::Key(kv) => {
                self.keys.push(kv);
                Some(())
            }
            Item::Lease(id, ttl) => {
                self.leases.insert(id, ttl);
                Some(())
            }
            Item::Grants(grants) => {
                self.grants = grants;
                Some(())
            }
        }
    }
}

/// Reads a frame; `false` at the one without anything in it, which is the last.
fn read_frame<R: Read>(frames: &mut Frames<R>, format: u32, to: &mut Content) -> Result<bool> {
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
        let added = item.and_then(|item| to.add(item));
        added.ok_or_else(|| frames.corrupt(start, "not a key with its value, nor a lease"))?;
    }
    Ok(!is_last)
}

/// Writes a snapshot of a moment and removes older ones. Its length in bytes. Readers and the
/// writer go on meanwhile.
pub(super) fn write(dir: &DataDir, mvcc: &Mvcc, moment: &Moment) -> Result<u64> {
    let revision = moment.revision;
    let path = dir.path.join(Kind::Snapshot.name(revision));
    let unfinished = path.with_extension(UNFINISHED);
    let output = Output::create(dir, &unfinished, revision);
    let written = output.and_then(|output| output.copy(mvcc, moment)).and_then(|bytes| {
        dir.perform(&unfinished, Action::Rename { to: &path })?;
        Ok(bytes)
    });
    let bytes = written.map_err(|error| discard(dir, &unfinished, error))?;
    dir.perform(&dir.path, Action::SyncDir)?;
    for (older, path) in dir.files(Kind::Snapshot)? {
        if older < revision {
            dir.perform(&path, Action::Remove)?;
        }
    }
    Ok(bytes)
}

/// Removes what can't be finished. The reason for that is the error worth telling.
fn discard(dir: &DataDir, unfinished: &Path, error: Error) -> Error {
    if let Err(left) = dir.perform(unfinished, Action::Remove) {
        tracing::warn!(error = %left, "an unfinished snapshot is left");
    }
    error
}

struct Output<'a> {
    dir: &'a DataDir,
    file: File,
    path: PathBuf,
    salt: u32,
    written: u64,
    synced: u64,
}

// === impl Output ===

impl<'a> Output<'a> {
    fn create(dir: &'a DataDir, path: &Path, revision: Revision) -> Result<Self> {
        let header = Header::new(Kind::Snapshot, revision);
        let file = dir.create(path)?;
        let (path, salt) = (path.to_owned(), header.salt);
        let mut output = Self { dir, file, path, salt, written: 0, synced: 0 };
        output.put(&header.to_bytes())?;
        Ok(output)
    }

    fn copy(mut self, mvcc: &Mvcc, moment: &Moment) -> Result<u64> {
        let (mut payload, mut frame) = (Vec::new(), Vec::new());
        let mut last = None;
        record::write_grants(moment.grants, &mut payload);
        for (id, ttl) in &moment.leases {
            record::write_lease(*id, *ttl, &mut payload);
        }
        loop {
            let page = mvcc.page(last.as_ref(), moment.revision)?;
            for kv in &page {
                record::write_key_value(kv, &mut payload);
                if payload.len() >= FRAME {
                    self.put_frame(&mut payload, &mut frame)?;
                }
            }
            match page.last() {
                Some(kv) => last = Some(kv.key.clone()),
                None => break,
            }
        }
        if !payload.is_empty() {
            self.put_frame(&mut payload, &mut frame)?;
        }
        self.put_frame(&mut payload, &mut frame)?;
        self.dir.perform(&self.path, Action::SyncAll { file: &self.file })?;
        Ok(self.written)
    }

    fn put_frame(&mut self, payload: &mut Vec<u8>, frame: &mut Vec<u8>) -> Result<()> {
        build(frame, 0, self.salt, |out| out.append(payload));
        self.put(frame)?;
        if self.written - self.synced >= SYNC_EVERY {
            self.dir.perform(&self.path, Action::SyncData { file: &self.file })?;
            self.synced = self.written;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let action = Action::Write { file: &self.file, offset: self.written, bytes };
        self.dir.perform(&self.path, action)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
