//! `windlass apply`

use super::connect::Connect;
use super::manifest::Files;
use clap::Args;
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{Patch, PatchType, WriteOptions, Writer};
use windlass_core::component::BoxError;

/// Make objects as manifests say, or change them (server-side apply)
#[derive(Args)]
#[command(
    after_help = "Examples:\n  windlass apply -f app.yaml\n  windlass apply -f manifests/ --force-conflicts"
)]
pub(super) struct Apply {
    #[command(flatten)]
    files: Files,
    /// Take over fields that others manage
    #[arg(long)]
    force_conflicts: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Apply {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let connection = self.connect.open().await?;
        let client = RemoteClient::new(connection.kube);
        let options =
            WriteOptions { force: self.force_conflicts, ..WriteOptions::manager("windlass") };
        for manifest in self.files.read(&connection.namespace)? {
            let body = serde_json::to_vec(&manifest.object)?.into();
            let patch = Patch { kind: PatchType::Apply, body };
            client.patch(&manifest.key, patch, &options).await?;
            println!("{} serverside-applied", manifest.title());
        }
        Ok(())
    }
}
