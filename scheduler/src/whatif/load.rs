//! A snapshot of a cluster that is there.

use crate::framework::Profiles;
use crate::{NodeInfo, PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::client::{ListOptions, Reader, Scope};
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_core::{Object, Result};

impl Snapshot {
    /// The cluster as it is: its nodes, the pods that have one, and what the columns of the profiles' plugins follow. A
    /// resource that the server does not have is left out. Pods that wait for a node are handed back.
    ///
    /// # Errors
    /// When something can't be listed.
    pub async fn load(
        reader: &dyn Reader,
        profiles: impl Into<Profiles>,
    ) -> Result<(Self, Vec<Arc<PodInfo>>)> {
        let mut snapshot = Self::default();
        profiles.into().attach(&mut snapshot);
        for resource in snapshot.watches() {
            let listed = match list(reader, resource.clone()).await {
                Err(error) if error.is_not_found() => continue,
                listed => listed?,
            };
            listed.iter().for_each(|object| snapshot.set_object(&resource, object));
        }
        for node in list(reader, scheme::NODES).await? {
            snapshot.set_node(NodeInfo::new(&node)?);
        }
        let mut waiting = Vec::new();
        for pod in list(reader, scheme::PODS).await? {
            let pod = Arc::new(PodInfo::new(&pod)?);
            if pod.is_pending() {
                waiting.push(pod);
            } else if !pod.terminal {
                snapshot.set_pod(pod);
            }
        }
        Ok((snapshot, waiting))
    }
}

async fn list(reader: &dyn Reader, resource: GroupVersionResource) -> Result<Vec<Arc<Object>>> {
    Ok(reader.list(&Scope::all(resource), &ListOptions::default()).await?.items)
}
