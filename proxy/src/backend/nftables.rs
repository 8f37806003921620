//! Programs the kernel's nftables over netlink; no program of the system is called.
//!
//! Each IP family has a table `windlass` of its own; other tables are left alone. All Services
//! share a few maps: a destination leads to a *group* of endpoints, and (group, random index) to
//! an endpoint. Chains exist per *shape* (how many endpoints, affinity, masquerading), not per
//! Service, so that a change means some map elements and the kernel need not validate the
//! ruleset again. One sync is one atomic transaction with just the difference.

mod conntrack;
mod encode;
mod expr;
mod layout;
mod monitor;
mod node;
mod render;
mod ruleset;
mod table;
#[cfg(test)]
mod tests;
mod uapi;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

pub use layout::Settings;
pub use render::Renderer;
pub use ruleset::{Balancer, Element, Frontend, Mode, Target, Transaction, View};

use self::conntrack::Conntrack;
use self::monitor::{Monitor, Notice};
use self::table::Table;
use super::{Backend, BackendError, Change};
use crate::model::Family;

/// The backend of choice on Linux with root.
///
/// It works in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct NftablesBackend {
    kernel: Arc<Mutex<Kernel>>,
    /// Open while the table is complete; a resync would drown it in notifications.
    monitor: Option<Monitor>,
}

#[derive(Debug)]
struct Kernel {
    tables: Vec<Table>,
    conntrack: Conntrack,
}

// === impl NftablesBackend ===

impl NftablesBackend {
    /// Opens the kernel's interface, makes sure that the kernel can do what is needed, and switches
    /// IPv4 forwarding on. What an earlier run left behind stays in force until the first
    /// [`resync`](Backend::resync) replaces it. A kernel without IPv6 is served with IPv4 alone.
    pub fn open(settings: &Settings) -> Result<Self, BackendError> {
        let open = |family| Table::open(family, settings.clone());
        let mut tables = vec![open(Family::V4).map_err(BackendError::Unavailable)?];
        node::enable_forwarding()?;
        match open(Family::V6) {
            Ok(table) => tables.push(table),
            Err(error) => {
                tracing::warn!(%error, "no nftables for IPv6: only IPv4 Services are served");
            }
        }
        let conntrack = Conntrack::open().map_err(BackendError::Unavailable)?;
        let kernel = Arc::new(Mutex::new(Kernel { tables, conntrack }));
        Ok(Self { kernel, monitor: None })
    }

    /// Takes the tables away again: what a clean-up does that is meant to leave nothing behind.
    pub fn remove(&self) -> Result<(), BackendError> {
        self.kernel
            .lock()
            .tables
            .iter_mut()
            .try_for_each(Table::remove)
            .map_err(BackendError::Refused)
    }

    /// A monitor for changes by others; without one, only what a refused transaction tells is noticed.
    fn watch(&self) -> Option<Monitor> {
        let own =
            self.kernel.lock().tables.iter().map(Table::port_id).collect::<io::Result<Vec<_>>>();
        let monitor = own.and_then(Monitor::open);
        monitor
            .inspect_err(|error| tracing::warn!(%error, "changes by others will not be noticed"))
            .ok()
    }

    /// Runs `work` off the async threads: a large batch keeps its thread busy for a while.
    async fn run(
        &self,
        work: impl FnOnce(&mut Kernel) -> Result<(), BackendError> + Send + 'static,
    ) -> Result<(), BackendError> {
        let kernel = self.kernel.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut kernel.lock())).await;
        done.map_err(|error| BackendError::Io {
            what: "nftables thread".to_owned(),
            source: io::Error::other(error),
        })?
    }
}

#[async_trait]
impl Backend for NftablesBackend {
    fn name(&self) -> &'static str {
        "nftables"
    }

    async fn apply(&mut self, change: &Change) -> Result<(), BackendError> {
        let change = change.clone();
        self.run(move |kernel| kernel.apply(&change)).await
    }

    async fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        let state = state.clone();
        self.monitor = None;
        self.run(move |kernel| kernel.resync(&state)).await?;
        self.monitor = self.watch();
        Ok(())
    }

    async fn lost(&mut self) {
        let Some(monitor) = &mut self.monitor else { return std::future::pending().await };
        // What happened before the monitor was there is checked first.
        while self.kernel.lock().is_there() {
            if monitor.next().await == Notice::Foreign {
                return;
            }
        }
    }
}

// === impl Kernel ===

impl Kernel {
    fn is_there(&mut self) -> bool {
        self.tables.iter_mut().all(Table::is_there)
    }

    fn apply(&mut self, change: &Change) -> Result<(), BackendError> {
        let renderers = self.tables.iter().map(Table::renderer);
        let stale = conntrack::stale_after(renderers, &change.updated, &change.removed);
        for table in &mut self.tables {
            table.apply(change).map_err(BackendError::Refused)?;
        }
        self.forget(stale);
        Ok(())
    }

    fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        for table in &mut self.tables {
            table.replace(state).map_err(BackendError::Refused)?;
        }
        self.forget(conntrack::Stale::unless_served_by(&state.updated));
        Ok(())
    }

    /// Rules are in place by now: entries that are left over only delay what already works.
    fn forget(&mut self, stale: conntrack::Stale) {
        let with_own = match stale.has_node_ports() {
            true => super::sockets::own_addresses().map(|own| stale.at(own)),
            false => Ok(stale),
        };
        if let Err(error) = with_own.and_then(|stale| self.conntrack.forget(&stale)) {
            tracing::warn!(%error, "stale UDP connections were not cleared; they end by timeout");
        }
    }
}
