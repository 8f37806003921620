//! The live keys at one revision, in one file.

use super::disk::{self, DataDir, HEADER, Header, Kind, UNFINISHED, io_error};
use super::frame::{Frames, Next, build};
use super::record::{self, Input};
use crate::mvcc::{Mvcc, State};
use crate::{Error, KeyValue, Result, Revision};
use std::fs::File;
use std::io::{BufReader, Read, Write};
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
    let written = Output::create(&unfinished, revision).and_then(|out| out.copy(mvcc, revision));
    let bytes = written.and_then(|bytes| disk::publish(&unfinished, &path).map(|()| bytes));
    let bytes = bytes.map_err(|error| discard(&unfinished, error))?;
    for (older, path) in dir.files(Kind::Snapshot)? {
        if older < revision {
            std::fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(bytes)
}

/// Removes what can't be finished. The reason for that is the error worth telling.
fn discard(unfinished: &Path, error: Error) -> Error {
    if let Err(left) = std::fs::remove_file(unfinished) {
        tracing::warn!(path = %unfinished.display(), error = %left, "could not remove");
    }
    error
}

struct Output {
    file: File,
    path: PathBuf,
    salt: u32,
    written: u64,
    synced: u64,
}

// === impl Output ===

impl Output {
    fn create(path: &Path, revision: Revision) -> Result<Self> {
        let header = Header::new(Kind::Snapshot, revision);
        let file = disk::create(path)?;
        let (path, salt) = (path.to_owned(), header.salt);
        let mut output = Self { file, path, salt, written: 0, synced: 0 };
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
        self.file.sync_all().map_err(io_error("sync", &self.path))?;
        Ok(self.written)
    }

    fn put_frame(&mut self, payload: &mut Vec<u8>, frame: &mut Vec<u8>) -> Result<()> {
        build(frame, 0, self.salt, |out| out.append(payload));
        self.put(frame)?;
        if self.written - self.synced >= SYNC_EVERY {
            self.file.sync_data().map_err(io_error("sync", &self.path))?;
            self.synced = self.written;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(io_error("write", &self.path))?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
