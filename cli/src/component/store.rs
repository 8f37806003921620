//! `windlass-store`

mod backup;
mod serve;

use clap::{Parser, Subcommand};
use windlass_core::component::BoxError;

/// The store, for clients of etcd v3
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  windlass-store --data-dir ./store
  ETCDCTL_API=3 etcdctl --endpoints 127.0.0.1:2379 put color blue
  windlass-store snapshot ./store.snap --endpoint http://127.0.0.1:2379
  windlass-store restore ./store.snap --data-dir ./restored"
)]
pub struct Store {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    serve: Option<serve::Serve>,
}

#[derive(Subcommand)]
enum Verb {
    /// Save a copy of the whole store, of one that runs or of a directory that no one has open
    Snapshot(backup::Snapshot),
    /// Make a data directory from a copy, also from one that `etcdctl snapshot save` made here
    Restore(backup::Restore),
}

// === impl Store ===

impl Store {
    /// Serves until SIGTERM or Ctrl-C, or does what the subcommand says.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        match (self.verb, self.serve) {
            (Some(Verb::Snapshot(snapshot)), _) => snapshot.run().await,
            (Some(Verb::Restore(restore)), _) => restore.run().await,
            (None, Some(serve)) => serve.run().await,
            (None, None) => Err("--data-dir is required: where the store is kept".into()),
        }
    }
}
