//! `windlass apply`

use super::connect::Connect;
use super::manifest::{Files, Manifest};
use clap::Args;
use serde_json::{Map, Value};
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{Action, ClientExt, Operation, Patch, PatchType, WriteOptions, Writer};
use windlass_core::component::BoxError;

/// Make objects as manifests say, or change them (server-side apply)
#[derive(Args)]
#[command(
    after_help = "Examples:\n  windlass apply -f app.yaml\n  windlass apply -f manifests/ --force-conflicts\n  windlass apply -f release.yaml --atomic"
)]
pub(super) struct Apply {
    #[command(flatten)]
    files: Files,
    /// Take over fields that others manage
    #[arg(long)]
    force_conflicts: bool,
    /// All of it or nothing, in one transaction (up to 256 objects; needs a Windlass server)
    #[arg(long)]
    atomic: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Apply {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let connection = self.connect.open().await?;
        let client = RemoteClient::new(connection.kube);
        let options =
            WriteOptions { force: self.force_conflicts, ..WriteOptions::manager("windlass") };
        let manifests = self.files.read(&connection.namespace)?;
        if self.atomic {
            let operations = manifests.iter().map(|manifest| self.operation(manifest));
            client.transact(operations.collect::<Result<_, _>>()?, &options).await?;
            manifests.iter().for_each(say);
            return Ok(());
        }
        for manifest in manifests {
            let body = serde_json::to_vec(&manifest.object)?.into();
            let patch = Patch { kind: PatchType::Apply, body };
            client.patch(&manifest.key, patch, &options).await?;
            say(&manifest);
        }
        Ok(())
    }

    fn operation(&self, manifest: &Manifest) -> Result<Operation, BoxError> {
        let mut object: Map<String, Value> = serde_json::from_value(manifest.object.clone())?;
        if let Some(namespace) = &manifest.key.namespace
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".into(), namespace.clone().into());
        }
        Ok(Operation { force: self.force_conflicts, ..Operation::new(Action::Apply, object) })
    }
}

fn say(manifest: &Manifest) {
    println!("{} serverside-applied", manifest.title());
}
