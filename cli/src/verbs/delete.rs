//! `windlass delete`

use super::connect::Connect;
use super::manifest::{self, Files};
use clap::Args;
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{DeleteOptions, Key, Propagation, Writer};
use windlass_core::component::BoxError;

/// Delete objects by name, or those of manifests
#[derive(Args)]
#[command(
    override_usage = "windlass delete [OPTIONS] <RESOURCE> <NAME>...\n       windlass delete [OPTIONS] -f <FILENAME>",
    after_help = "Examples:\n  windlass delete pod web-1 web-2\n  windlass delete -f app.yaml"
)]
pub(super) struct Delete {
    /// The resource, then the names
    #[arg(num_args = 2.., conflicts_with = "filename", required_unless_present = "filename")]
    objects: Vec<String>,
    #[command(flatten)]
    files: Option<Files>,
    #[command(flatten)]
    connect: Connect,
}

impl Delete {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let connection = self.connect.open().await?;
        let client = RemoteClient::new(connection.kube);
        let propagation_policy = Some(Propagation::Background);
        let options = DeleteOptions { propagation_policy, ..DeleteOptions::default() };
        for (title, key) in targets(&self.objects, self.files.as_ref(), &connection.namespace)? {
            client.delete(&key, &options).await?;
            println!("{title} deleted");
        }
        Ok(())
    }
}

fn targets(
    objects: &[String],
    files: Option<&Files>,
    namespace: &str,
) -> Result<Vec<(String, Key)>, BoxError> {
    if let Some(files) = files {
        let manifests = files.read(namespace)?;
        return Ok(manifests.into_iter().map(|m| (m.title(), m.key)).collect());
    }
    let (word, names) = objects.split_first().ok_or("name a resource and its objects")?;
    names
        .iter()
        .map(|name| Ok((format!("{word}/{name}"), manifest::key(word, name, namespace)?)))
        .collect()
}
