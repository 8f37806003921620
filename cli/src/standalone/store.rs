//! The store of a cluster, sealed or not.

use super::identity::make_private_dir;
use super::{Encryption, Error, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_api::pki::write_private;
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
    let seals = match encryption {
        Encryption { keys: Some(keys), read_plain, .. } => {
            Seals { keys: keys.clone(), read_plain: *read_plain, pending: None }
        }
        Encryption { own_key: true, .. } => own_key(dir, &store).await?,
        Encryption { .. } => {
            refuse_sealed(&store).await?;
            return Ok(Arc::new(store));
        }
    };
    sealed(store, seals, shutdown.child_token()).await
}

/// How a store is sealed.
struct Seals {
    keys: PathBuf,
    read_plain: bool,
    /// Is there as long as some values may not be sealed yet.
    pending: Option<PathBuf>,
}

/// The key in the data directory, made when there is none.
async fn own_key(dir: &Path, store: &Embedded) -> Result<Seals, Error> {
    let folder = dir.join("pki");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::DataDir { path, source }
    };
    make_private_dir(&folder).map_err(failed(&folder))?;
    let (keys, pending) = (folder.join("encryption.keys"), folder.join("encryption.pending"));
    if !keys.exists() {
        refuse_sealed(store).await?;
        if !store.range(&KeyRange::all(), 1, None).await?.items.is_empty() {
            // Before the key: who finds the key alone takes all for sealed.
            write_private(&pending, b"")?;
        }
        let key = KeyRing::generate("first").map_err(failed(&keys))?;
        write_private(&keys, key.as_bytes())?;
    }
    let read_plain = pending.exists();
    Ok(Seals { keys, read_plain, pending: Some(pending).filter(|_| read_plain) })
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
    Seals { keys, read_plain, pending }: Seals,
    shutdown: Shutdown,
) -> Result<Arc<dyn Backend>, Error> {
    let ring = KeyRing::read(&keys);
    let ring = ring.map_err(|source| Error::Keys { path: keys, source })?;
    let store = Encrypted::new(store, ring);
    let store = Arc::new(if read_plain { store.allow_plain() } else { store });
    // A wrong key is found here.
    store.range(&KeyRange::all(), 1, None).await?;
    let rotating = store.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rotate(&rotating, pending.as_deref()) => {}
        }
    });
    Ok(store)
}

/// Seals with the first key what is not, while the cluster runs.
async fn rotate(store: &Encrypted<Embedded>, pending: Option<&Path>) {
    match store.rotate(|rotation| tracing::debug!(?rotation, "sealing the store anew")).await {
        Ok(rotation) => {
            tracing::info!(
                values = rotation.seen,
                resealed = rotation.resealed,
                "all values are sealed with the first key; others are not needed any more"
            );
            if let Some(Err(error)) = pending.map(std::fs::remove_file) {
                tracing::error!(%error, "values that are not sealed are taken until the next start");
            }
        }
        Err(error) => tracing::error!(%error, "could not seal the store anew; old keys are needed"),
    }
}
