//! One file of the log.

use super::Durability;
use super::disk::{self, HEADER, Header, Kind, UNFINISHED, io_error};
use super::frame::{Frames, Next, build, was_durable};
use crate::{Error, Result, Revision};
use rustix::fs::FallocateFlags;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Space is taken from the file system in pieces of this size, ahead of the writing: syncing space that
/// is there already costs less than syncing a file that grows.
const AHEAD: u64 = 16 << 20;

/// Makes an error about the frame that is being looked at.
type Blame<'a> = &'a dyn Fn(&str) -> Error;
/// Takes the payload of a good frame.
pub(super) type EachFrame<'a> = dyn FnMut(&[u8], Blame<'_>) -> Result<()> + 'a;

/// A segment that is being written.
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    /// The file's length.
    allocated: u64,
    /// Everything before is on disk.
    durable: u64,
    /// Written to since the last mark of a clean end.
    dirty: bool,
    /// Why nothing more can be written.
    broken: Option<&'static str>,
}

// === impl Segment ===

impl Segment {
    /// A new segment whose first commit will be `first`. It has its name only when it is sound.
    pub(super) fn create(dir: &Path, first: Revision) -> Result<Self> {
        let path = dir.join(Kind::Log.name(first));
        let unfinished = path.with_extension(UNFINISHED);
        let header = Header::new(Kind::Log, first);
        let file = disk::create(&unfinished)?;
        file.write_all_at(&header.to_bytes(), 0).map_err(io_error("write", &unfinished))?;
        file.sync_all().map_err(io_error("sync", &unfinished))?;
        disk::publish(&unfinished, &path)?;
        let end = HEADER as u64;
        Ok(Self {
            file,
            path,
            header,
            end,
            allocated: end,
            durable: end,
            dirty: false,
            broken: None,
        })
    }

    /// Reads a segment that is there, with the payload of each frame and its offset. An end that was
    /// torn by a crash is left out, but only in the last segment and where nothing acknowledged can
    /// have been: the others were cut to length before the next was begun.
    pub(super) fn open(path: &Path, last: bool, each: &mut EachFrame<'_>) -> Result<Self> {
        let failed = |what| io_error(what, path);
        let mut file =
            OpenOptions::new().read(true).write(true).open(path).map_err(failed("open"))?;
        let allocated = file.metadata().map_err(failed("stat"))?.len();
        let header = Header::read(&mut file, Kind::Log, path)?;
        let input = BufReader::with_capacity(1 << 20, &file);
        let mut frames = Frames::new(input, path, header.salt, HEADER as u64, allocated);
        let reason = read_frames(&mut frames, each)?;
        let end = frames.offset();
        let corrupt = frames.corrupt(end, reason);
        drop(frames);
        let torn = end < allocated;
        if torn && (!last || damaged_middle(&mut file, end, header.salt).map_err(failed("read"))?) {
            return Err(corrupt);
        }
        let path = path.to_owned();
        Ok(Self { file, path, header, end, allocated, durable: end, dirty: false, broken: None })
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

    /// Removes all that stands after the last good frame, and makes that durable.
    pub(super) fn cut_tail(&mut self) -> Result<()> {
        self.file.set_len(self.end).map_err(io_error("cut", &self.path))?;
        self.allocated = self.end;
        self.file.sync_all().map_err(io_error("sync", &self.path))
    }

    /// Writes one frame, all of it or nothing.
    pub(super) fn append(
        &mut self,
        buffer: &mut Vec<u8>,
        durability: Durability,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        self.usable()?;
        build(buffer, self.durable, self.header.salt, write);
        self.make_room(buffer.len() as u64)?;
        if let Err(error) = self.file.write_all_at(buffer, self.end) {
            self.take_back();
            return Err(io_error("write", &self.path)(error));
        }
        if durability == Durability::Fsync {
            self.sync_to(self.end + buffer.len() as u64)?;
        }
        self.end += buffer.len() as u64;
        self.dirty = true;
        Ok(())
    }

    /// Makes everything durable and gives unused space back. With `mark`, notes that the end is the
    /// end: damage before it can then be told from a torn write.
    pub(super) fn finish(&mut self, mark: bool) -> Result<()> {
        self.usable()?;
        self.sync_to(self.end)?;
        if mark && self.dirty {
            self.append(&mut Vec::new(), Durability::Fsync, |_| {})?;
            self.dirty = false;
        }
        self.cut_tail()
    }

    fn usable(&self) -> Result<()> {
        let Some(reason) = self.broken else { return Ok(()) };
        Err(io_error("append to", &self.path)(std::io::Error::other(reason)))
    }

    fn make_room(&mut self, bytes: u64) -> Result<()> {
        let needed = self.end + bytes;
        if needed <= self.allocated {
            return Ok(());
        }
        let len = needed.max(self.allocated + AHEAD) - self.allocated;
        let flags = FallocateFlags::empty();
        match rustix::fs::fallocate(&self.file, flags, self.allocated, len) {
            Ok(()) => self.allocated += len,
            Err(_) => {
                // No such thing on this file system, or no room for so much: writing tells. What was
                // taken all the same is given back first.
                self.take_back();
                self.usable()?;
                self.allocated = needed;
            }
        }
        Ok(())
    }

    /// Removes what a failed write left.
    fn take_back(&mut self) {
        match self.file.set_len(self.end) {
            Ok(()) => self.allocated = self.end,
            Err(_) => self.broken = Some("a failed write could not be taken back; open it again"),
        }
    }

    fn sync_to(&mut self, end: u64) -> Result<()> {
        if self.durable < end
            && let Err(error) = self.file.sync_data()
        {
            // What is on disk now is unknown, and a second sync would not tell.
            self.broken = Some("an earlier sync failed; open it again");
            return Err(io_error("sync", &self.path)(error));
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
    let mut rest = Vec::new();
    file.seek(SeekFrom::Start(end))?;
    file.read_to_end(&mut rest)?;
    Ok(was_durable(&rest, end, salt))
}
