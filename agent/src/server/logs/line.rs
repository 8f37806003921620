//! One line of a log file: `<RFC 3339 time> stdout|stderr F|P <text>`.

use jiff::Timestamp;

/// A whole line of the file, its newline included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    time: &'a [u8],
    /// `F`: the text ends a line of output; `P`: it goes on in the next.
    full: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line; `None` when it is cut short or has another format.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\n")?;
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (time, _stream, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let text = parts.next().unwrap_or_default();
        let full = tag.split(|byte| *byte == b':').next()? == b"F";
        Some(Self { time, full, text })
    }

    /// When it was written.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        std::str::from_utf8(self.time).ok()?.parse().ok()
    }

    /// Whether it ends a line of output.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The output, with its newline if it has one.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = self.text.to_vec();
        content.extend(self.full.then_some(b'\n'));
        content
    }

    /// The same with the time before it.
    pub(crate) fn with_time(&self) -> Vec<u8> {
        [self.time, b" ", &self.content()].concat()
    }
}
