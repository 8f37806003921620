//! The server of `windlass-store`, with a store that syncs, without the control plane's crates to build.

use crate::Result;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use windlass_store::server::EtcdServer;
use windlass_store::{Embedded, EmbeddedOptions};

#[derive(Args)]
pub(crate) struct Options {
    /// Where the store is
    #[arg(long)]
    data_dir: PathBuf,
    /// ADDRESS:PORT for clients, without TLS
    #[arg(long)]
    listen_client: String,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let store = Arc::new(Embedded::open(EmbeddedOptions::new(options.data_dir))?);
    let listener = TcpListener::bind(&options.listen_client).await?;
    let mut end = signal(SignalKind::terminate())?;
    let ended = async {
        end.recv().await;
    };
    EtcdServer::new(store.clone()).serve(listener, None, ended).await?;
    Ok(store.close().await?)
}
