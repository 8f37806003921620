//! Puts over gRPC by a client that costs next to nothing, so that on a small machine the server is measured and not its
//! client: HTTP/2 (RFC 9113) with requests written by hand, all that is due in one write.

use crate::Result;
use crate::put::Run;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::HashMap;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PATH: &str = "/etcdserverpb.KV/Put";
/// Bytes of a frame's head.
const HEAD: usize = 9;
/// Longest frame that a server takes unasked.
const LONGEST: usize = 16_384;
/// Bytes that may be on the way to a server that has not said more.
const WINDOW: u32 = 65_535;
const MOST: u32 = (1 << 31) - 1;

// Types of frames, and their flags.
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

/// One connection and its clients, each of which puts one key after the other.
struct Connection<'a> {
    run: &'a Run,
    authority: String,
    out: BytesMut,
    /// How many bytes the server takes now.
    window: u64,
    next_stream: u32,
    waiting: HashMap<u32, Waiting>,
    /// Clients that have nothing on the way.
    idle: usize,
    times: Vec<u64>,
}

/// A request without an answer.
struct Waiting {
    since: Instant,
    answered: bool,
}

/// Puts until there is enough, by so many clients on one connection; how long each took, in nanoseconds.
pub(crate) async fn put(address: &str, clients: usize, run: &Run) -> Result<Vec<u64>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut connection = Connection::new(address, clients, run);
    let mut input = BytesMut::new();
    loop {
        connection.send_due()?;
        if !connection.out.is_empty() {
            socket.write_all_buf(&mut connection.out).await?;
        }
        if connection.waiting.is_empty() {
            return Ok(connection.times);
        }
        if socket.read_buf(&mut input).await? == 0 {
            return Err("the server hung up".into());
        }
        while let Some((kind, flags, stream, payload)) = take_frame(&mut input) {
            connection.receive(kind, flags, stream, &payload)?;
        }
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
    fn new(authority: &str, clients: usize, run: &'a Run) -> Self {
        let mut this = Self {
            run,
            authority: authority.into(),
            out: BytesMut::from(PREFACE),
            window: WINDOW.into(),
            next_stream: 1,
            waiting: HashMap::new(),
            idle: clients,
            times: Vec::new(),
        };
        this.frame(SETTINGS, 0, 0, &[]);
        // Answers need no permission.
        this.frame(WINDOW_UPDATE, 0, 0, &(MOST - WINDOW).to_be_bytes());
        this
    }

    fn head(&mut self, len: usize, kind: u8, flags: u8, stream: u32) {
        self.out.put_uint(len as u64, 3);
        self.out.put_u8(kind);
        self.out.put_u8(flags);
        self.out.put_u32(stream);
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.head(payload.len(), kind, flags, stream);
        self.out.put_slice(payload);
    }

    /// Begins a put for each idle client that has one to do and room on the way.
    fn send_due(&mut self) -> Result<()> {
        let request = self.run.request_bytes();
        if request > LONGEST {
            return Err("values of this size do not fit in one frame".into());
        }
        while self.idle > 0 && self.window >= request as u64 {
            let Some(key) = self.run.next_key() else { break };
            self.send(&key);
            self.idle -= 1;
        }
        Ok(())
    }

    fn send(&mut self, key: &str) {
        let stream = self.next_stream;
        self.next_stream += 2;
        let headers = self.headers(stream == 1);
        self.frame(HEADERS, END_HEADERS, stream, &headers);
        let mut message = BytesMut::new();
        put_field(&mut message, 1, key.as_bytes());
        put_field(&mut message, 2, &self.run.value);
        self.head(5 + message.len(), DATA, END_STREAM, stream);
        self.out.put_u8(0);
        self.out.put_u32(message.len() as u32);
        self.out.put_slice(&message);
        self.window -= 5 + message.len() as u64;
        self.waiting.insert(stream, Waiting { since: Instant::now(), answered: false });
    }

    /// The header block (RFC 7541). The first of a connection enters what the others refer to.
    fn headers(&self, first: bool) -> Vec<u8> {
        // :method POST, :scheme http.
        let mut block = vec![0x83, 0x86];
        if !first {
            block.extend([0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]);
            return block;
        }
        let mut enter = |name: &[u8], value: &str| {
            block.extend_from_slice(name);
            block.push(value.len() as u8);
            block.extend_from_slice(value.as_bytes());
        };
        enter(&[0x40 | 4], PATH);
        enter(&[0x40 | 1], &self.authority);
        enter(&[0x40 | 31], "application/grpc");
        enter(&[0x40, 2, b't', b'e'], "trailers");
        block
    }

    fn receive(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<()> {
        match kind {
            DATA => {
                let waiting = self.waiting.get_mut(&stream).ok_or("an answer to nothing")?;
                waiting.answered = true;
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

    /// The end of an answer. A refusal is an end without a message before it.
    fn answered(&mut self, stream: u32) -> Result<()> {
        let waiting = self.waiting.remove(&stream).ok_or("an answer to nothing")?;
        if !waiting.answered {
            return Err("the server refused a put".into());
        }
        self.times.push(u64::try_from(waiting.since.elapsed().as_nanos())?);
        self.idle += 1;
        Ok(())
    }
}

/// A field of bytes of a protobuf message.
fn put_field(message: &mut BytesMut, number: u8, bytes: &[u8]) {
    message.put_u8(number << 3 | 2);
    let mut len = bytes.len();
    while len >= 0x80 {
        message.put_u8(len as u8 | 0x80);
        len >>= 7;
    }
    message.put_u8(len as u8);
    message.put_slice(bytes);
}
