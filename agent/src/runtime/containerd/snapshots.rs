//! Root file systems: an image's layers as committed snapshots, a container's as an active one.

use super::client::{Connection, call, call_unless};
use crate::images::blob::{digest_of, random_hex};
use crate::runtime::{Error, Result};
use containerd_client::services::v1::snapshots::{
    CommitSnapshotRequest, MountsRequest, PrepareSnapshotRequest, RemoveSnapshotRequest,
    StatSnapshotRequest, ViewSnapshotRequest,
};
use containerd_client::services::v1::{ApplyRequest, PluginsRequest};
use containerd_client::types::{Descriptor, Mount};
use std::collections::HashMap;
use std::path::PathBuf;
use tonic::Code;

/// What the garbage collector leaves alone.
const ROOT: &str = "containerd.io/gc.root";

/// Snapshots of one snapshotter.
pub(super) struct Snapshots<'a> {
    pub(super) connection: &'a Connection,
    pub(super) snapshotter: &'a str,
}

/// The name of the snapshot that these layers make, lowest first; empty for none.
pub(super) fn chain_id(diffs: &[String]) -> String {
    let mut diffs = diffs.iter();
    let first = diffs.next().cloned().unwrap_or_default();
    diffs.fold(first, |chain, diff| digest_of(format!("{chain} {diff}").as_bytes()))
}

/// The folders that a snapshot's mounts are made of, lowest first, without the one that is written.
pub(super) fn layers_of(mounts: &[Mount]) -> Vec<PathBuf> {
    let mut layers = Vec::new();
    for mount in mounts {
        let lower = mount.options.iter().find_map(|o| o.strip_prefix("lowerdir="));
        match lower {
            Some(lower) => layers.extend(lower.split(':').rev().map(PathBuf::from)),
            None => layers.push(PathBuf::from(&mount.source)),
        }
    }
    layers
}

/// The folder of the node that a snapshotter, or else containerd, keeps what images are made of in.
pub(super) async fn root(connection: &Connection, snapshotter: &str) -> Result<Option<PathBuf>> {
    let filters = vec![
        format!("type==io.containerd.snapshotter.v1,id=={snapshotter}"),
        "type==io.containerd.content.v1".into(),
    ];
    let mut client = connection.introspection();
    let ask = client.plugins(PluginsRequest { filters });
    let mut plugins = call("asking containerd for its folders", ask).await?.plugins;
    plugins.sort_by_key(|plugin| plugin.id != snapshotter);
    Ok(plugins.iter().find_map(|plugin| plugin.exports.get("root")).map(PathBuf::from))
}

// === impl Snapshots ===

