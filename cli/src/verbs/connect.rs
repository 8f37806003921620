//! Where the cluster is: the options all client verbs share.

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::PathBuf;
use windlass_core::component::BoxError;

/// Which cluster and namespace.
#[derive(Args)]
pub(super) struct Connect {
    /// Kubeconfig file [default: $KUBECONFIG, then ~/.kube/config, then /var/lib/windlass/admin.kubeconfig]
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// Namespace [default: the kubeconfig's, then `default`]
    #[arg(short, long, global = true)]
    namespace: Option<String>,
}

/// A way into a cluster.
pub(super) struct Connection {
    pub(super) kube: kube::Client,
    pub(super) namespace: String,
}

impl Connect {
    pub(super) async fn open(&self) -> Result<Connection, BoxError> {
        let options = KubeConfigOptions::default();
        let config = match self.file() {
            Some(path) => {
                let file = Kubeconfig::read_from(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                kube::Config::from_custom_kubeconfig(file, &options).await?
            }
            None => kube::Config::from_kubeconfig(&options).await.map_err(|error| {
                format!("no cluster: {error}. Start one with `windlass up`, or name a kubeconfig")
            })?,
        };
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Connection { kube: kube::Client::try_from(config)?, namespace })
    }

    fn file(&self) -> Option<PathBuf> {
        let local = PathBuf::from(crate::standalone::DATA_DIR).join("admin.kubeconfig");
        let home = || std::env::home_dir().is_some_and(|home| home.join(".kube/config").exists());
        let given = std::env::var_os("KUBECONFIG").is_some() || home();
        self.kubeconfig.clone().or_else(|| Some(local).filter(|local| !given && local.exists()))
    }
}

/// What the server said, in its own words.
pub(super) fn plain(error: kube::Error) -> BoxError {
    match error {
        kube::Error::Api(status) => status.message.clone().into(),
        other => other.into(),
    }
}
