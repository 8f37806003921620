//! Opening and reading a filled store.

use crate::fill::PREFIX;
use crate::session::Session;
use crate::target::{Target, Which};
use clap::Args;
use std::time::{Duration, Instant};
use windlass_benches::Result;

/// A server has so long to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often each range is read.
const ROUNDS: usize = 21;
/// Keys on a page of a list, as Kubernetes' clients ask for them.
const PAGE: usize = 500;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// Keys of the long range
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let start = Instant::now();
    let target = options.which.open().await?;
    let mut session = answering(&target).await?;
    let opened = start.elapsed();
    let resident = options.which.process().resident()?;
    let (long, keys) = median(&mut session, options.limit).await?;
    let (page, _) = median(&mut session, PAGE).await?;
    println!(
        "open_s {:.3} rss_mib {:.0} range_keys {keys} range_keys_per_s {:.0} page_us {:.0}",
        opened.as_secs_f64(),
        resident as f64 / f64::from(1 << 20),
        keys as f64 / long.as_secs_f64(),
        page.as_secs_f64() * 1e6,
    );
    Ok(())
}

/// A session, once the store answers.
async fn answering(target: &Target) -> Result<Session> {
    let deadline = Instant::now() + PATIENCE;
    let mut session = target.session(0);
    loop {
        match session.range(PREFIX, 1).await {
            Ok(_) => return Ok(session),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// How long a range takes, and how many keys it has.
async fn median(session: &mut Session, limit: usize) -> Result<(Duration, usize)> {
    let mut times = Vec::new();
    let mut keys = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        (keys, _) = session.range(PREFIX, limit).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok((times[ROUNDS / 2], keys))
}
