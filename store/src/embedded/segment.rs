//! One file of the log.

use super::Durability;
use super::disk::{self, DataDir, FORMAT, HEADER, Header, Kind, UNFINISHED, io_error};
use super::files::Action;
use super::frame::{Frames, Next, build, was_durable};
use crate::{Error, Result, Revision};
use rustix::fs::Advice;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Space is taken from the file system in pieces of this size, ahead of the writing: syncing space that
/// is there already costs less than syncing a file that grows.
const AHEAD: u64 = 16 << 20;
/// An unsynced segment is written in pieces of this size.
const PIECE: u64 = 4 << 20;
/// How much is read at once of what is written again or looked through.
const COPY: usize = 1 << 20;

/// Makes an error about the frame that is being looked at.
type Blame<'a> = &'a dyn Fn(&str) -> Error;
/// Takes the payload of a good frame.
pub(super) type EachFrame<'a> = dyn FnMut(&[u8], Blame<'_>) -> Result<()> + 'a;

/// A segment that is being written.
pub(super) struct Segment {
    dir: Arc<DataDir>,
    file: File,
    path: PathBuf,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    /// The file's length.
    allocated: u64,
    /// Everything before is on disk.
    durable: u64,
    /// The system was told to begin writing what is before.
    started: u64,
    /// Written to since the last mark of a clean end.
    dirty: bool,
}

// === impl Segment ===

impl Segment {
    /// A new segment whose first commit will be `first`. It has its name only when it is sound.
    pub(super) fn create(dir: &Arc<DataDir>, first: Revision) -> Result<Self> {
        let path = dir.path.join(Kind::Log.name(first));
        let unfinished = path.with_extension(UNFINISHED);
        let header = Header::new(Kind::Log, first);
        let file = dir.create(&unfinished)?;
        let bytes = &header.to_bytes();
        dir.perform(&unfinished, Action::Write { file: &file, offset: 0, bytes })?;
        dir.sync(&unfinished, Action::SyncAll { file: &file })?;
        dir.perform(&unfinished, Action::Rename { to: &path })?;
        dir.sync(&dir.path, Action::SyncDir)?;
        let (dir, end) = (dir.clone(), HEADER as u64);
        Ok(Self {
            dir,
            file,
            path,
            header,
            end,
            allocated: end,
            durable: end,
            started: end,
            dirty: false,
        })
    }

