//! Registers the Node and keeps its status.

use super::{images, object};
use crate::config::Config;
use crate::eviction::Verdicts;
use crate::runtime::Runtime;
use crate::status::whole_seconds;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::Quantity;
use windlass_core::apis::core::v1::{Node, NodeStatus as Status};
use windlass_core::client::{Client, ClientExt, Key, Patch, WriteOptions};
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::scheme::NODES;
use windlass_core::workqueue::Backoff;
use windlass_core::{Error, Result};

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(7) };
/// How often the node is looked at; it is written when something has changed.
const LOOK_PERIOD: Duration = Duration::from_secs(10);

/// The Node of this agent.
pub(crate) struct NodeStatus {
    pub(crate) config: Arc<Config>,
    pub(crate) client: Arc<dyn Client>,
    pub(crate) env: Env,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Tells what the node runs short of.
    pub(crate) verdicts: Arc<Verdicts>,
    #[cfg(feature = "plugins")]
    pub(crate) csi: Arc<crate::volumes::csi::Csi>,
    #[cfg(feature = "plugins")]
    pub(crate) devices: Arc<crate::plugins::devices::Devices>,
}

impl NodeStatus {
    fn key(&self) -> Key {
        Key::cluster(NODES, &self.config.node_name)
    }

    /// Makes the Node, or takes over the one that is there. Tries until it works.
    pub(crate) async fn register(&self) -> Node {
        let mut failures = 0;
        loop {
            match self.try_register().await {
                Ok(node) => return node,
                Err(error) => {
                    tracing::warn!(node = self.config.node_name, %error, "node not registered, will retry");
                    tokio::time::sleep(BACKOFF.wait(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    async fn try_register(&self) -> Result<Node> {
        let status = self.look(None).await;
        let node = object::node(&self.config, status);
        match self.client.create_from(&self.key(), &node).await {
            Ok(made) => {
                // A server may drop the status of what is created.
                let made = made.view::<Node>()?;
                match made.status.as_ref().and_then(|s| s.conditions.as_ref()) {
                    Some(conditions) if !conditions.is_empty() => Ok(made),
                    _ => self.write(&made).await,
                }
            }
            Err(error) if error.is_already_exists() => self.take_over().await,
            Err(error) => Err(error),
        }
    }

    async fn take_over(&self) -> Result<Node> {
        let patch = json!({"metadata": {"labels": object::labels(&self.config)}});
        let options = WriteOptions::manager("kubelet");
        let node = self.client.patch(&self.key(), Patch::merge(&patch), &options).await?;
        self.write(&node.view::<Node>()?).await
    }

    async fn look(&self, old: Option<&Status>) -> Status {
        let (images, mut trouble) = match self.runtime.list_images().await {
            Ok(list) => (images::listed(list), None),
            Err(error) => (Vec::new(), Some(format!("container runtime is down: {error}"))),
        };
        if self.verdicts.is_closed() {
            trouble = Some("node is shutting down".into());
        }
        let facts = object::Facts {
            config: &self.config,
            runtime_version: self.runtime.version(),
            images,
            pressure: self.verdicts.pressure(),
            trouble,
            volumes_in_use: self.volumes_in_use(old).await,
            #[cfg(feature = "plugins")]
            devices: self.devices.counts(),
            #[cfg(not(feature = "plugins"))]
            devices: Default::default(),
            now: whole_seconds(self.env.clock.now()).0,
        };
        object::status(facts, old)
    }

    /// None when it is not known: then what was said before holds. What was said stays said while there may be others
    /// than those that are known.
    #[cfg(feature = "plugins")]
    async fn volumes_in_use(&self, old: Option<&Status>) -> Option<Vec<String>> {
        let found = self.csi.in_use().await;
        let found = found.inspect_err(|error| tracing::warn!(%error, "volumes can't be listed"));
        let mut found = found.ok()?;
        if found.and_others {
            let old = old.and_then(|old| old.volumes_in_use.as_ref());
            found.names.extend(old.into_iter().flatten().cloned());
        }
        Some(found.names.into_iter().collect())
    }

    #[cfg(not(feature = "plugins"))]
    async fn volumes_in_use(&self, _: Option<&Status>) -> Option<Vec<String>> {
        None
    }

    /// Writes the status as it is now over what `node` shows.
    async fn write(&self, node: &Node) -> Result<Node> {
        let status = self.look(node.status.as_ref()).await;
        let status = serde_json::to_value(status).map_err(|e| Error::decode("node status", e))?;
        let patch = Patch::strategic(&json!({"status": status}));
        let key = self.key().subresource("status");
        self.client.patch(&key, patch, &WriteOptions::manager("kubelet")).await?.view()
    }

    #[cfg(feature = "plugins")]
    async fn plugins_changed(&self) {
        tokio::select! {
            () = self.devices.changed() => {}
            () = self.csi.changed() => {}
        }
    }

    #[cfg(not(feature = "plugins"))]
    async fn plugins_changed(&self) {
        std::future::pending().await
    }

    /// Keeps the status until shutdown: writes it when it changes, and now and then anyway.
    pub(crate) async fn keep(self, mut node: Node, shutdown: Shutdown) {
        let mut written = tokio::time::Instant::now();
        let period = LOOK_PERIOD.min(self.config.status_period);
        let mut pressure = self.verdicts.subscribe();
        // What changes of itself is told at once; that the sender is gone can't be, it is held here.
        let mut pause = async || {
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                _ = pressure.changed() => {}
                () = self.plugins_changed() => {}
            }
        };
        while shutdown.run_until_cancelled(pause()).await.is_some() {
            // As the API shows it: others may have written that the node is silent, which is over then.
            match shutdown.run_until_cancelled(self.client.get_as::<Node>(&self.key())).await {
                Some(Ok(shown)) => node = shown,
                Some(Err(error)) => tracing::debug!(%error, "node not read"),
                None => return,
            }
            let old = node.status.as_ref();
            let changed = essence(&self.look(old).await) != old.map(essence).unwrap_or_default();
            if !changed && written.elapsed() < self.config.status_period {
                continue;
            }
            match self.write(&node).await {
                Ok(new) => (node, written) = (new, tokio::time::Instant::now()),
                Err(error) if error.is_not_found() => {
                    let registered = shutdown.run_until_cancelled(self.register()).await;
                    let Some(new) = registered else { return };
                    (node, written) = (new, tokio::time::Instant::now());
                }
                Err(error) => tracing::warn!(%error, "node status not written, will retry"),
            }
        }
    }
}

/// What of a status is worth a write of its own.
#[derive(Default, PartialEq)]
struct Essence {
    conditions: Vec<(String, String)>,
    images: usize,
    volumes_in_use: Vec<String>,
    devices: Vec<Quantity>,
}

fn essence(status: &Status) -> Essence {
    let conditions = status.conditions.iter().flatten().filter(|c| {
        ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"].contains(&c.type_.as_str())
    });
    let amounts = [&status.capacity, &status.allocatable].into_iter().flatten().flatten();
    let devices = amounts.filter(|(name, _)| name.contains('/')).map(|(_, count)| count.clone());
    Essence {
        conditions: conditions.map(|c| (c.type_.clone(), c.status.clone())).collect(),
        images: status.images.as_ref().map_or(0, Vec::len),
        volumes_in_use: status.volumes_in_use.clone().unwrap_or_default(),
        devices: devices.collect(),
    }
}
