//! The live keys at one revision, in one file.

use super::disk::{DataDir, HEADER, Header, Kind, UNFINISHED, io_error};
use super::files::Action;
use super::frame::{Frames, Next, build};
use super::record::{self, Input};
use crate::mvcc::{Mvcc, State};
use crate::{Error, KeyValue, Result, Revision};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

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
    let mut keys = Vec::new();
    while read_frame(&mut frames, &mut keys)? {}
    Ok((State::restored(keys, header.revision), file_len))
}

/// Reads a frame of keys; `false` at the one without keys, which is the last.
fn read_frame<R: Read>(frames: &mut Frames<R>, keys: &mut Vec<KeyValue>) -> Result<bool> {
    let start = frames.offset();
    match frames.read_next()? {
        Next::Frame => {}
        Next::Nothing => return Err(frames.corrupt(start, "the snapshot is cut off")),
        Next::Damaged(reason) => return Err(frames.corrupt(start, reason)),
    }
    let mut input = Input(frames.payload());
    let before = keys.len();
    while !input.is_empty() {
        let kv = record::read_key_value(&mut input);
        keys.push(kv.ok_or_else(|| frames.corrupt(start, "not a key with its value"))?);
    }
    Ok(keys.len() > before)
}

/// Writes a snapshot of `revision` and removes older ones. Its length in bytes. Readers and the
/// writer go on meanwhile.
pub(super) fn write(dir: &DataDir, mvcc: &Mvcc, revision: Revision) -> Result<u64> {
    let path = dir.path.join(Kind::Snapshot.name(revision));
    let unfinished = path.with_extension(UNFINISHED);
    let output = Output::create(dir, &unfinished, revision);
    let written = output.and_then(|output| output.copy(mvcc, revision)).and_then(|bytes| {
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

    fn copy(mut self, mvcc: &Mvcc, revision: Revision) -> Result<u64> {
        let (mut payload, mut frame) = (Vec::new(), Vec::new());
        let mut last = None;
        loop {
            let page = mvcc.page(last.as_ref(), revision)?;
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
