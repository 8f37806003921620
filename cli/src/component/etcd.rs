//! The flags that name an etcd cluster, as kube-apiserver has them.

use std::path::PathBuf;
use std::sync::Arc;
use windlass_core::component::BoxError;
use windlass_store::{Backend, Etcd, EtcdOptions, EtcdTls};

/// An etcd cluster to keep objects in.
#[derive(clap::Args)]
pub(super) struct EtcdFlags {
    /// Keep objects in this etcd cluster [default: in the data directory]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    etcd_servers: Vec<String>,
    /// Who signs the certificates of etcd
    #[arg(long, value_name = "FILE", requires = "etcd_servers")]
    etcd_cafile: Option<PathBuf>,
    /// The certificate to show to etcd
    #[arg(long, value_name = "FILE", requires_all = ["etcd_cafile", "etcd_keyfile"])]
    etcd_certfile: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "etcd_certfile")]
    etcd_keyfile: Option<PathBuf>,
}

impl EtcdFlags {
    /// The cluster, if one is named.
    ///
    /// # Errors
    /// What is wrong with a file or an address, or that nobody answers.
    pub(super) async fn open(&self) -> Result<Option<Arc<dyn Backend>>, BoxError> {
        if self.etcd_servers.is_empty() {
            return Ok(None);
        }
        let options = EtcdOptions { tls: self.tls()?, ..EtcdOptions::new(&self.etcd_servers) };
        match Etcd::connect(options).await {
            Ok(store) => Ok(Some(Arc::new(store))),
            Err(error) => Err(format!("etcd at {}: {error}", self.etcd_servers.join(",")).into()),
        }
    }

    fn tls(&self) -> std::io::Result<Option<EtcdTls>> {
        let Some(ca) = &self.etcd_cafile else { return Ok(None) };
        let identity = self.etcd_certfile.as_deref().zip(self.etcd_keyfile.as_deref());
        EtcdTls::from_files(ca, identity).map(Some)
    }
}
