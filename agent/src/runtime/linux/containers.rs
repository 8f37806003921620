//! Containers as a process knows them, whatever runs them.

use super::state::{self, ContainerRecord, ExitRecord, io_error};
use super::{cgroup, lost};
use crate::runtime::{
    ContainerId, ContainerState, ContainerStatus, Error, Event, Resources, Result, SandboxId,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{MutexGuard, broadcast, watch};

/// How many events a slow reader may be behind before it is told [`Event::Lost`].
const EVENTS: usize = 1024;
/// How long the kernel may take to end a container that was killed.
pub(in crate::runtime) const KILL: Duration = Duration::from_secs(20);

/// A container, with what one kind of runtime knows of it besides.
pub(in crate::runtime) struct Container<X> {
    pub(in crate::runtime) record: ContainerRecord,
    pub(in crate::runtime) folder: PathBuf,
    pub(in crate::runtime) state: watch::Sender<ContainerState>,
    /// One task at a time starts or removes it.
    pub(in crate::runtime) change: tokio::sync::Mutex<()>,
    /// The limits it has now.
    resources: Mutex<Resources>,
    own: X,
}

/// All containers of a runtime, and who wants to hear of them.
pub(in crate::runtime) struct Shelf<X> {
    all: Mutex<HashMap<ContainerId, Arc<Container<X>>>>,
    events: broadcast::Sender<Event>,
}

// === impl Container ===

impl<X> Container<X> {
    pub(in crate::runtime) fn new(
        layout: &state::Layout,
        record: ContainerRecord,
        state: ContainerState,
        own: X,
    ) -> Self {
        Self {
            folder: layout.container(&record.id),
            resources: Mutex::new(record.config.resources.clone()),
            record,
            state: watch::Sender::new(state),
            change: tokio::sync::Mutex::default(),
            own,
        }
    }

    pub(in crate::runtime) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Running { .. })
    }

    /// Why what needs a container that runs can't be done.
    pub(in crate::runtime) fn not_running(&self) -> Error {
        Error::Failed(format!("container {} is not running", self.record.id.0))
    }

    /// Lets its start begin, and no other; `None` when it runs already.
    pub(in crate::runtime) async fn begin(&self) -> Result<Option<MutexGuard<'_, ()>>> {
        let one = self.change.lock().await;
        match &*self.state.borrow() {
            ContainerState::Created => Ok(Some(one)),
            ContainerState::Running { .. } => Ok(None),
            ContainerState::Exited { .. } => {
                Err(Error::Invalid(format!("container {} has ended", self.record.id.0)))
            }
        }
    }

    pub(in crate::runtime) async fn wait_exit(&self, within: Duration) -> bool {
        let mut state = self.state.subscribe();
        let exited = state.wait_for(|s| !matches!(s, ContainerState::Running { .. }));
        tokio::time::timeout(within, exited).await.is_ok()
    }

    /// Asks a container that runs to end, and kills it when it doesn't in time. `signal` sends it one.
    pub(in crate::runtime) async fn stop<F>(
        &self,
        grace: Duration,
        signal: impl Fn(i32) -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        if !self.is_running() {
            return Ok(());
        }
        if !grace.is_zero() {
            signal(self.record.stop_signal).await?;
            if self.wait_exit(grace).await {
                return Ok(());
            }
        }
        signal(nix::sys::signal::Signal::SIGKILL as i32).await?;
        match self.wait_exit(KILL).await {
            true => Ok(()),
            false => Err(Error::Failed(format!("container {} does not end", self.record.id.0))),
        }
    }

    /// Gives it other limits, and notes them.
    pub(in crate::runtime) async fn update(&self, resources: Resources) -> Result<()> {
        let _one = self.change.lock().await;
        if !self.is_running() {
            return Err(self.not_running());
        }
        let mut record = self.record.clone();
        record.config.resources = resources.over(&self.resources.lock());
        let now = record.config.resources.clone();
        let path = self.folder.join("container.json");
        let work = move || {
            let (group, resources) = (&record.cgroup, &record.config.resources);
            cgroup::apply(group, resources).map_err(|e| io_error(group, e))?;
            state::write(&path, &record)
        };
        tokio::task::spawn_blocking(work).await.map_err(lost)??;
        *self.resources.lock() = now;
        Ok(())
    }

    /// What is noted of a container whose end nobody saw.
    pub(in crate::runtime) fn lost_record(&self, now: SystemTime, why: &str) -> ExitRecord {
        let (started_at, exit_code, reason) = match &*self.state.borrow() {
            ContainerState::Running { started_at, .. } => (Some(*started_at), 137, "Error"),
            _ => (None, 128, "StartError"),
        };
        ExitRecord {
            started_at,
            finished_at: now,
            exit_code,
            reason: reason.into(),
            message: why.into(),
        }
    }

    fn status(&self) -> ContainerStatus {
        let r = &self.record;
        ContainerStatus {
            id: r.id.clone(),
            sandbox: r.sandbox.clone(),
            name: r.config.name.clone(),
            attempt: r.config.attempt,
            image: r.config.image.clone(),
            state: self.state.borrow().clone(),
            created_at: r.created_at,
            resources: self.resources.lock().clone(),
            log_path: r.config.log_path.clone(),
            labels: r.config.labels.clone(),
            annotations: r.config.annotations.clone(),
        }
    }
}

impl<X> Deref for Container<X> {
    type Target = X;

    fn deref(&self) -> &X {
        &self.own
    }
}

// === impl Shelf ===

impl<X> Default for Shelf<X> {
    fn default() -> Self {
        Self { all: Mutex::default(), events: broadcast::channel(EVENTS).0 }
    }
}

impl<X> Shelf<X> {
    pub(in crate::runtime) fn get(&self, id: &ContainerId) -> Result<Arc<Container<X>>> {
        let found = self.all.lock().get(id).cloned();
        found.ok_or_else(|| Error::NotFound(format!("container {}", id.0)))
    }

    /// Those that `wanted` says.
    pub(in crate::runtime) fn filter(
        &self,
        wanted: impl Fn(&Container<X>) -> bool,
    ) -> Vec<Arc<Container<X>>> {
        self.all.lock().values().filter(|c| wanted(c)).cloned().collect()
    }

    pub(in crate::runtime) fn of(&self, id: &SandboxId) -> Vec<Arc<Container<X>>> {
        self.filter(|c| c.record.sandbox == *id)
    }

    pub(in crate::runtime) fn list(&self) -> Vec<ContainerStatus> {
        self.all.lock().values().map(|c| c.status()).collect()
    }

    pub(in crate::runtime) fn insert(&self, container: Container<X>) -> Arc<Container<X>> {
        let container = Arc::new(container);
        self.all.lock().insert(container.record.id.clone(), container.clone());
        container
    }

    pub(in crate::runtime) fn remove(&self, id: &ContainerId) {
        self.all.lock().remove(id);
    }

    pub(in crate::runtime) fn publish(&self, event: Event) {
        // Nobody listening is no error.
        self.events.send(event).ok();
    }

    pub(in crate::runtime) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
