//! What runs a node's containers, and keeps its images.

use crate::standalone::{Error, RuntimeKind, RuntimeOptions};
use std::path::Path;
use std::sync::Arc;
use windlass_agent::images::store::ImageStore;
use windlass_agent::images::{Images, Registries};
use windlass_agent::network::Network;
use windlass_agent::runtime::Runtime;
#[cfg(feature = "containerd")]
use windlass_agent::runtime::containerd::{ContainerdOptions, ContainerdRuntime};
use windlass_agent::runtime::oci::{OciOptions, OciRuntime};

/// Opens a node's runtime, with its state below `root_dir`.
pub(super) async fn open(
    options: &RuntimeOptions,
    data_dir: &Path,
    root_dir: &Path,
    network: Arc<dyn Network>,
) -> Result<Arc<dyn Runtime>, Error> {
    match options.kind {
        RuntimeKind::Oci => {
            let options =
                OciOptions::new(root_dir.join("runtime"), store(options, data_dir)?, network);
            let runtime = OciRuntime::open(options).await;
            Ok(Arc::new(runtime.map_err(|error| Error::part("runtime", error))?))
        }
        #[cfg(feature = "containerd")]
        RuntimeKind::Containerd => {
            Ok(Arc::new(containerd(options, &root_dir.join("containerd"), network).await?))
        }
    }
}

/// The images of a node: those in a cluster's data directory, or containerd's.
///
/// # Errors
/// When they can't be read.
pub async fn images(options: &RuntimeOptions, data_dir: &Path) -> Result<Arc<dyn Images>, Error> {
    match options.kind {
        RuntimeKind::Oci => Ok(Arc::new(store(options, data_dir)?)),
        #[cfg(feature = "containerd")]
        RuntimeKind::Containerd => {
            // A folder of its own: the node's may be in use.
            let (folder, network) =
                (data_dir.join("images/import"), windlass_agent::network::NoNetwork);
            Ok(Arc::new(containerd(options, &folder, Arc::new(network)).await?))
        }
    }
}

fn registries(options: &RuntimeOptions) -> Registries {
    options.registry_config.as_ref().map(Registries::at).unwrap_or_default()
}

fn store(options: &RuntimeOptions, data_dir: &Path) -> Result<ImageStore, Error> {
    let store = ImageStore::open_with(data_dir.join("images"), registries(options));
    store.map_err(|error| Error::part("images", error))
}

#[cfg(feature = "containerd")]
async fn containerd(
    options: &RuntimeOptions,
    state_dir: &Path,
    network: Arc<dyn Network>,
) -> Result<ContainerdRuntime, Error> {
    let default = || "/run/containerd/containerd.sock".into();
    let address = options.containerd_address.clone().unwrap_or_else(default);
    let mut chosen = ContainerdOptions::new(address, state_dir, network);
    if let Some(snapshotter) = &options.containerd_snapshotter {
        chosen.snapshotter.clone_from(snapshotter);
    }
    chosen.registries = registries(options);
    ContainerdRuntime::open(chosen).await.map_err(|error| Error::part("runtime", error))
}
