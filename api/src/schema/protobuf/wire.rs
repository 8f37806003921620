//! Tags, varints and lengths.

use super::DecodeError;

/// Writes from the end to the start, so that a length is known when it is written.
#[derive(Default)]
pub(crate) struct Writer {
    /// The bytes stand at the end.
    buffer: Vec<u8>,
    head: usize,
}

/// Reads fields one after the other.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The value of a field as the wire has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WireValue<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

// === impl Writer ===

impl Writer {
    /// With room for so many bytes.
    pub(crate) fn with_room(room: usize) -> Self {
        Self { buffer: vec![0; room], head: room }
    }

    /// How much was written.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.head
    }

    /// What was written, without the room that was left: it is kept for long.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        if self.head == 0 { self.buffer } else { self.buffer[self.head..].to_vec() }
    }

    /// A number, before what was written so far.
    pub(crate) fn varint(&mut self, field: u32, value: u64) {
        self.raw_varint(value);
        self.tag(field, 0);
    }

    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.prepend(&value.to_le_bytes());
        self.tag(field, 1);
    }

    pub(crate) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.prepend(bytes);
        self.close(field, self.len() - bytes.len());
    }

    /// Makes what was written since `before` (a [`Writer::len`]) the value of a field.
    pub(crate) fn close(&mut self, field: u32, before: usize) {
        self.prefix(field, self.len() - before);
    }

    /// What stands before a value of a length.
    pub(crate) fn prefix(&mut self, field: u32, length: usize) {
        self.raw_varint(length as u64);
        self.tag(field, 2);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.raw_varint(u64::from(field << 3 | wire_type));
    }

    fn raw_varint(&mut self, mut value: u64) {
        let mut bytes = [0; 10];
        let mut length = 0;
        loop {
            let more = value > 0x7f;
            bytes[length] = (value & 0x7f) as u8 | u8::from(more) << 7;
            length += 1;
            value >>= 7;
            if !more {
                return self.prepend(&bytes[..length]);
            }
        }
    }

    fn prepend(&mut self, bytes: &[u8]) {
        if self.head < bytes.len() {
            let room = (self.buffer.len() + bytes.len()).max(256);
            let mut larger = vec![0; room + self.len()];
            larger[room..].copy_from_slice(&self.buffer[self.head..]);
            self.buffer = larger;
            self.head = room;
        }
        self.head -= bytes.len();
        self.buffer[self.head..self.head + bytes.len()].copy_from_slice(bytes);
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field: its number and its value.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, WireValue<'a>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0);
        let number =
            number.ok_or_else(|| DecodeError::Malformed(format!("illegal tag {}", tag >> 3)))?;
        let value = match tag & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => WireValue::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
                WireValue::Bytes(self.take(length)?)
            }
            5 => WireValue::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(DecodeError::Malformed(format!("illegal wireType {other}"))),
        };
        Ok(Some((number, value)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A bare number, as packed lists have them.
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed("integer overflow".to_owned()))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

// === impl WireValue ===

impl<'a> WireValue<'a> {
    pub(crate) fn as_bytes(self) -> Result<&'a [u8], DecodeError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(DecodeError::Malformed(format!(
                "wrong wireType for a length-delimited field: {other:?}"
            ))),
        }
    }

    pub(crate) fn as_str(self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.as_bytes()?)
            .map_err(|error| DecodeError::Malformed(error.to_string()))
    }

    pub(crate) fn as_varint(self) -> Result<u64, DecodeError> {
        match self {
            Self::Varint(value) => Ok(value),
            other => Err(DecodeError::Malformed(format!("wrong wireType for a number: {other:?}"))),
        }
    }
}
