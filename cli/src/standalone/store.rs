//! The store of a cluster, sealed or not.

use super::identity::make_private_dir;
use super::{Encryption, Error, Options};
use std::path::Path;
use std::sync::Arc;
use windlass_core::component::Shutdown;
use windlass_store::{
    Backend, Embedded, EmbeddedOptions, Encrypted, KeyRange, KeyRing, Memory, Read, is_sealed,
};

/// Opens what the options name.
pub(super) async fn open(
    options: &Options,
    shutdown: &Shutdown,
) -> Result<Arc<dyn Backend>, Error> {
    if let Some(dir) = &options.data_dir {
        make_private_dir(dir).map_err(|source| Error::DataDir { path: dir.clone(), source })?;
    }
    match (&options.store, &options.data_dir) {
        (Some(_), _) if options.encryption.keys.is_some() => Err(Error::part(
            "store",
            "--encryption-keys seals the store in --data-dir, and no other",
        )),
        (Some(store), _) => Ok(store.clone()),
        (None, Some(dir)) => open_embedded(dir, &options.encryption, shutdown).await,
        (None, None) => {
            let store = Memory::new();
            tokio::spawn(store.expiry());
            Ok(Arc::new(store))
        }
    }
}

async fn open_embedded(
    dir: &Path,
    encryption: &Encryption,
    shutdown: &Shutdown,
) -> Result<Arc<dyn Backend>, Error> {
    let open = EmbeddedOptions::new(dir.join("store"));
    // Reads the whole store.
    let opened = tokio::task::spawn_blocking(|| Embedded::open(open)).await;
    let store = opened.map_err(|error| Error::part("store", error))??;
    // Ends with the store.
    tokio::spawn(store.expiry());
    let Encryption { keys: Some(keys), read_plain } = encryption else {
        refuse_sealed(&store).await?;
        return Ok(Arc::new(store));
    };
    sealed(store, keys, *read_plain, shutdown.child_token()).await
}

/// Without keys nothing could be read: better said here than by whoever reads first.
async fn refuse_sealed(store: &Embedded) -> Result<(), Error> {
    let first = store.range(&KeyRange::all(), 1, None).await?.items;
    match first.first() {
        Some(kv) if is_sealed(&kv.value) => {
            Err(Error::part("store", "its values are sealed: name the keys with --encryption-keys"))
        }
        _ => Ok(()),
    }
}

async fn sealed(
    store: Embedded,
    keys: &Path,
    read_plain: bool,
    shutdown: Shutdown,
) -> Result<Arc<dyn Backend>, Error> {
    let ring = KeyRing::read(keys);
    let ring = ring.map_err(|source| Error::Keys { path: keys.to_owned(), source })?;
    let store = Encrypted::new(store, ring);
    let store = Arc::new(if read_plain { store.allow_plain() } else { store });
    // A wrong key is found here.
    store.range(&KeyRange::all(), 1, None).await?;
    let rotating = store.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rotate(&rotating) => {}
        }
    });
    Ok(store)
}

/// Seals with the first key what is not, while the cluster runs.
async fn rotate(store: &Encrypted<Embedded>) {
    match store.rotate(|rotation| tracing::debug!(?rotation, "sealing the store anew")).await {
        Ok(rotation) => tracing::info!(
            values = rotation.seen,
            resealed = rotation.resealed,
            "all values are sealed with the first key; others are not needed any more"
        ),
        Err(error) => tracing::error!(%error, "could not seal the store anew; old keys are needed"),
    }
}
