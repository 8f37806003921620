//! Fetches images from registries.

use super::store::ImageStore;
use super::{Credentials, ImageId, reference};
use crate::runtime::{Error, Result};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use oci_spec::image::ImageConfiguration;
use std::path::Path;
use std::time::Duration;

/// How long a registry may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may fall silent.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Fetches an image and makes it visible once all of it is verified.
pub(super) async fn pull(
    store: &ImageStore,
    name: &str,
    auth: Option<Credentials>,
) -> Result<ImageId> {
    let image = reference::parse(name)?;
    let (client, auth) = (client(image.resolve_registry()), registry_auth(auth));
    let failed = |e: &dyn std::fmt::Display| {
        Error::Failed(format!("failed to pull image \"{}\": {e}", image.whole()))
    };
    let (manifest, digest, config) =
        client.pull_manifest_and_config(&image, &auth).await.map_err(|e| failed(&e))?;
    let _one = store.inner.writer.lock().await;
    let parsed: ImageConfiguration = serde_json::from_str(&config)
        .map_err(|e| Error::Invalid(format!("malformed image configuration: {e}")))?;
    let _reserved = store.reserve(parsed.rootfs().diff_ids())?;
    let size = fetch_layers(store, &client, &image, &manifest, &parsed).await?;
    let digests = [reference::with_digest(&image, &digest)];
    let names = if image.digest().is_some() { vec![] } else { vec![image.whole()] };
    let id = store.commit(config.as_bytes(), &names, &digests, size)?;
    tracing::info!(image = image.whole(), id = id.0, size, "pulled image");
    Ok(id)
}

/// How a registry is told who asks.
pub(crate) fn registry_auth(auth: Option<Credentials>) -> RegistryAuth {
    match auth {
        Some(c) => RegistryAuth::Basic(c.username, c.password),
        None => RegistryAuth::Anonymous,
    }
}

/// A client for one registry.
pub(crate) fn client(registry: &str) -> Client {
    // A program that embeds this crate may have chosen a provider: then this one is not needed.
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider().install_default().is_err()
    {
        tracing::debug!("another TLS provider was installed meanwhile");
    }
    let protocol = match is_local(registry) {
        true => ClientProtocol::HttpsExcept(vec![registry.to_string()]),
        false => ClientProtocol::Https,
    };
    Client::new(ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        user_agent: concat!("windlass/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    })
}

/// A registry on the loopback address is spoken to without TLS, as other runtimes do.
fn is_local(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback())
}

async fn fetch_layers(
    store: &ImageStore,
    client: &Client,
    image: &Reference,
    manifest: &OciImageManifest,
    config: &ImageConfiguration,
) -> Result<u64> {
    let diffs = config.rootfs().diff_ids();
    if diffs.len() != manifest.layers.len() {
        return Err(Error::Invalid(format!(
            "image \"{}\" has {} layers and its configuration {}",
            image.whole(),
            manifest.layers.len(),
            diffs.len()
        )));
    }
    let mut size = 0;
    for (n, (layer, diff)) in manifest.layers.iter().zip(diffs).enumerate() {
        tracing::info!(
            image = image.whole(),
            layer = n + 1,
            of = diffs.len(),
            bytes = layer.size,
            "pulling"
        );
        size += u64::try_from(layer.size).unwrap_or(0);
        if !store.has_layer(diff)? {
            fetch_layer(store, client, image, layer, diff).await?;
        }
    }
    Ok(size)
}

async fn fetch_layer(
    store: &ImageStore,
    client: &Client,
    image: &Reference,
    layer: &OciDescriptor,
    diff: &str,
) -> Result<()> {
    let path = store.scratch();
    let fetched = download(client, image, layer, &path).await;
    let unpacked = match fetched {
        Ok(()) => unpack(store, &path, &layer.digest, diff).await,
        Err(e) => Err(e),
    };
    if let Err(e) = tokio::fs::remove_file(&path).await {
        tracing::debug!(error = %e, path = %path.display(), "could not remove a layer's download");
    }
    unpacked
}

/// Fetches a layer's blob into a new file.
pub(crate) async fn download(
    client: &Client,
    image: &Reference,
    layer: &OciDescriptor,
    path: &Path,
) -> Result<()> {
    let file = tokio::fs::File::create(path)
        .await
        .map_err(|source| Error::Io { context: path.display().to_string(), source })?;
    client.pull_blob(image, layer, file).await.map_err(|e| {
        Error::Failed(format!(
            "failed to pull layer {} of \"{}\": {e}",
            layer.digest,
            image.whole()
        ))
    })
}

async fn unpack(store: &ImageStore, path: &Path, digest: &str, diff: &str) -> Result<()> {
    let (store, path) = (store.clone(), path.to_path_buf());
    let (digest, diff) = (digest.to_string(), diff.to_string());
    let work = move || {
        let file = std::fs::File::open(&path)
            .map_err(|source| Error::Io { context: path.display().to_string(), source })?;
        store.add_layer(file, Some(&digest), &diff)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Failed(format!("image store: {e}")))?
}
