//! The loop: one pod after the other gets its turn; what is written to the API is written beside it.

use super::Shared;
use super::bind::Binder;
use super::state::Turn;
use crate::framework::{PermitWait, Placement, Reason, Unschedulable};
use crate::queue::QueuedPod;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use windlass_core::clock::Env;

/// So many bindings and reports travel at once.
const SLOTS: usize = 64;

pub(super) struct Running {
    shared: Arc<Shared>,
    binder: Arc<Binder>,
    env: Env,
    slots: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Running {
    pub(super) fn new(shared: Arc<Shared>, binder: Binder, env: Env) -> Self {
        let slots = Arc::new(Semaphore::new(SLOTS));
        Self { shared, binder: Arc::new(binder), env, slots, tasks: JoinSet::new() }
    }

    pub(super) async fn schedule_all(mut self) {
        let shared = self.shared.clone();
        loop {
            let woken = shared.wake.notified();
            while let Some(turn) = self.turn() {
                match turn {
                    Turn::Placed(queued, placement) => self.bind(queued, placement).await,
                    Turn::Refused(queued, why) => self.report(queued, why).await,
                }
                self.reap();
            }
            let due = shared.state.lock().queue.next_due();
            match due {
                // Running out of time is what is waited for.
                Some(due) => drop(tokio::time::timeout_at(due, woken).await),
                None => woken.await,
            }
            self.reap();
        }
    }

    fn turn(&self) -> Option<Turn> {
        self.shared.state.lock().turn(&*self.env.random, Instant::now())
    }

    /// Writes about a pod that got no node. When what was said last is still being written, this is left out.
    async fn report(&mut self, queued: QueuedPod, why: Unschedulable) {
        let Ok(mut last) = queued.report.clone().try_lock_owned() else { return };
        let slot = self.slots.clone().acquire_owned().await;
        let binder = self.binder.clone();
        self.tasks.spawn(async move {
            binder.failures.report(&queued.pod, &why, &mut last).await;
            drop(slot);
        });
    }

    /// Reserves at once, before the next pod has its turn; binds beside the loop.
    async fn bind(&mut self, queued: QueuedPod, placement: Placement) {
        let waits = match self.binder.reserve(&placement) {
            Ok(waits) => waits,
            Err(reason) => return self.shared.not_bound(queued, &placement, &reason),
        };
        // Those who wait for a word must not keep those from running who bring it.
        let slot = match waits.is_empty() {
            true => Some(self.slots.clone().acquire_owned().await),
            false => None,
        };
        let (shared, binder, slots) =
            (self.shared.clone(), self.binder.clone(), self.slots.clone());
        self.tasks.spawn(async move {
            let allowed = all(waits).await;
            let slot = match slot {
                Some(slot) => slot,
                None => slots.acquire_owned().await,
            };
            // What was said about the pod before comes first.
            let said = queued.report.clone().lock_owned().await;
            let bound = match allowed {
                Ok(()) => binder.bind(&placement).await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = bound {
                binder.unreserve(&placement);
                shared.not_bound(queued, &placement, &reason);
            }
            drop((said, slot));
        });
    }

    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.unwrap_or_else(|error: JoinError| tracing::error!(%error, "a binding broke off"));
        }
    }
}

impl Shared {
    fn not_bound(&self, queued: QueuedPod, placement: &Placement, reason: &str) {
        let pod = format!("{}/{}", queued.pod.namespace, queued.pod.name);
        tracing::warn!(%pod, node = %placement.node, %reason, "not bound, will retry");
        self.tell(|state, now| state.forget(queued, now));
    }
}

/// Waits for each word.
async fn all(waits: Vec<PermitWait>) -> Result<(), Reason> {
    for PermitWait { word, timeout } in waits {
        let word = tokio::time::timeout(timeout, word).await;
        let word = word.map_err(|_| Reason::from("no permit in time"))?;
        word.unwrap_or_else(|_| Err("who gives the permit has gone".into()))?;
    }
    Ok(())
}
