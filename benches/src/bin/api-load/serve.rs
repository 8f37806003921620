//! An API server for others to load: durable, over TLS, with nothing beside it that writes or watches.

use crate::target::quiet;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use windlass::standalone::{Cluster, Options as ClusterOptions};
use windlass_benches::Result;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory of the store, and of `admin.kubeconfig`
    dir: PathBuf,
    /// Port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Says `ready` and serves until SIGTERM.
pub(crate) async fn run(options: Options) -> Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    let (data_dir, listen) = (Some(options.dir), Some(options.listen));
    let cluster = Cluster::start(ClusterOptions { data_dir, listen, ..quiet() }).await?;
    println!("ready");
    end.recv().await;
    cluster.stop().await;
    Ok(())
}
