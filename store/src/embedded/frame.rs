//! Frames: what is written, and checked, in one piece. Log and snapshot files are made of them.
//!
//! A frame begins at a multiple of 8 with its head: magic, length of the payload, *durable*
//! (everything before this offset of the file was on disk when the frame was written), checksum
//! of the payload with its padding, checksum of the head. The checksums are salted with a number of the file's
//! own, so that nobody can bring in a false frame inside a value.

use super::disk::io_error;
use crate::{Error, Result};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a head.
const HEAD: usize = 24;
const MAGIC: u32 = 0x4d52_4657;
const ALIGN: usize = 8;
/// How much of a file is looked through at once.
const WINDOW: usize = 1 << 20;

/// The head of a frame.
#[derive(Clone, Copy)]
pub(super) struct Head {
    len: u32,
    pub(super) durable: u64,
    payload_sum: u32,
}

/// Reads the frames of a file one after the other.
pub(super) struct Frames<R> {
    input: R,
    path: PathBuf,
    salt: u32,
    offset: u64,
    file_len: u64,
    durable: u64,
    payload: Vec<u8>,
}

/// What stands at a place of a file.
pub(super) enum Next {
    /// A good frame; its payload is in [`Frames::payload`].
    Frame,
    /// Nothing: the end of the file, or space that was never written.
    Nothing,
    /// Something else.
    Damaged(&'static str),
}

// === impl Head ===

impl Head {
    fn to_bytes(self, salt: u32) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.durable.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.payload_sum.to_le_bytes());
        let sum = sum(&bytes[..20], salt);
        bytes[20..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The head in these bytes, when they are one.
    pub(super) fn parse(bytes: &[u8], salt: u32) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEAD>()?;
        let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let sound = u32_at(0) == MAGIC && u32_at(20) == sum(&bytes[..20], salt);
        sound.then(|| Self { len: u32_at(4), durable: u64_at(8), payload_sum: u32_at(16) })
    }
}

/// Makes `out` one frame around the payload that `write` adds.
pub(super) fn build(out: &mut Vec<u8>, durable: u64, salt: u32, write: impl FnOnce(&mut Vec<u8>)) {
    out.clear();
    out.resize(HEAD, 0);
    write(out);
    let len = u32::try_from(out.len() - HEAD).expect("groups and transactions are limited");
    out.resize(out.len().next_multiple_of(ALIGN), 0);
    let head = Head { len, durable, payload_sum: sum(&out[HEAD..], salt) };
    out[..HEAD].copy_from_slice(&head.to_bytes(salt));
}

/// Whether the bytes after a damaged place at `offset` hold a head that says that this place was on
/// disk once. `rest` begins at the damaged place.
pub(super) fn was_durable(mut rest: impl Read, offset: u64, salt: u32) -> std::io::Result<bool> {
    let mut window = Vec::with_capacity(WINDOW);
    loop {
        let room = (WINDOW - window.len()) as u64;
        let read = rest.by_ref().take(room).read_to_end(&mut window)?;
        let heads = (0..window.len()).step_by(ALIGN);
        let mut heads = heads.filter_map(|at| Head::parse(&window[at..], salt));
        if heads.any(|head| head.durable > offset) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        // A head may go on in the next piece.
        let keep = (window.len().saturating_sub(HEAD)).next_multiple_of(ALIGN).min(window.len());
        window.drain(..keep);
    }
}

fn sum(bytes: &[u8], salt: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

// === impl Frames ===

impl<R: Read> Frames<R> {
    /// Frames from `offset` of a file of `file_len` bytes; `input` stands there.
    pub(super) fn new(input: R, path: &Path, salt: u32, offset: u64, file_len: u64) -> Self {
        let (path, payload) = (path.to_owned(), Vec::new());
        Self { input, path, salt, offset, file_len, durable: offset, payload }
    }

    /// Up to where the file was on disk when the last good frame was written.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Where the next frame begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// An error about the frame at `offset`.
    pub(super) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        let file = self.path.display().to_string();
        Error::Corrupt { file, offset, reason: reason.into() }
    }

    /// Reads the next frame. [`Frames::offset`] moves behind it only when it is good.
    pub(super) fn read_next(&mut self) -> Result<Next> {
        let left = self.file_len.saturating_sub(self.offset);
        if left < HEAD as u64 {
            return Ok(if left == 0 { Next::Nothing } else { Next::Damaged("cut off") });
        }
        let mut head = [0; HEAD];
        self.fill(&mut head)?;
        let Some(head) = Head::parse(&head, self.salt) else {
            let empty = head.iter().all(|byte| *byte == 0);
            return Ok(if empty { Next::Nothing } else { Next::Damaged("no head of a frame") });
        };
        let padded = u64::from(head.len).next_multiple_of(ALIGN as u64);
        if left - (HEAD as u64) < padded {
            return Ok(Next::Damaged("the frame is cut off"));
        }
        self.read_payload(head, padded)
    }

    fn read_payload(&mut self, head: Head, padded: u64) -> Result<Next> {
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(usize::try_from(padded).expect("below 4 GiB"), 0);
        self.fill(&mut payload)?;
        let sound = sum(&payload, self.salt) == head.payload_sum;
        payload.truncate(head.len as usize);
        self.payload = payload;
        if !sound {
            return Ok(Next::Damaged("the checksum is wrong"));
        }
        self.offset += HEAD as u64 + padded;
        self.durable = head.durable.max(self.durable);
        Ok(Next::Frame)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.input.read_exact(buffer).map_err(io_error("read", &self.path))
    }
}
