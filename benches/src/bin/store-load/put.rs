//! Puts by many clients at once.

use crate::Result;
use crate::session::Session;
use crate::target::Which;
use crate::wire;
use bytes::Bytes;
use clap::Args;
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
pub(crate) struct Run {
    pub(crate) value: Bytes,
    count: u64,
    next: AtomicU64,
    prefix: String,
    deadline: Instant,
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
        count: options.count,
        next: AtomicU64::new(0),
        prefix,
        deadline: start + Duration::from_secs_f64(options.seconds),
    });
    let times = match options.which.endpoint() {
        Some(address) if !options.whole_client => {
            over_wire(address, options.which.connections(), options.clients, run).await?
        }
        _ => {
            let clients = (0..options.clients).map(|n| put(target.session(n), run.clone()));
            all(clients).await?
        }
    };
    let (passed, cpu) = (start.elapsed(), process.cpu()? - cpu);
    report(times, passed, cpu);
    Ok(())
}

/// Shares the clients out to connections.
async fn over_wire(
    address: &str,
    connections: usize,
    clients: usize,
    run: Arc<Run>,
) -> Result<Vec<u64>> {
    let connections = connections.min(clients);
    let puts = (0..connections).map(|n| {
        let share = clients / connections + usize::from(n < clients % connections);
        let (address, run) = (address.to_owned(), run.clone());
        async move { wire::put(&address, share, &run).await }
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
    pub(crate) fn next_key(&self) -> Option<String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let more = number < self.count && Instant::now() < self.deadline;
        more.then(|| format!("{}/{number:012}", self.prefix))
    }

    /// Enough bytes for a request.
    pub(crate) fn request_bytes(&self) -> usize {
        self.value.len() + self.prefix.len() + 32
    }
}

fn report(mut times: Vec<u64>, passed: Duration, cpu: Duration) {
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0);
    let us = |ns: u64| ns as f64 / 1e3;
    println!(
        "puts {} per_s {:.0} p50_us {:.1} p99_us {:.1} cpu_s {:.2} cpu_us {:.2}",
        times.len(),
        times.len() as f64 / passed.as_secs_f64(),
        us(at(0.5)),
        us(at(0.99)),
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / times.len() as f64,
    );
}
