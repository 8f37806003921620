//! Adds images: blobs, then layers as snapshots, then names.

use super::super::client::{Connection, call, call_unless};
use super::super::snapshots::{Snapshots, chain_id};
use super::super::{Inner, content};
use crate::images::ImageId;
use crate::images::blob::{digest_of, random_hex};
use crate::runtime::{Error, Result};
use containerd_client::services::v1::{
    CreateImageRequest, CreateRequest, DeleteRequest, Image, UpdateImageRequest,
};
use containerd_client::types::Descriptor;
use oci_spec::image::ImageConfiguration;
use std::collections::HashMap;
use std::time::Duration;
use tonic::Code;

/// How long what is being added is kept when nobody finishes it.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);
/// Marks the images that a node's agent uses, for other programs.
const MANAGED: (&str, &str) = ("io.cri-containerd.image", "managed");

/// An image whose layers' blobs are in the store.
pub(super) struct Incoming {
    pub(super) names: Vec<String>,
    pub(super) manifest: Vec<u8>,
    pub(super) media_type: String,
    pub(super) config: Vec<u8>,
    pub(super) layers: Vec<Descriptor>,
}

/// Protects what is being added from the garbage collector.
pub(super) struct Lease {
    pub(super) connection: Connection,
    id: String,
}

// === impl Lease ===

impl Lease {
    pub(super) async fn take(inner: &Inner) -> Result<Self> {
        let id = format!("windlass-{}", random_hex());
        let until = jiff::Timestamp::try_from(inner.now() + LEASE)
            .map_err(|e| Error::Failed(format!("the clock is wrong: {e}")))?;
        let labels = HashMap::from([("containerd.io/gc.expire".into(), until.to_string())]);
        let mut client = inner.connection.leases();
        let request = CreateRequest { id: id.clone(), labels };
        call("taking a lease", client.create(request)).await?;
        Ok(Self { connection: inner.connection.with_lease(&id)?, id })
    }

    pub(super) async fn give_back(self) -> Result<()> {
        let mut client = self.connection.leases();
        let request = DeleteRequest { id: self.id.clone(), sync: false };
        call_unless(Code::NotFound, "giving a lease back", client.delete(request)).await.map(|_| ())
    }
}

// === impl Incoming ===

impl Incoming {
    /// Makes it visible, unpacked.
    pub(super) async fn add(self, inner: &Inner, lease: &Lease) -> Result<ImageId> {
        let config: ImageConfiguration = serde_json::from_slice(&self.config)
            .map_err(|e| Error::Invalid(format!("malformed image configuration: {e}")))?;
        let diffs = config.rootfs().diff_ids();
        if diffs.len() != self.layers.len() {
            return Err(Error::Invalid(format!(
                "the image has {} layers and its configuration {}",
                self.layers.len(),
                diffs.len()
            )));
        }
        let id = digest_of(&self.config);
        self.write(inner, lease, &id, diffs).await?;
        let snapshotter = &inner.options.snapshotter;
        let snapshots = Snapshots { connection: &lease.connection, snapshotter };
        snapshots.unpack(&self.layers, diffs).await?;
        let target = Descriptor {
            media_type: self.media_type.clone(),
            digest: digest_of(&self.manifest),
            size: i64::try_from(self.manifest.len()).unwrap_or(i64::MAX),
            ..Descriptor::default()
        };
        for name in &self.names {
            name_it(&lease.connection, name, &target).await?;
        }
        name_it(&lease.connection, &id, &target).await?;
        Ok(ImageId(id))
    }

    /// Writes the documents, each with what it refers to, for the garbage collector.
    async fn write(&self, inner: &Inner, lease: &Lease, id: &str, diffs: &[String]) -> Result<()> {
        let mut refs = HashMap::new();
        if !diffs.is_empty() {
            let key = format!("containerd.io/gc.ref.snapshot.{}", inner.options.snapshotter);
            refs.insert(key, chain_id(diffs));
        }
        content::write(&lease.connection, id, &self.config, refs).await?;
        let layers = self.layers.iter().enumerate();
        let mut refs: HashMap<String, String> = layers
            .map(|(n, l)| (format!("containerd.io/gc.ref.content.l.{n}"), l.digest.clone()))
            .collect();
        refs.insert("containerd.io/gc.ref.content.config".into(), id.into());
        let digest = digest_of(&self.manifest);
        content::write(&lease.connection, &digest, &self.manifest, refs).await
    }
}

/// Gives an image a name, taken from another one if need be.
async fn name_it(connection: &Connection, name: &str, target: &Descriptor) -> Result<()> {
    let labels = HashMap::from([(MANAGED.0.to_string(), MANAGED.1.to_string())]);
    let image =
        Image { name: name.into(), target: Some(target.clone()), labels, ..Image::default() };
    let mut client = connection.images();
    let create = CreateImageRequest { image: Some(image.clone()), ..CreateImageRequest::default() };
    let made = call_unless(Code::AlreadyExists, "naming an image", client.create(create)).await?;
    if made.is_none() {
        let update = UpdateImageRequest { image: Some(image), ..UpdateImageRequest::default() };
        call("naming an image", client.update(update)).await?;
    }
    Ok(())
}
