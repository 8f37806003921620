//! Reads of single objects by many clients at once.

use crate::requests::{Amount, What, key, name, run as ask};
use crate::target::Which;
use windlass_benches::{Result, at_rate, config_map};
use windlass_core::client::WriteOptions;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    amount: Amount,
    /// Objects that are there
    #[arg(long, default_value_t = 1000)]
    objects: u64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let target = options.which.open().await?;
    let write = WriteOptions::default();
    at_rate(options.objects, 0, |number| {
        let (client, name, write) = (&target.client, name(number), &write);
        async move {
            client.create(&key(&name), config_map(&name), write).await?;
            Ok(())
        }
    })
    .await?;
    ask(target, &options.amount, What::Get(options.objects)).await
}
