//! The log of this crate: a row of files, each sealed when it is long enough.

use super::disk::{DataDir, Kind};
use super::files::Action;
use super::log::{Log, Record};
use super::record::{self, Input};
use super::segment::Segment;
use super::{Durability, EmbeddedOptions};
use crate::{Error, Result, Revision};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// Appends to the last of its files. Nothing acknowledged is in danger when a file is begun: the one before
/// was synced, and the new one gets its name when it is sound.
pub(super) struct SegmentLog {
    dir: Arc<DataDir>,
    durability: Durability,
    segment_bytes: u64,
    sealed: VecDeque<(Revision, PathBuf)>,
    active: Option<Segment>,
    /// The revision of the next commit.
    next: Revision,
    buffer: Vec<u8>,
}

/// Buffers longer than this are given back after use.
const KEEP_BUFFER: usize = 4 << 20;

// === impl SegmentLog ===

impl SegmentLog {
    pub(super) fn new(dir: Arc<DataDir>, options: &EmbeddedOptions) -> Self {
        Self {
            dir,
            durability: options.durability,
            segment_bytes: options.segment_bytes,
            sealed: VecDeque::new(),
            active: None,
            next: 0,
            buffer: Vec::new(),
        }
    }

    fn replay_segment(
        &mut self,
        path: PathBuf,
        last: bool,
        from: Revision,
        each: &mut dyn FnMut(Record) -> Result<()>,
    ) -> Result<Segment> {
        let next = &mut self.next;
        Segment::open(&self.dir, &path, last, &mut |payload, corrupt| {
            let mut input = Input(payload);
            while !input.is_empty() {
                let record = record::read(&mut input).ok_or_else(|| corrupt("not a record"))?;
                if let Record::Commit { revision, .. } = &record {
                    follows(*next, *revision, from).map_err(|reason| corrupt(&reason))?;
                    *next = revision + 1;
                    if *next <= from {
                        continue;
                    }
                }
                each(record)?;
            }
            Ok(())
        })
    }

    /// The segment to write to, with an old one sealed that is long enough.
    fn segment(&mut self) -> Result<&mut Segment> {
        // An empty one of an older format is replaced.
        self.active.take_if(|s| !s.is_current() && s.first() >= self.next);
        let full = |s: &&mut Segment| {
            (s.end() >= self.segment_bytes && s.first() < self.next) || !s.is_current()
        };
        if let Some(old) = self.active.as_mut().filter(full) {
            old.finish(false)?;
            let new = Segment::create(&self.dir, self.next)?;
            self.sealed.push_back((old.first(), old.path().to_owned()));
            *old = new;
        }
        if self.active.is_none() {
            self.active = Some(Segment::create(&self.dir, self.next)?);
        }
        Ok(self.active.as_mut().expect("set above"))
    }
}

impl Log for SegmentLog {
    fn append(&mut self, records: &[Record]) -> Result<()> {
        self.dir.usable()?;
        let durability = self.durability;
        let mut buffer = std::mem::take(&mut self.buffer);
        let segment = self.segment()?;
        segment.append(&mut buffer, durability, |out| {
            records.iter().for_each(|record| record::write(record, out));
        })?;
        let last = records.iter().rev().find_map(|record| match record {
            Record::Commit { revision, .. } => Some(revision + 1),
            _ => None,
        });
        self.next = last.unwrap_or(self.next);
        buffer.clear();
        buffer.shrink_to(KEEP_BUFFER);
        self.buffer = buffer;
        Ok(())
    }

    fn replay(&mut self, from: Revision, each: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        let files = self.dir.files(Kind::Log)?;
        let count = files.len();
        for (index, (first, path)) in files.into_iter().enumerate() {
            if self.next == 0 {
                self.next = first.min(from);
            }
            follows(self.next, first, from).map_err(|reason| Error::Corrupt {
                file: path.display().to_string(),
                offset: 0,
                reason,
            })?;
            self.next = first;
            let segment = self.replay_segment(path, index + 1 == count, from, each)?;
            if let Some(before) = self.active.replace(segment) {
                self.sealed.push_back((before.first(), before.path().to_owned()));
            }
        }
        self.next = self.next.max(from);
        if let Some(active) = &mut self.active {
            active.recover()?;
            // The process before may have ended between giving the file its name and syncing that.
            self.dir.sync(&self.dir.path, Action::SyncDir)?;
        }
        Ok(())
    }

    fn truncate(&mut self, up_to: Revision) -> Result<()> {
        let active = self.active.as_ref().map_or(self.next, Segment::first);
        while let Some((_, path)) = self.sealed.front() {
            let end = self.sealed.get(1).map_or(active, |(first, _)| *first);
            if end > up_to + 1 {
                break;
            }
            self.dir.perform(path, Action::Remove)?;
            self.sealed.pop_front();
        }
        self.dir.perform(&self.dir.path, Action::SyncDir)
    }

    fn close(&mut self) -> Result<()> {
        self.active.as_mut().map_or(Ok(()), |segment| segment.finish(true))
    }
}

/// Whether `revision` may come where `next` was expected: only what a snapshot holds may be missing.
fn follows(next: Revision, revision: Revision, from: Revision) -> std::result::Result<(), String> {
    if revision < next {
        return Err(format!("revision {revision} comes again after {}", next - 1));
    }
    if revision > next.max(from) {
        return Err(format!(
            "the revisions from {} to {} are missing",
            next.max(from),
            revision - 1
        ));
    }
    Ok(())
}
