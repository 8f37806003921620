//! Frames on the wire.

use super::headers::{Headers, Inflater};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const VERSION: u16 = 3;
/// A longer frame is refused.
const LIMIT: usize = 1 << 20;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;

const FIN: u8 = 1;

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Open {
        id: u32,
        headers: Headers,
        fin: bool,
    },
    Data {
        id: u32,
        data: Bytes,
        fin: bool,
    },
    Reset {
        id: u32,
    },
    Ping {
        id: u32,
    },
    GoAway,
    /// Settings, windows, headers that come later: nothing to do.
    Other,
}

/// What a client is sent.
#[derive(Debug)]
pub(super) enum Outgoing {
    Reply { id: u32 },
    Data { id: u32, data: Bytes, fin: bool },
    Reset { id: u32 },
    Ping { id: u32 },
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed SPDY frame: {what}"))
}

/// Reads a frame; `None` at the end of the connection.
pub(super) async fn read(
    from: &mut (impl AsyncRead + Unpin),
    inflater: &mut Inflater,
) -> io::Result<Option<Incoming>> {
    let mut head = [0; 8];
    match from.read_exact(&mut head).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let flags = head[4];
    let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
    if length > LIMIT {
        return Err(malformed("too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    let fin = flags & FIN != 0;
    if word >> 31 == 0 {
        return Ok(Some(Incoming::Data { id: word, data: body.into(), fin }));
    }
    control((word & 0xffff) as u16, fin, body.into(), inflater).map(Some)
}

fn control(kind: u16, fin: bool, mut body: Bytes, inflater: &mut Inflater) -> io::Result<Incoming> {
    let number = |body: &mut Bytes| match body.remaining() {
        0..4 => Err(malformed("too short")),
        _ => Ok(body.get_u32() & 0x7fff_ffff),
    };
    Ok(match kind {
        SYN_STREAM => {
            let id = number(&mut body)?;
            number(&mut body)?;
            // Priority and slot.
            if body.remaining() < 2 {
                return Err(malformed("too short"));
            }
            body.advance(2);
            Incoming::Open { id, headers: inflater.headers(&body)?, fin }
        }
        SYN_REPLY | HEADERS => {
            // Its block belongs to the one compressed stream of all headers.
            number(&mut body)?;
            inflater.headers(&body)?;
            Incoming::Other
        }
        RST_STREAM => Incoming::Reset { id: number(&mut body)? },
        PING => Incoming::Ping { id: number(&mut body)? },
        GOAWAY => Incoming::GoAway,
        _ => Incoming::Other,
    })
}

/// A frame as bytes. `first` until the first block of headers is written.
pub(super) fn encode(frame: &Outgoing, first: &mut bool) -> Bytes {
    match frame {
        Outgoing::Data { id, data, fin } => {
            let mut out = BytesMut::with_capacity(8 + data.len());
            out.put_u32(*id);
            out.put_u32(u32::from(u8::from(*fin)) << 24 | data.len() as u32);
            out.put_slice(data);
            out.freeze()
        }
        Outgoing::Reply { id } => {
            let block = super::headers::no_headers(std::mem::replace(first, false));
            control_frame(SYN_REPLY, &[&id.to_be_bytes(), &block])
        }
        // 5: CANCEL.
        Outgoing::Reset { id } => {
            control_frame(RST_STREAM, &[&id.to_be_bytes(), &5_u32.to_be_bytes()])
        }
        Outgoing::Ping { id } => control_frame(PING, &[&id.to_be_bytes()]),
    }
}

fn control_frame(kind: u16, parts: &[&[u8]]) -> Bytes {
    let body = parts.concat();
    let mut out = BytesMut::with_capacity(8 + body.len());
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind);
    out.put_u32(body.len() as u32);
    out.put_slice(&body);
    out.freeze()
}
