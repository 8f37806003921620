//! Copies of a store.

use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use windlass_core::component::BoxError;
use windlass_store::{Backend, Embedded, EmbeddedOptions, Etcd, EtcdOptions, EtcdTls, backup};

#[derive(Args)]
pub(super) struct Snapshot {
    /// The file to save to
    file: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Authority of the server's certificate (PEM)
    #[arg(long, requires = "endpoint", value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Certificate to show to the server (PEM)
    #[arg(long, requires_all = ["cacert", "key"], value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, requires = "cert", value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// A directory that no one has open
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A server that runs (this one or an etcd)
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

#[derive(Args)]
pub(super) struct Restore {
    /// The copy
    file: PathBuf,
    /// The directory to make; it may be there, but empty
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

// === impl Snapshot ===

impl Snapshot {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let store = self.store().await?;
        let saved = backup::save(&*store, &self.file).await?;
        let (file, bytes) = (self.file.display(), saved.bytes);
        println!("Saved revision {} to {file} ({bytes} bytes)", saved.revision);
        Ok(())
    }

    async fn store(&self) -> Result<Arc<dyn Backend>, BoxError> {
        if let Some(endpoint) = &self.source.endpoint {
            let mut options = EtcdOptions::new([endpoint.clone()]);
            if let Some(ca) = &self.cacert {
                let identity = self.cert.as_deref().zip(self.key.as_deref());
                options.tls = Some(EtcdTls::from_files(ca, identity)?);
            }
            return Ok(Arc::new(Etcd::connect(options).await?));
        }
        let dir = self.source.data_dir.clone().ok_or("one of --data-dir and --endpoint")?;
        if !dir.is_dir() {
            return Err(format!("{}: there is no such directory", dir.display()).into());
        }
        if !Embedded::is_in(&dir)? {
            return Err(format!("{}: there is no store in this directory", dir.display()).into());
        }
        let open = move || Embedded::open(EmbeddedOptions::new(dir));
        Ok(Arc::new(tokio::task::spawn_blocking(open).await??))
    }
}

// === impl Restore ===

impl Restore {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let (from, to) = (self.file.clone(), self.data_dir.clone());
        let restored = tokio::task::spawn_blocking(move || backup::restore(&from, &to)).await??;
        println!("Restored revision {restored} to {}", self.data_dir.display());
        Ok(())
    }
}
