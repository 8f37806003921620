//! A client of HTTP/2 (RFC 9113) that costs next to nothing, so that on a small machine the server is measured and not
//! its client: requests are written by hand, all that is due in one write, and of answers only the body is looked at.

#[cfg(feature = "over-tls")]
mod server;

#[cfg(feature = "over-tls")]
pub use server::Server;

use crate::Result;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::HashMap;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head.
const HEAD: usize = 9;
/// Longest frame that a server takes unasked.
const LONGEST: usize = 16_384;
/// Bytes that may be on the way to one that has not said more.
const WINDOW: u32 = 65_535;
const MOST: u32 = (1 << 31) - 1;
/// The server is told that so many bytes arrived.
const TOLD: usize = 1 << 24;

// Types of frames, their flags, and a setting.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// What clients ask, and what they make of the answers.
pub trait Load: Send + Sync {
    /// The header fields that all requests have, but for `:path`: pseudo fields first, names in lower case.
    fn fields(&self) -> Vec<(&'static str, String)>;

    /// Bytes of the longest body.
    fn longest(&self) -> usize;

    /// Writes the next request; false when there are enough.
    fn next(&self, path: &mut String, body: &mut BytesMut) -> bool;

    /// Looks at a piece of the body of an answer to `stream`, the first or a later one; false when it is not what was
    /// asked for.
    fn take(&self, stream: u32, first: bool, piece: &[u8]) -> bool;

    /// Whether answers that are still to come are not waited for.
    fn enough(&self) -> bool {
        false
    }
}

/// The header fields of requests that send and want JSON.
#[must_use]
pub fn json_fields(method: &str, authority: &str, agent: &str) -> Vec<(&'static str, String)> {
    let json = "application/json";
    let own = [(":method", method), (":scheme", "https"), (":authority", authority)];
    let usual = [("content-type", json), ("accept", json), ("user-agent", agent)];
    own.into_iter().chain(usual).map(|(name, value)| (name, value.to_owned())).collect()
}

/// One connection and its clients, each of which asks one thing after the other.
struct Connection<'a> {
    load: &'a dyn Load,
    fields: Vec<(&'static str, String)>,
    out: BytesMut,
    /// How many bytes the server takes now.
    window: u64,
    /// How many bytes came that the server was not told of.
    arrived: usize,
    next_stream: u32,
    waiting: HashMap<u32, Waiting>,
    /// Clients that have nothing on the way.
    idle: usize,
    times: Vec<u64>,
    path: String,
    body: BytesMut,
}

/// A request without an answer.
struct Waiting {
    since: Instant,
    answered: bool,
}

/// Asks until there is enough, by so many clients on one connection; how long each took, in nanoseconds.
///
/// # Errors
/// When the server hangs up or gives an answer that was not asked for.
pub async fn run<S>(mut socket: S, clients: usize, load: &dyn Load) -> Result<Vec<u64>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection::new(clients, load);
    let mut input = BytesMut::with_capacity(256 << 10);
    loop {
        connection.send_due()?;
        if !connection.out.is_empty() {
            socket.write_all_buf(&mut connection.out).await?;
            socket.flush().await?;
        }
        if connection.waiting.is_empty() || load.enough() {
            return Ok(connection.times);
        }
        if socket.read_buf(&mut input).await? == 0 {
            return Err("the server hung up".into());
        }
        while let Some((kind, flags, stream, payload)) = take_frame(&mut input) {
            connection.receive(kind, flags, stream, &payload)?;
        }
        input.reserve(64 << 10);
    }
}

fn take_frame(input: &mut BytesMut) -> Option<(u8, u8, u32, Bytes)> {
    let head = input.first_chunk::<HEAD>()?;
    let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    if input.len() < HEAD + len {
        return None;
    }
    let mut frame = input.split_to(HEAD + len).freeze();
    frame.advance(3);
    Some((frame.get_u8(), frame.get_u8(), frame.get_u32() & MOST, frame))
}

// === impl Connection ===

impl<'a> Connection<'a> {
    fn new(clients: usize, load: &'a dyn Load) -> Self {
        let mut this = Self {
            load,
            fields: load.fields(),
            out: BytesMut::from(PREFACE),
            window: WINDOW.into(),
            arrived: 0,
            next_stream: 1,
            waiting: HashMap::new(),
            idle: clients,
            times: Vec::new(),
            path: String::new(),
            body: BytesMut::new(),
        };
        // Answers need no permission.
        let mut settings = BytesMut::new();
        settings.put_u16(INITIAL_WINDOW_SIZE);
        settings.put_u32(MOST);
        this.frame(SETTINGS, 0, 0, &settings);
        this.frame(WINDOW_UPDATE, 0, 0, &(MOST - WINDOW).to_be_bytes());
        this
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.out.put_uint(payload.len() as u64, 3);
        self.out.put_u8(kind);
        self.out.put_u8(flags);
        self.out.put_u32(stream);
        self.out.put_slice(payload);
    }

