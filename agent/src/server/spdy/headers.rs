//! Header blocks: names and values, compressed by zlib with a dictionary, one compressed stream for the connection.

use super::dictionary::dictionary;
use flate2::{Decompress, FlushDecompress, Status};
use std::io;

/// All headers of a stream together are at most so long.
const LIMIT: usize = 64 * 1024;

/// Names in lower case, and values.
pub(super) type Headers = Vec<(String, String)>;

/// Decompresses the blocks of one connection.
pub(super) struct Inflater {
    raw: Decompress,
    begun: bool,
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed SPDY headers: {what}"))
}

impl Inflater {
    pub(super) fn new() -> io::Result<Self> {
        let mut inflater = Self { raw: Decompress::new(false), begun: false };
        // The dictionary becomes the history by being the content of a first, stored block.
        inflater.inflate(&stored(&dictionary(), false))?;
        Ok(inflater)
    }

    /// The next block.
    pub(super) fn headers(&mut self, block: &[u8]) -> io::Result<Headers> {
        let block = if self.begun { block } else { without_head(block)? };
        self.begun = true;
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut input: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(4096);
        loop {
            let (before_in, before_out) = (self.raw.total_in(), self.raw.total_out());
            let status = self.raw.decompress_vec(input, &mut out, FlushDecompress::Sync);
            let status = status.map_err(|e| malformed(&e.to_string()))?;
            let read = (self.raw.total_in() - before_in) as usize;
            input = &input[read..];
            let idle = read == 0 && self.raw.total_out() == before_out;
            if out.len() > LIMIT {
                return Err(malformed("too long"));
            }
            if status == Status::StreamEnd || input.is_empty() && out.len() < out.capacity() {
                return Ok(out);
            }
            if idle && out.len() < out.capacity() {
                return Err(malformed("cut short"));
            }
            out.reserve(4096);
        }
    }
}

/// Without zlib's own head: method, flags, and which dictionary.
fn without_head(block: &[u8]) -> io::Result<&[u8]> {
    let flags = *block.get(1).ok_or_else(|| malformed("too short"))?;
    let head = if flags & 0x20 == 0 { 2 } else { 6 };
    block.get(head..).ok_or_else(|| malformed("too short"))
}

fn parse(mut text: &[u8]) -> io::Result<Headers> {
    let number = |text: &mut &[u8]| -> io::Result<usize> {
        let (head, rest) = text.split_first_chunk::<4>().ok_or_else(|| malformed("cut short"))?;
        *text = rest;
        Ok(u32::from_be_bytes(*head) as usize)
    };
    let count = number(&mut text)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let mut pair = [String::new(), String::new()];
        for part in &mut pair {
            let length = number(&mut text)?;
            let (head, rest) =
                text.split_at_checked(length).ok_or_else(|| malformed("cut short"))?;
            *part = String::from_utf8_lossy(head).into_owned();
            text = rest;
        }
        let [name, value] = pair;
        headers.push((name.to_lowercase(), value));
    }
    Ok(headers)
}

/// A block without headers. It needs no compression: a stored block, then an empty one so that the reader
/// does not wait for more.
pub(super) fn no_headers(first: bool) -> Vec<u8> {
    let mut block = if first { vec![0x78, 0x01] } else { Vec::new() };
    block.extend(stored(&[0; 4], false));
    block.extend(stored(&[], false));
    block
}

/// A stored block of deflate (RFC 1951, 3.2.4).
pub(super) fn stored(content: &[u8], last: bool) -> Vec<u8> {
    let length = content.len() as u16;
    let mut block = vec![u8::from(last)];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    block.extend(content);
    block
}
