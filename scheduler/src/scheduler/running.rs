//! The loop: one pod after the other gets its turn; what is written to the API is written beside it.

use super::Shared;
use super::bind::Binder;
use super::state::{Placed, Turn};
use crate::extender::{NamedRoom, Objects};
use crate::framework::{PermitWait, Placement, Reason, Unschedulable};
use crate::queue::QueuedPod;
use futures::FutureExt;
use smallvec::SmallVec;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use windlass_core::clock::Env;
use windlass_core::meta::Str;

/// So many bindings and reports may be under way. The cycles wait for none of them, unless there are more.
const SLOTS: usize = 4096;
/// So many reports travel at once.
const REPORTS: usize = 64;

pub(super) struct Running {
    shared: Arc<Shared>,
    binder: Arc<Binder>,
    env: Env,
    objects: Objects,
    slots: Arc<Semaphore>,
    reports: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Running {
    pub(super) fn new(shared: Arc<Shared>, binder: Binder, objects: Objects, env: Env) -> Self {
        let (slots, reports) = (Semaphore::new(SLOTS), Semaphore::new(REPORTS));
        let (slots, reports) = (Arc::new(slots), Arc::new(reports));
        let (binder, tasks) = (Arc::new(binder), JoinSet::new());
        Self { shared, binder, env, objects, slots, reports, tasks }
    }

    pub(super) async fn schedule_all(mut self) {
        let shared = self.shared.clone();
        loop {
            let woken = shared.wake.notified();
            while let Some(mut turn) = self.turn() {
                loop {
                    let next = match turn {
                        Turn::Placed(together) => break self.bind(together).await,
                        Turn::Refused(queued, why) => break self.report(queued, why).await,
                        Turn::Consult(queued, nodes) => self.consult(queued, nodes).await,
                        Turn::MakeRoom(queued, why, rooms) => {
                            self.choose_room(queued, why, rooms).await
                        }
                    };
                    match next {
                        Some(next) => turn = next,
                        None => break,
                    }
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

    /// Extenders say where a pod may go. As in Kubernetes the pods behind it wait.
    async fn consult(&self, queued: QueuedPod, nodes: Vec<(Str, i64)>) -> Option<Turn> {
        let said = self.binder.extenders.consult(&queued.pod, nodes, &self.objects).await;
        self.shared.state.lock().consulted(queued, said, &*self.env.random, Instant::now())
    }

    /// Extenders say who may be pushed away for a pod.
    async fn choose_room(
        &self,
        queued: QueuedPod,
        why: Unschedulable,
        rooms: Vec<NamedRoom>,
    ) -> Option<Turn> {
        let shared = self.shared.clone();
        let lookup = move |node: &str, uid: &str| shared.state.lock().pod_on(node, uid);
        let said = self.binder.extenders.rooms(&queued.pod, rooms, &self.objects, &lookup).await;
        self.shared.state.lock().room_chosen(queued, why, said, Instant::now())
    }

    /// Writes about a pod that got no node, then makes room for it. When what was said last is still being written,
    /// and nobody has to go, this is left out.
    async fn report(&mut self, queued: QueuedPod, why: Unschedulable) {
        let last = queued.report.clone().try_lock_owned();
        if last.is_err() && why.victims.is_empty() {
            return;
        }
        let slot = self.slots.clone().acquire_owned().await;
        let (shared, binder) = (self.shared.clone(), self.binder.clone());
        let reports = self.reports.clone();
        self.tasks.spawn(async move {
            let mut last = match last {
                Ok(last) => last,
                Err(_) => queued.report.clone().lock_owned().await,
            };
            let made = async {
                let report = reports.acquire().await;
                binder.failures.report(&queued.pod, &why, &mut last).await;
                drop(report);
                let made = binder.failures.make_room(&queued.pod, &why).await;
                made.map_err(|error| Reason::from(error.to_string()))
            };
            // What breaks off here must not leave the pod waiting for victims that nobody ends.
            match unbroken(made).await {
                Ok(()) if why.victims.is_empty() => {}
                Ok(()) => shared.tell(|state, now| state.room_asked_for(&queued.pod.uid, now)),
                Err(reason) => {
                    tracing::warn!(pod = %queued.pod.name, %reason, "not told, or no room made: will retry");
                    shared.tell(|state, now| state.no_room(&queued.pod.uid, now));
                }
            }
            drop(slot);
        });
    }

    /// Reserves at once, before the next pod has its turn; binds beside the loop.
    async fn bind(&mut self, together: SmallVec<[Placed; 1]>) {
        let waits = match self.binder.reserve(&together) {
            Ok(waits) => waits,
            Err(reason) => return self.shared.none_bound(together, &reason),
        };
        if waits.is_empty() {
            for placed in together {
                let slot = match waits_for_others(&placed) {
                    true => None,
                    false => Some(self.slots.clone().acquire_owned().await),
                };
                let (shared, binder) = (self.shared.clone(), self.binder.clone());
                let slots = self.slots.clone();
                self.tasks.spawn(async move {
                    bind_one(&shared, &binder, &slots, placed, slot.is_some()).await;
                    drop(slot);
                });
            }
            return;
        }
        // Those who wait for a word must not keep those from running who bring it: they have no slot yet.
        let (shared, binder, slots) =
            (self.shared.clone(), self.binder.clone(), self.slots.clone());
        self.tasks.spawn(async move {
            if let Err(reason) = all(waits).await {
                together.iter().for_each(|(_, placement)| binder.unreserve(placement));
                return shared.none_bound(together, &reason);
            }
            let mut binding = JoinSet::new();
            for placed in together {
                let (shared, binder, slots) = (shared.clone(), binder.clone(), slots.clone());
                binding.spawn(async move {
                    bind_one(&shared, &binder, &slots, placed, false).await;
                });
            }
            binding.join_all().await;
        });
    }

    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.unwrap_or_else(|error: JoinError| tracing::error!(%error, "a binding broke off"));
        }
    }
}

/// What has to be made for the pod before it can be bound may take minutes: volumes. Meanwhile it has no slot.
fn waits_for_others((_, placement): &Placed) -> bool {
    !placement.pod.claims.is_empty() || !placement.pod.resource_claims.is_empty()
}

async fn bind_one(
    shared: &Shared,
    binder: &Binder,
    slots: &Semaphore,
    (queued, placement): Placed,
    has_slot: bool,
) {
    // What was said about the pod before comes first.
    let said = queued.report.clone().lock_owned().await;
    let bound = async {
        binder.prepare(&placement).await?;
        let slot = if has_slot { None } else { Some(slots.acquire().await) };
        let bound = binder.bind(&placement).await;
        drop(slot);
        bound
    };
    // A plugin that panics must not leave the pod without a node and without a turn.
    if let Err(reason) = unbroken(bound).await {
        binder.unreserve(&placement);
        shared.not_bound(queued, &placement, &reason);
    }
    drop(said);
}

/// What becomes of something that may panic.
async fn unbroken(what: impl Future<Output = Result<(), Reason>>) -> Result<(), Reason> {
    let done = AssertUnwindSafe(what).catch_unwind().await;
    done.unwrap_or_else(|_| Err("it broke off".into()))
}

impl Shared {
    fn none_bound(&self, together: SmallVec<[Placed; 1]>, reason: &str) {
        for (queued, placement) in together {
            self.not_bound(queued, &placement, reason);
        }
    }

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

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn what_breaks_off_has_failed() {
        let broken = async { panic!("on purpose") };
        assert!(super::unbroken(broken).await.is_err());
        assert_eq!(super::unbroken(async { Ok(()) }).await, Ok(()));
    }
}
