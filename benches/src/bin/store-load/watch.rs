//! One prefix, many watchers.

use crate::session::{Events, Session};
use crate::target::Which;
use bytes::Bytes;
use clap::Args;
use futures::StreamExt;
use futures::future::try_join_all;
use std::time::{Duration, Instant};
use windlass_benches::{Result, at_rate};

/// Watchers that see nothing for so long will see nothing more.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// Watchers of the one prefix
    #[arg(long, default_value_t = 1000)]
    watchers: usize,
    /// Commits, each of one key
    #[arg(long, default_value_t = 20_000)]
    commits: u64,
    /// Commits a second; 0: as many as go
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let target = options.which.open().await?;
    let process = options.which.process();
    let value = Bytes::from(vec![b'x'; options.bytes]);
    let prefix = format!("/watched/{}/", std::process::id());
    let mut watchers = Vec::new();
    for number in 0..options.watchers {
        let events = target.session(number).watch(&prefix, &value).await?;
        watchers.push(tokio::spawn(see(events, options.commits)));
    }
    let (cpu, start) = (process.cpu()?, Instant::now());
    commit(&target.session(0), &options, &prefix, &value).await?;
    let committed = start.elapsed();
    for watcher in try_join_all(watchers).await? {
        watcher?;
    }
    let (delivered, cpu) = (start.elapsed(), process.cpu()? - cpu);
    let events = options.commits * options.watchers as u64;
    println!(
        "events {events} commits_per_s {:.0} events_per_s {:.0} cpu_s {:.2} cpu_ns_event {:.0}",
        options.commits as f64 / committed.as_secs_f64(),
        events as f64 / delivered.as_secs_f64(),
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e9 / events as f64,
    );
    Ok(())
}

/// Ends well when the watcher got so many events, each once, in order.
async fn see(mut events: Events, mut left: u64) -> Result<()> {
    let mut last = 0;
    while left > 0 {
        let next = tokio::time::timeout(PATIENCE, events.next()).await?;
        for revision in next.ok_or("the watch ended")?? {
            if revision <= last {
                return Err(format!("revision {revision} came after {last}").into());
            }
            last = revision;
            left = left.checked_sub(1).ok_or("more events than commits")?;
        }
    }
    Ok(())
}

async fn commit(session: &Session, options: &Options, prefix: &str, value: &Bytes) -> Result<()> {
    at_rate(options.commits, options.rate, |number| {
        let mut session = session.clone();
        async move { session.put(format!("{prefix}{number:08}"), value).await }
    })
    .await
}
