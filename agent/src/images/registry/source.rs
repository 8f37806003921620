//! Asks one server after the other.

use super::hosts::Host;
use crate::images::Credentials;
use crate::runtime::{Error, Result};
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use std::path::Path;
use std::time::Duration;

/// How long a registry may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may fall silent.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Where one image comes from.
pub(crate) struct Source {
    image: Reference,
    servers: Vec<Server>,
}

/// An image's manifest and configuration.
pub(crate) struct Found {
    pub(crate) manifest: OciImageManifest,
    /// The manifest's.
    pub(crate) digest: String,
    pub(crate) config: String,
}

struct Server {
    host: Host,
    client: Client,
    auth: RegistryAuth,
}

type Answer<T> = std::result::Result<T, OciDistributionError>;

// === impl Source ===

impl Source {
    pub(super) fn new(
        image: &Reference,
        hosts: Vec<Host>,
        auth: Option<Credentials>,
    ) -> Result<Self> {
        let servers = hosts.into_iter().map(|host| Server::new(host, auth.clone()));
        Ok(Self { image: image.clone(), servers: servers.collect::<Result<_>>()? })
    }

    /// Finds the image. A server is asked what a tag means only if it may be.
    pub(crate) async fn find(&self) -> Result<Found> {
        if self.image.digest().is_some() {
            return self.pulled(&self.image).await;
        }
        let mut last = self.failed(&"no server may be asked what its tag means");
        for server in self.servers.iter().filter(|server| server.host.resolve) {
            match self.resolved(server).await {
                Ok(found) => return Ok(found),
                Err(error) => last = server.note(error),
            }
        }
        Err(last)
    }

    /// The bytes of a manifest.
    #[cfg(feature = "containerd")]
    pub(crate) async fn manifest(&self, digest: &str) -> Result<Vec<u8>> {
        use crate::images::blob::digest_of;
        use oci_client::manifest::{IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE};
        let kinds = [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE];
        let exact = self.exact(digest);
        let mut last = self.nobody();
        for server in self.pullers() {
            let image = server.name(&exact);
            match server.client.pull_manifest_raw(&image, &server.auth, &kinds).await {
                Ok((bytes, _)) if digest_of(&bytes) == digest => return Ok(bytes.to_vec()),
                Ok(_) => {
                    let why = format!("digest mismatch: expected {digest}");
                    last = server.note(self.failed(&why));
                }
                Err(error) => last = server.note(self.failed(&error)),
            }
        }
        Err(last)
    }

    /// Fetches a layer's blob into a new file.
    pub(crate) async fn download(&self, layer: &OciDescriptor, path: &Path) -> Result<()> {
        let mut last = self.nobody();
        for server in self.pullers() {
            let file = tokio::fs::File::create(path)
                .await
                .map_err(|source| Error::Io { context: path.display().to_string(), source })?;
            let image = server.name(&self.image);
            // It may not have been asked for anything before.
            server.client.store_auth_if_needed(image.resolve_registry(), &server.auth).await;
            match server.client.pull_blob(&image, layer, file).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let (digest, image) = (&layer.digest, self.image.whole());
                    let words = format!("failed to pull layer {digest} of \"{image}\": {error}");
                    last = server.note(Error::Failed(words));
                }
            }
        }
        Err(last)
    }

    /// What one server says the tag means, from there or, where it gives nothing, from the others.
    async fn resolved(&self, server: &Server) -> Result<Found> {
        let image = server.name(&self.image);
        if server.host.pull {
            return server.pull(&image).await.map_err(|error| self.failed(&error));
        }
        let digest = server.client.fetch_manifest_digest(&image, &server.auth).await;
        let digest = digest.map_err(|error| self.failed(&error))?;
        self.pulled(&self.exact(&digest)).await
    }

    async fn pulled(&self, exact: &Reference) -> Result<Found> {
        let mut last = self.nobody();
        for server in self.pullers() {
            match server.pull(&server.name(exact)).await {
                Ok(found) => return Ok(found),
                Err(error) => last = server.note(self.failed(&error)),
            }
        }
        Err(last)
    }

    /// Those that give what has a digest.
    fn pullers(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.host.pull)
    }

    fn nobody(&self) -> Error {
        self.failed(&"no server may be asked for it")
    }

    fn exact(&self, digest: &str) -> Reference {
        self.image.clone_with_digest(digest.to_owned())
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Failed(format!("failed to pull image \"{}\": {error}", self.image.whole()))
    }
}

// === impl Server ===

impl Server {
    fn new(host: Host, auth: Option<Credentials>) -> Result<Self> {
        // What a pod has for its registry is not for others.
        let given = auth.filter(|_| host.trusted);
        let given = given.map(|c| RegistryAuth::Basic(c.username, c.password));
        let auth = given.or_else(|| host.auth.clone()).unwrap_or(RegistryAuth::Anonymous);
        Ok(Self { client: client(&host)?, host, auth })
    }

    /// The image as this server knows it.
    fn name(&self, image: &Reference) -> Reference {
        let mut image = image.clone();
        if self.host.mirror {
            image.set_mirror_registry(self.host.name.clone());
        }
        image
    }

    async fn pull(&self, image: &Reference) -> Answer<Found> {
        let (manifest, digest, config) =
            self.client.pull_manifest_and_config(image, &self.auth).await?;
        Ok(Found { manifest, digest, config })
    }

    fn note(&self, error: Error) -> Error {
        tracing::debug!(server = self.host.name, %error, "not from here");
        error
    }
}

fn client(host: &Host) -> Result<Client> {
    // A program that embeds this crate may have chosen a provider: then this one is not needed.
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider().install_default().is_err()
    {
        tracing::debug!("another TLS provider was installed meanwhile");
    }
    let pem =
        |data: &Vec<u8>| Certificate { encoding: CertificateEncoding::Pem, data: data.clone() };
    let config = ClientConfig {
        protocol: if host.plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
        accept_invalid_certificates: host.skip_verify,
        extra_root_certificates: host.roots.iter().map(pem).collect(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        user_agent: concat!("windlass/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    Client::try_from(config)
        .map_err(|error| Error::Invalid(format!("registry \"{}\": {error}", host.name)))
}
