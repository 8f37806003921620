//! Many keys.

use crate::target::Which;
use bytes::Bytes;
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::time::Instant;
use windlass_benches::Result;

/// Where the keys are.
pub(crate) const PREFIX: &str = "/filled/";
/// Keys of one transaction: as many as etcd takes.
const TXN: u64 = 128;
/// Transactions under way.
const AT_ONCE: usize = 16;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// How many
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let target = options.which.open().await?;
    let value = Bytes::from(vec![b'x'; options.bytes]);
    let start = Instant::now();
    let firsts = (0..options.keys).step_by(usize::try_from(TXN)?);
    let txns = firsts.enumerate().map(|(number, first)| {
        let (mut session, value) = (target.session(number), &value);
        let keys = first..options.keys.min(first + TXN);
        let keys = keys.map(|key| format!("{PREFIX}{key:012}")).collect();
        async move { session.put_all(keys, value).await }
    });
    stream::iter(txns).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let per_second = options.keys as f64 / start.elapsed().as_secs_f64();
    println!("keys {} per_s {per_second:.0}", options.keys);
    Ok(())
}