impl Snapshots<'_> {
    /// Unpacks the layers that are not yet unpacked. `diffs` are the digests of their tars.
    pub(super) async fn unpack(&self, layers: &[Descriptor], diffs: &[String]) -> Result<()> {
        for (n, layer) in layers.iter().enumerate() {
            let chain = chain_id(&diffs[..=n]);
            if !self.has(&chain).await? {
                self.unpack_one(layer, &diffs[n], &chain_id(&diffs[..n]), &chain).await?;
            }
        }
        Ok(())
    }

    async fn unpack_one(
        &self,
        layer: &Descriptor,
        diff: &str,
        parent: &str,
        chain: &str,
    ) -> Result<()> {
        let key = format!("windlass-extract-{}", random_hex());
        let mounts = self.prepare(&key, parent).await?;
        let done = self.apply(layer, diff, mounts).await;
        let committed = match done {
            Ok(()) => self.commit(&key, chain).await,
            failed => failed.map(|()| false),
        };
        if !matches!(committed, Ok(true)) {
            self.remove(&key).await?;
        }
        committed.map(|_| ())
    }

    async fn apply(&self, layer: &Descriptor, diff: &str, mounts: Vec<Mount>) -> Result<()> {
        let request = ApplyRequest { diff: Some(layer.clone()), mounts, ..ApplyRequest::default() };
        let what = format!("failed to unpack layer {diff}");
        let mut client = self.connection.diffs();
        let applied = call(&what, client.apply(request)).await?.applied.unwrap_or_default();
        if applied.digest == diff {
            return Ok(());
        }
        Err(Error::Invalid(format!("digest mismatch: expected {diff}, got {}", applied.digest)))
    }

    /// Whether it was this one that made the snapshot, and not another that was quicker.
    async fn commit(&self, key: &str, chain: &str) -> Result<bool> {
        let request = CommitSnapshotRequest {
            snapshotter: self.snapshotter.into(),
            name: chain.into(),
            key: key.into(),
            labels: HashMap::from([("containerd.io/snapshot.ref".into(), chain.into())]),
        };
        let mut client = self.connection.snapshots();
        let commit = client.commit(request);
        Ok(call_unless(Code::AlreadyExists, "keeping a layer", commit).await?.is_some())
    }

    /// Whether there is a snapshot of this name.
    pub(super) async fn has(&self, key: &str) -> Result<bool> {
        let request = StatSnapshotRequest { snapshotter: self.snapshotter.into(), key: key.into() };
        let mut client = self.connection.snapshots();
        let ask = client.stat(request);
        Ok(call_unless(Code::NotFound, "looking for a snapshot", ask).await?.is_some())
    }

    /// Makes one that can be written, over `parent`. It stays until it is removed.
    pub(super) async fn prepare(&self, key: &str, parent: &str) -> Result<Vec<Mount>> {
        let request = PrepareSnapshotRequest {
            snapshotter: self.snapshotter.into(),
            key: key.into(),
            parent: parent.into(),
            labels: HashMap::from([(ROOT.into(), "windlass".into())]),
        };
        let mut client = self.connection.snapshots();
        Ok(call("making a root file system", client.prepare(request)).await?.mounts)
    }

    /// How a view of `parent` is mounted: one that can't be written, made when missing. It stays until it is removed.
    pub(super) async fn view(&self, key: &str, parent: &str) -> Result<Vec<Mount>> {
        let request = ViewSnapshotRequest {
            snapshotter: self.snapshotter.into(),
            key: key.into(),
            parent: parent.into(),
            labels: HashMap::from([(ROOT.into(), "windlass".into())]),
        };
        let mut client = self.connection.snapshots();
        let view = client.view(request);
        match call_unless(Code::AlreadyExists, "showing an image's files", view).await? {
            Some(made) => Ok(made.mounts),
            None => self.mounts(key).await,
        }
    }

    /// How one that was prepared is mounted.
    pub(super) async fn mounts(&self, key: &str) -> Result<Vec<Mount>> {
        let request = MountsRequest { snapshotter: self.snapshotter.into(), key: key.into() };
        let mut client = self.connection.snapshots();
        Ok(call("finding a root file system", client.mounts(request)).await?.mounts)
    }

    /// Removes one; it may be gone.
    pub(super) async fn remove(&self, key: &str) -> Result<()> {
        let request =
            RemoveSnapshotRequest { snapshotter: self.snapshotter.into(), key: key.into() };
        let mut client = self.connection.snapshots();
        let remove = client.remove(request);
        call_unless(Code::NotFound, "removing a root file system", remove).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_come_lowest_first() {
        let options = ["index=off", "lowerdir=/s/3/fs:/s/2/fs", "upperdir=/s/4/fs"];
        let overlay = Mount {
            r#type: "overlay".into(),
            options: options.map(String::from).into(),
            ..Mount::default()
        };
        assert_eq!(layers_of(&[overlay]), ["/s/2/fs", "/s/3/fs"].map(PathBuf::from));
        let bind = Mount { source: "/s/1/fs".into(), ..Mount::default() };
        assert_eq!(layers_of(&[bind]), [PathBuf::from("/s/1/fs")]);
    }

    #[test]
    fn chains_are_as_the_image_specification_says() {
        let diffs = [digest_of(b"a"), digest_of(b"b")];
        assert_eq!(chain_id(&diffs[..1]), diffs[0]);
        assert_eq!(chain_id(&diffs), digest_of(format!("{} {}", diffs[0], diffs[1]).as_bytes()));
        assert_eq!(chain_id(&[]), "");
    }
}
