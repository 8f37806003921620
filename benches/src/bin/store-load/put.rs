//! Puts by many clients at once.

use crate::session::Session;
use crate::target::Which;
use bytes::{BufMut, Bytes, BytesMut};
use clap::Args;
use futures::future::try_join_all;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpStream;
use windlass_benches::{Numbers, Result, report, wire};

const PATH: &str = "/etcdserverpb.KV/Put";
/// Bytes before a message.
const HEAD: usize = 5;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// Uses a whole gRPC client, as programs do, in place of one that is made to cost nothing
    #[arg(long, requires = "endpoint")]
    whole_client: bool,
    /// Clients that put at the same time
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Bytes of a value
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// Ends after so many puts…
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// …or so many seconds, whichever comes first
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// What the clients share.
struct Run {
    value: Bytes,
    numbers: Numbers,
    prefix: String,
    authority: String,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let target = options.which.open().await?;
    let process = options.which.process();
    // Keys that no earlier run put.
    let prefix = format!("/load/{}", std::process::id());
    warm_up(&mut target.session(0), &prefix).await?;
    let (cpu, start) = (process.cpu()?, Instant::now());
    let run = Arc::new(Run {
        value: vec![b'x'; options.bytes].into(),
        numbers: Numbers::new(options.count, options.seconds),
        prefix,
        authority: options.which.endpoint().unwrap_or_default().to_owned(),
    });
    let times = match options.which.endpoint() {
        Some(_) if !options.whole_client => {
            over_wire(options.which.connections(), options.clients, run).await?
        }
        _ => {
            let clients = (0..options.clients).map(|n| put(target.session(n), run.clone()));
            all(clients).await?
        }
    };
    let (passed, cpu) = (start.elapsed(), process.cpu()? - cpu);
    report("puts", times, passed, cpu);
    Ok(())
}

/// Shares the clients out to connections.
async fn over_wire(connections: usize, clients: usize, run: Arc<Run>) -> Result<Vec<u64>> {
    let connections = connections.min(clients);
    let puts = (0..connections).map(|n| {
        let share = clients / connections + usize::from(n < clients % connections);
        let run = run.clone();
        async move {
            let socket = TcpStream::connect(&run.authority).await?;
            socket.set_nodelay(true)?;
            wire::run(socket, share, &*run).await
        }
    });
    all(puts).await
}

/// Runs all at once, each as a task; what they found.
async fn all<F>(clients: impl Iterator<Item = F>) -> Result<Vec<u64>>
where
    F: Future<Output = Result<Vec<u64>>> + Send + 'static,
{
    let times = try_join_all(clients.map(tokio::spawn)).await?;
    Ok(times.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

async fn warm_up(session: &mut Session, prefix: &str) -> Result<()> {
    session.put(format!("{prefix}/first"), &Bytes::from_static(b"x")).await
}

/// Puts until there is enough; how long each took, in nanoseconds.
async fn put(mut session: Session, run: Arc<Run>) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    while let Some(key) = run.next_key() {
        let start = Instant::now();
        session.put(key, &run.value).await?;
        times.push(u64::try_from(start.elapsed().as_nanos())?);
    }
    Ok(times)
}

// === impl Run ===

impl Run {
    /// The next key to put; none when there is enough.
    fn next_key(&self) -> Option<String> {
        self.numbers.next().map(|number| format!("{}/{number:012}", self.prefix))
    }
}

impl wire::Load for Run {
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            (":method", "POST".into()),
            (":scheme", "http".into()),
            (":authority", self.authority.clone()),
            ("content-type", "application/grpc".into()),
            ("te", "trailers".into()),
        ]
    }

    fn longest(&self) -> usize {
        self.value.len() + self.prefix.len() + 32
    }

    /// A message of gRPC: `PutRequest` behind its length.
    fn next(&self, path: &mut String, body: &mut BytesMut) -> bool {
        let Some(key) = self.next_key() else { return false };
        path.push_str(PATH);
        body.put_bytes(0, HEAD);
        put_field(body, 1, key.as_bytes());
        put_field(body, 2, &self.value);
        let len = (body.len() - HEAD) as u32;
        body[1..HEAD].copy_from_slice(&len.to_be_bytes());
        true
    }

    fn take(&self, _: u32, _: bool, _: &[u8]) -> bool {
        // A refusal has no message.
        true
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
