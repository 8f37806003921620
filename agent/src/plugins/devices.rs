//! Device plugins (v1beta1): each tells of the devices of one resource, and how a container gets them.
//!
//! ```text
//! plugin ─ Register ─ Devices ─ ListAndWatch ─ pool ─ capacity of the node
//! start of a container ─ plan: which ones ─ GetPreferredAllocation, Allocate ─ checkpoint ─ container
//! ```
//! Which container has which devices is written down before it starts: it keeps them over restarts of itself and of
//! the agent, until its pod is gone.

mod checkpoint;
mod plan;
mod plugin;
mod register;

#[cfg(test)]
mod tests;

use super::proto::device::DevicePluginOptions;
use crate::node_status::Count;
use checkpoint::{Allocation, Checkpoint};
use parking_lot::Mutex;
use plan::{Choice, Wanted, choose};
use plugin::Plugin;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::workqueue::Backoff;

pub(crate) use checkpoint::Given;

/// How long a plugin may take to listen after it has registered.
const LISTENS: Duration = Duration::from_secs(10);
const AGAIN: Backoff = Backoff { first: Duration::from_millis(50), max: Duration::from_secs(1) };
pub(crate) use register::DeviceServer;

/// The devices of this node.
pub(crate) struct Devices {
    /// Where the sockets are.
    folder: PathBuf,
    state: Mutex<State>,
    /// Told when there are more or fewer.
    changed: Notify,
}

#[derive(Default)]
struct State {
    pools: BTreeMap<String, Pool>,
    given: Checkpoint,
}

/// The devices of one resource.
#[derive(Default)]
struct Pool {
    /// Whether each of them works, by its id.
    devices: BTreeMap<String, bool>,
    plugin: Option<Plugin>,
    /// One container at a time is given some.
    giving: Arc<tokio::sync::Mutex<()>>,
}

// === impl Devices ===

impl Devices {
    /// Finds again what was given to containers.
    ///
    /// # Errors
    /// When what is written down can't be read.
    pub(crate) fn open(root: &Path) -> io::Result<Arc<Self>> {
        let folder = root.join("device-plugins");
        let given = Checkpoint::read(&folder)?;
        let pools = given.resources.iter().map(|name| (name.clone(), Pool::default()));
        let state = State { pools: pools.collect(), given };
        Ok(Arc::new(Self { folder, state: Mutex::new(state), changed: Notify::new() }))
    }

    /// All resources that plugins brought, also those whose plugin is gone: of these none work.
    pub(crate) fn counts(&self) -> BTreeMap<String, Count> {
        let state = self.state.lock();
        let count = |pool: &Pool| Count {
            capacity: pool.devices.len(),
            allocatable: pool.devices.values().filter(|works| **works).count(),
        };
        state.pools.iter().map(|(name, pool)| (name.clone(), count(pool))).collect()
    }

    /// Returns when the counts may have changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What a container gets: `wanted` devices of each resource, first of all those that the containers `before` it had.
    /// The same again when it is asked for the same again.
    ///
    /// # Errors
    /// When there are not enough, or what the plugin says.
    pub(crate) async fn give(
        &self,
        (pod, container): (&str, &str),
        before: &[String],
        wanted: &BTreeMap<String, usize>,
    ) -> Result<Vec<Given>, String> {
        let mut all = Vec::new();
        for (resource, count) in wanted {
            let giving = self.state.lock().pools.get(resource).map(|pool| pool.giving.clone());
            let giving = giving.unwrap_or_default();
            let _one = giving.lock().await;
            let place = Wanted { pod, container, resource, count: *count, before };
            all.push(self.give_one(&place).await?);
        }
        Ok(all)
    }

    async fn give_one(&self, wanted: &Wanted<'_>) -> Result<Given, String> {
        let (choice, plugin) = {
            let state = self.state.lock();
            let pool = state.pools.get(wanted.resource);
            let nothing = BTreeMap::new();
            let devices = pool.map_or(&nothing, |pool| &pool.devices);
            let choice = choose(wanted, devices, &state.given.allocations)?;
            (choice, pool.and_then(|pool| pool.plugin.clone()))
        };
        let gone = || format!("no device plugin for resource {} is there", wanted.resource);
        let (ids, given) = match choice {
            Choice::Same(allocation) => (allocation.ids, allocation.given),
            Choice::Free { must, free } => {
                let plugin = plugin.as_ref().ok_or_else(gone)?;
                let ids = plugin.prefer(must, free, wanted.count).await?;
                let given = plugin.allocate(&ids).await?;
                self.keep(wanted, &ids, &given)?;
                (ids, given)
            }
        };
        if let Some(plugin) = plugin {
            plugin.pre_start(&ids).await?;
        }
        Ok(given)
    }

    fn keep(&self, wanted: &Wanted<'_>, ids: &[String], given: &Given) -> Result<(), String> {
        let mut state = self.state.lock();
        state.given.allocations.push(Allocation {
            pod: wanted.pod.to_owned(),
            container: wanted.container.to_owned(),
            resource: wanted.resource.to_owned(),
            ids: ids.to_vec(),
            given: given.clone(),
        });
        state.given.write(&self.folder).map_err(|error| error.to_string())
    }

    /// A pod is gone: others may have what it had.
    ///
    /// # Errors
    /// When that can't be written down.
    pub(crate) fn release(&self, pod: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        let before = state.given.allocations.len();
        state.given.allocations.retain(|allocation| allocation.pod != pod);
        if state.given.allocations.len() == before {
            return Ok(());
        }
        state.given.write(&self.folder)
    }

    /// Which resources of a list plugins brought.
    pub(crate) fn known<'a>(&self, names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
        let state = self.state.lock();
        names.filter(|name| state.pools.contains_key(*name)).cloned().collect()
    }

    // === what plugins say ===

    /// A plugin that came; one of the same resource is replaced.
    async fn add(
        self: &Arc<Self>,
        resource: String,
        socket: PathBuf,
        options: DevicePluginOptions,
    ) -> Result<(), String> {
        // It may listen only after its registration was answered.
        let (deadline, mut failures) = (Instant::now() + LISTENS, 0);
        let plugin = loop {
            match Plugin::connect(&socket, options).await {
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(AGAIN.wait(failures)).await;
                    failures += 1;
                }
                connected => break connected?,
            }
        };
        let told = plugin.watch().await?;
        let pool_of = plugin.clone();
        {
            let mut state = self.state.lock();
            if state.given.resources.insert(resource.clone()) {
                state.given.write(&self.folder).map_err(|error| error.to_string())?;
            }
            state.pools.entry(resource.clone()).or_default().plugin = Some(plugin);
        }
        tokio::spawn(self.clone().follow(resource, pool_of, told));
        Ok(())
    }

    async fn follow(self: Arc<Self>, resource: String, plugin: Plugin, mut told: plugin::Told) {
        while let Some(devices) = plugin::next(&mut told).await {
            if !self.set(&resource, &plugin, |pool| pool.devices = devices) {
                return;
            }
        }
        self.set(&resource, &plugin, |pool| {
            pool.plugin = None;
            pool.devices.values_mut().for_each(|works| *works = false);
        });
    }

    /// Changes a pool, if the plugin is the one that speaks for it.
    fn set(&self, resource: &str, plugin: &Plugin, change: impl FnOnce(&mut Pool)) -> bool {
        let mut state = self.state.lock();
        let pool = state.pools.entry(resource.to_owned()).or_default();
        if !pool.plugin.as_ref().is_some_and(|known| known.is(plugin)) {
            return false;
        }
        change(pool);
        self.changed.notify_one();
        true
    }
}
