//! Carries out what the plan says.

use super::behind::Behind;
use super::graph::{Dependent, FOREGROUND, Graph, ORPHAN, Uid};
use super::owners::Owners;
use super::plan::{EndStep, Step, end, patience, step};
use super::watch::Queue;
use crate::Context;
use crate::support::kinds::Definition;
use crate::support::ops::{self, Op};
use async_trait::async_trait;
use futures::{TryStreamExt, stream};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use windlass_core::cache::Informer;
use windlass_core::client::{DeleteOptions, Key, Preconditions, Propagation};
use windlass_core::controller::{Action, Reconciler};
use windlass_core::object::{Header, Owner};
use windlass_core::{Error, Object, Result};

/// While not all dependents are known, it is looked again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// So many dependents are made orphans at the same time.
const AT_ONCE: usize = 16;

pub(super) struct Sync {
    context: Context,
    graph: Arc<Graph>,
    owners: Owners,
    queue: Arc<OnceLock<Queue>>,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        graph: Arc<Graph>,
        definitions: Arc<Informer<Definition>>,
        behind: Arc<Behind>,
        queue: Arc<OnceLock<Queue>>,
    ) -> Self {
        let (known, client) = (graph.clone(), context.client.clone());
        let owners = Owners { graph: known, definitions, behind, client };
        Self { context: context.clone(), graph, owners, queue }
    }

    async fn end(&self, uid: &str, key: &Key, step: EndStep) -> Result<()> {
        match step {
            EndStep::Nothing => Ok(()),
            EndStep::Release => self.release(uid, key, FOREGROUND).await,
            EndStep::Wait(dependents) => {
                // Each is a request of its own; the last one to go brings this one back.
                let there = dependents.into_iter().filter(|one| !one.deleting);
                let queue = self.queue.get().expect("the queue is there before the first request");
                there.for_each(|one| queue.add(one.uid));
                Ok(())
            }
            EndStep::Orphan(dependents) => {
                let strip = |one: Dependent| async move {
                    self.strip(&one.uid, &one.key, &[uid.into()]).await
                };
                let all = stream::iter(dependents.into_iter().map(Ok));
                all.try_for_each_concurrent(AT_ONCE, strip).await?;
                self.release(uid, key, ORPHAN).await
            }
        }
    }

    /// Looks at an object that stays so far: its owners may be gone.
    async fn consider(&self, uid: &str, key: &Key) -> Result<()> {
        let Some(live) = self.live(uid, key).await? else { return Ok(()) };
        let header = live.header();
        let owners = self.owners.states(header).await?;
        let has_dependents = !self.graph.dependents(uid).is_empty();
        match step(header, &owners, has_dependents) {
            Step::Keep => Ok(()),
            Step::Strip(owners) => self.strip(uid, key, &owners).await,
            Step::Delete(Propagation::Foreground) if self.graph.may_be_in_a_circle(uid) => {
                self.unblock(uid, key, header).await?;
                let Some(live) = self.live(uid, key).await? else { return Ok(()) };
                self.delete(key, live.header(), Propagation::Foreground).await
            }
            Step::Delete(policy) => self.delete(key, header, policy).await,
        }
    }

    async fn live(&self, uid: &str, key: &Key) -> Result<Option<Arc<Object>>> {
        match self.context.client.get(key).await {
            Err(error) if error.is_not_found() && error.names(&key.name) => Ok(None),
            other => Ok(Some(other?).filter(|live| *live.header().uid == *uid)),
        }
    }

    async fn strip(&self, uid: &str, key: &Key, gone: &[Box<str>]) -> Result<()> {
        let Some(live) = self.live(uid, key).await? else { return Ok(()) };
        let (kept, dropped): (Vec<_>, Vec<_>) =
            live.header().owners.iter().partition(|owner| !gone.contains(&owner.uid));
        if dropped.is_empty() {
            return Ok(());
        }
        let kept = kept.into_iter().map(written).collect();
        self.patch(key, live.header(), "ownerReferences", kept).await
    }

    /// Lets an object hold up none of its owners. In a circle each would wait for the next; with false alarms it only
    /// goes after them, not before.
    async fn unblock(&self, uid: &str, key: &Key, header: &Header) -> Result<()> {
        if !header.owners.iter().any(|owner| owner.block_owner_deletion) {
            return Ok(());
        }
        tracing::debug!(uid, %key, "owners may own each other: it blocks none of them now");
        let free = |owner: &Owner| written(&Owner { block_owner_deletion: false, ..owner.clone() });
        let owners = header.owners.iter().map(free).collect();
        self.patch(key, header, "ownerReferences", owners).await
    }

    async fn release(&self, uid: &str, key: &Key, finalizer: &str) -> Result<()> {
        let Some(live) = self.live(uid, key).await? else { return Ok(()) };
        let finalizers = &live.header().finalizers;
        let kept: Vec<Value> =
            finalizers.iter().filter(|f| ***f != *finalizer).map(|f| json!(**f)).collect();
        if kept.len() == finalizers.len() {
            return Ok(());
        }
        self.patch(key, live.header(), "finalizers", kept).await
    }

    /// Replaces a list in the metadata, if the object is as it was read.
    async fn patch(&self, key: &Key, header: &Header, field: &str, list: Vec<Value>) -> Result<()> {
        let list = if list.is_empty() { Value::Null } else { list.into() };
        let version = header.resource_version.to_string();
        let patch =
            json!({"metadata": {"uid": header.uid, "resourceVersion": version, field: list}});
        self.apply(Op::Patch(key.clone(), patch)).await
    }

    async fn delete(&self, key: &Key, header: &Header, policy: Propagation) -> Result<()> {
        let preconditions = Preconditions {
            uid: Some(header.uid.to_string()),
            resource_version: Some(header.resource_version.to_string()),
        };
        let options = DeleteOptions {
            preconditions: Some(preconditions),
            propagation_policy: Some(policy),
            ..DeleteOptions::default()
        };
        self.apply(Op::Delete(key.clone(), options)).await
    }

    async fn apply(&self, op: Op) -> Result<()> {
        ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await.map(drop)
    }
}

fn written(owner: &Owner) -> Value {
    let mut json = json!({"apiVersion": *owner.api_version, "kind": *owner.kind, "name": owner.name, "uid": owner.uid});
    if owner.controller {
        json["controller"] = true.into();
    }
    if owner.block_owner_deletion {
        json["blockOwnerDeletion"] = true.into();
    }
    json
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Uid;
    type Error = Error;

    async fn reconcile(&self, uid: &Uid) -> Result<Action> {
        let Some(node) = self.graph.get(uid) else { return Ok(Action::Done) };
        if node.deleting {
            // First whether all are known, then who they are.
            let known = self.graph.pending().is_over(patience(&node));
            let dependents = self.graph.dependents(uid);
            match end(&node, dependents) {
                EndStep::Orphan(_) | EndStep::Release if !known => {
                    return Ok(Action::RequeueAfter(AGAIN));
                }
                step => self.end(uid, &node.place.key(), step).await?,
            }
        } else {
            self.consider(uid, &node.place.key()).await?;
        }
        Ok(Action::Done)
    }
}
