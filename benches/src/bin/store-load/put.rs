//! Puts by many clients at once.

use crate::Result;
use crate::session::Session;
use crate::target::Which;
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
    let clients = (0..options.clients).map(|n| tokio::spawn(put(target.session(n), run.clone())));
    let mut times = Vec::new();
    for client in try_join_all(clients).await? {
        times.extend(client?);
    }
    let (passed, cpu) = (start.elapsed(), process.cpu()? - cpu);
    report(times, passed, cpu);
    Ok(())
}

async fn warm_up(session: &mut Session, prefix: &str) -> Result<()> {
    session.put(format!("{prefix}/first"), &Bytes::from_static(b"x")).await
}

/// Puts until there is enough; how long each took, in nanoseconds.
async fn put(mut session: Session, run: Arc<Run>) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    let mut before = Instant::now();
    while before < run.deadline {
        let number = run.next.fetch_add(1, Ordering::Relaxed);
        if number >= run.count {
            break;
        }
        session.put(format!("{}/{number:012}", run.prefix), &run.value).await?;
        let after = Instant::now();
        times.push(u64::try_from((after - before).as_nanos())?);
        before = after;
    }
    Ok(times)
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
