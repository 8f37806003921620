//! Finds where the last lines of a log begin, reading from its end.

use super::Line;
use std::io;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

const BLOCK: u64 = 64 * 1024;

/// The offset at which the last `lines` lines of output begin.
pub(super) async fn start(file: &mut File, lines: u64) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0)).await?;
    let (mut from, mut bytes) = (end, Vec::new());
    loop {
        let more = from.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(from - more).unwrap_or_default()];
        file.seek(SeekFrom::Start(more)).await?;
        file.read_exact(&mut block).await?;
        block.append(&mut bytes);
        (bytes, from) = (block, more);
        if let Some(offset) = offset_of_last(&bytes, lines, from == 0) {
            return Ok(from + offset);
        }
    }
}

/// Where in `bytes` the last lines begin; `None` when more must be read before it can be told. `whole`: nothing is
/// before `bytes`.
fn offset_of_last(bytes: &[u8], lines: u64, whole: bool) -> Option<u64> {
    let mut end = bytes.len();
    let mut found = 0;
    // The last line that is not yet complete is none.
    while let Some(newline) = bytes[..end].iter().rposition(|byte| *byte == b'\n') {
        let begin = bytes[..newline].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        if begin.is_none() && !whole {
            return None;
        }
        let line = Line::parse(&bytes[begin.unwrap_or(0)..=newline]);
        if line.is_none_or(|line| line.is_full()) {
            if found == lines {
                return u64::try_from(newline + 1).ok();
            }
            found += 1;
        }
        end = begin.unwrap_or(0);
    }
    whole.then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found() {
        let log = b"t stdout F one\nt stdout P tw\nt stdout F o\nt stdout F three\n";
        let tail = |lines| {
            let at = offset_of_last(log, lines, true).expect("whole") as usize;
            log[at..].split_inclusive(|b| *b == b'\n').count()
        };
        assert_eq!([tail(0), tail(1), tail(2), tail(3), tail(9)], [0, 1, 3, 4, 4]);
        assert_eq!(offset_of_last(&log[20..], 9, false), None);
    }
}