    /// Asks for each idle client that has something to ask and room on the way.
    fn send_due(&mut self) -> Result<()> {
        let longest = self.load.longest();
        if longest > LONGEST {
            return Err("bodies of this size do not fit in one frame".into());
        }
        while self.idle > 0 && self.window >= longest as u64 {
            self.path.clear();
            self.body.clear();
            if !self.load.next(&mut self.path, &mut self.body) {
                break;
            }
            self.send();
            self.idle -= 1;
        }
        Ok(())
    }

    fn send(&mut self) {
        let stream = self.next_stream;
        self.next_stream += 2;
        let block = self.block(stream == 1);
        let body = std::mem::take(&mut self.body);
        if body.is_empty() {
            self.frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        } else {
            self.frame(HEADERS, END_HEADERS, stream, &block);
            self.frame(DATA, END_STREAM, stream, &body);
        }
        self.window -= body.len() as u64;
        self.body = body;
        self.waiting.insert(stream, Waiting { since: Instant::now(), answered: false });
    }

    /// The header block (RFC 7541). The first of a connection enters what the others refer to.
    fn block(&self, first: bool) -> Vec<u8> {
        let fields = &self.fields;
        let mut block = Vec::new();
        let (pseudo, regular): (Vec<_>, Vec<_>) =
            fields.iter().enumerate().partition(|(_, (name, _))| name.starts_with(':'));
        let one = |block: &mut Vec<u8>, (at, (name, value)): (usize, &(&str, String))| {
            if first {
                block.push(0x40);
                put_text(block, name);
                put_text(block, value);
            } else {
                // The newest entry is number 62.
                block.push(0x80 | (61 + fields.len() - at) as u8);
            }
        };
        pseudo.into_iter().for_each(|field| one(&mut block, field));
        block.push(4);
        put_text(&mut block, &self.path);
        regular.into_iter().for_each(|field| one(&mut block, field));
        block
    }

    fn receive(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<()> {
        match kind {
            DATA => {
                let waiting = self.waiting.get_mut(&stream).ok_or("an answer to nothing")?;
                if !payload.is_empty() {
                    let first = !std::mem::replace(&mut waiting.answered, true);
                    if !self.load.take(stream, first, payload) {
                        let text = String::from_utf8_lossy(payload);
                        return Err(format!("the server refused: {text}").into());
                    }
                    self.tell(payload.len());
                }
                if flags & END_STREAM != 0 {
                    self.answered(stream)?;
                }
            }
            HEADERS if flags & END_STREAM != 0 => self.answered(stream)?,
            SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => self.frame(PING, ACK, 0, payload),
            WINDOW_UPDATE if stream == 0 => {
                let more = payload.first_chunk().ok_or("a frame is too short")?;
                self.window += u64::from(u32::from_be_bytes(*more));
            }
            RST_STREAM | GOAWAY => return Err(format!("the server gave up: {payload:?}").into()),
            _ => {}
        }
        Ok(())
    }

    /// Lets the server send as much again.
    fn tell(&mut self, len: usize) {
        self.arrived += len;
        if self.arrived >= TOLD {
            let arrived = std::mem::take(&mut self.arrived) as u32;
            self.frame(WINDOW_UPDATE, 0, 0, &arrived.to_be_bytes());
        }
    }

    /// The end of an answer. A refusal over gRPC is an end without a message before it.
    fn answered(&mut self, stream: u32) -> Result<()> {
        let waiting = self.waiting.remove(&stream).ok_or("an answer to nothing")?;
        if !waiting.answered {
            return Err("the server gave no answer".into());
        }
        self.times.push(u64::try_from(waiting.since.elapsed().as_nanos())?);
        self.idle += 1;
        Ok(())
    }
}

/// A text without compression, its length before it.
fn put_text(block: &mut Vec<u8>, text: &str) {
    const PREFIX: usize = 127;
    let mut rest = text.len();
    if rest < PREFIX {
        block.push(rest as u8);
    } else {
        block.push(PREFIX as u8);
        rest -= PREFIX;
        while rest >= 0x80 {
            block.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text.as_bytes());
}
