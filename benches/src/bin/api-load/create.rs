//! Creates by many clients at once.

use crate::requests::{Amount, What, run as ask};
use crate::target::Which;
use windlass_benches::Result;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    amount: Amount,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    ask(options.which.open().await?, &options.amount, What::Create).await
}