    /// Reads a segment that is there, with the payload of each frame and its offset. An end that was
    /// torn by a crash is left out, but only in the last segment and where nothing acknowledged can
    /// have been: the others were cut to length before the next was begun.
    pub(super) fn open(
        dir: &Arc<DataDir>,
        path: &Path,
        last: bool,
        each: &mut EachFrame<'_>,
    ) -> Result<Self> {
        let failed = |what| io_error(what, path);
        let mut file = disk::open(path)?;
        let allocated = file.metadata().map_err(failed("stat"))?.len();
        let header = Header::read(&mut file, Kind::Log, path)?;
        let input = BufReader::with_capacity(1 << 20, &file);
        let mut frames = Frames::new(input, path, header.salt, HEADER as u64, allocated);
        let reason = read_frames(&mut frames, each)?;
        let (end, durable) = (frames.offset(), frames.durable());
        let corrupt = frames.corrupt(end, reason);
        drop(frames);
        let torn = end < allocated;
        if torn && (!last || damaged_middle(&mut file, end, header.salt).map_err(failed("read"))?) {
            return Err(corrupt);
        }
        let (dir, path) = (dir.clone(), path.to_owned());
        Ok(Self { dir, file, path, header, end, allocated, durable, started: end, dirty: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn first(&self) -> Revision {
        self.header.revision
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether it may hold all that is written now.
    pub(super) fn is_current(&self) -> bool {
        self.header.format == FORMAT
    }

    /// Makes sure of what was read, and removes all that stands after the last good frame.
    ///
    /// After a sync that failed the system may show what is not on disk, and may not write it any more when
    /// it is asked to sync again. So what no frame calls durable is written once more.
    pub(super) fn recover(&mut self) -> Result<()> {
        let (mut at, mut buffer) = (self.durable, vec![0; COPY]);
        while at < self.end {
            let len = COPY.min(usize::try_from(self.end - at).unwrap_or(COPY));
            let bytes = &mut buffer[..len];
            self.file.read_exact_at(bytes, at).map_err(io_error("read", &self.path))?;
            let action = Action::Write { file: &self.file, offset: at, bytes };
            self.dir.perform(&self.path, action)?;
            at += len as u64;
        }
        self.cut_tail()
    }

    /// Removes all that stands after the last good frame, and makes that durable.
    fn cut_tail(&mut self) -> Result<()> {
        self.set_len(self.end)?;
        self.allocated = self.end;
        self.dir.sync(&self.path, Action::SyncAll { file: &self.file })?;
        self.durable = self.end;
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.dir.perform(&self.path, Action::SetLen { file: &self.file, len })
    }

    /// Writes one frame, all of it or nothing.
    pub(super) fn append(
        &mut self,
        buffer: &mut Vec<u8>,
        durability: Durability,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        build(buffer, self.durable, self.header.salt, write);
        self.make_room(buffer.len() as u64)?;
        let write = Action::Write { file: &self.file, offset: self.end, bytes: buffer };
        if let Err(error) = self.dir.perform(&self.path, write) {
            self.take_back();
            return Err(error);
        }
        if durability == Durability::Fsync {
            self.sync_to(self.end + buffer.len() as u64)?;
        }
        self.end += buffer.len() as u64;
        if durability == Durability::Buffered {
            self.start_writing();
        }
        self.dirty = true;
        Ok(())
    }

    /// Lets the system begin to write what it holds, so that there is little left to wait for when
    /// the segment is full. Only a hint.
    fn start_writing(&mut self) {
        if let Some(len) = NonZeroU64::new(self.end - self.started).filter(|len| len.get() >= PIECE)
        {
            // What is asked for in so many words, to forget these pages, begins with writing them.
            let _hint = rustix::fs::fadvise(&self.file, self.started, Some(len), Advice::DontNeed);
            self.started = self.end;
        }
    }

    /// Makes everything durable and gives unused space back. With `mark`, notes that the end is the
    /// end: damage before it can then be told from a torn write.
    pub(super) fn finish(&mut self, mark: bool) -> Result<()> {
        self.dir.usable()?;
        self.sync_to(self.end)?;
        if mark && self.dirty {
            self.append(&mut Vec::new(), Durability::Fsync, |_| {})?;
            self.dirty = false;
        }
        self.cut_tail()
    }

    fn make_room(&mut self, bytes: u64) -> Result<()> {
        let needed = self.end + bytes;
        if needed <= self.allocated {
            return Ok(());
        }
        let len = needed.max(self.allocated + AHEAD) - self.allocated;
        let action = Action::Allocate { file: &self.file, offset: self.allocated, len };
        match self.dir.perform(&self.path, action) {
            Ok(()) => self.allocated += len,
            Err(_) => {
                // No such thing on this file system, or no room for so much: writing tells. What was
                // taken all the same is given back first.
                self.take_back();
                self.dir.usable()?;
                self.allocated = needed;
            }
        }
        Ok(())
    }

    /// Removes what a failed write left.
    fn take_back(&mut self) {
        match self.set_len(self.end) {
            Ok(()) => self.allocated = self.end,
            Err(_) => self.dir.give_up("a failed write could not be taken back; open it again"),
        }
    }

    fn sync_to(&mut self, end: u64) -> Result<()> {
        if self.durable < end {
            let synced = self.dir.sync(&self.path, Action::SyncData { file: &self.file });
            if let Err(error) = synced {
                // What was refused should not be there when the store is opened again.
                self.take_back();
                return Err(error);
            }
        }
        self.durable = end;
        Ok(())
    }
}

/// Hands the good frames to `each`; why there is no further one.
fn read_frames<R: Read>(frames: &mut Frames<R>, each: &mut EachFrame<'_>) -> Result<&'static str> {
    loop {
        let start = frames.offset();
        match frames.read_next()? {
            Next::Frame => {
                each(frames.payload(), &|reason| frames.corrupt(start, reason))?;
            }
            Next::Nothing => return Ok("a hole in the middle"),
            Next::Damaged(reason) => return Ok(reason),
        }
    }
}

/// Whether what stands at `end`, where no good frame is, was on disk before something after it.
fn damaged_middle(file: &mut File, end: u64, salt: u32) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(end))?;
    was_durable(file, end, salt)
}
