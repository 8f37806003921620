//! Reads caches, applies the plan.

use super::GVK;
use super::plan::{Snapshot, plan, spec, target};
use crate::Context;
use crate::support::backoff::Backoffs;
use crate::support::batch;
use crate::support::claim;
use crate::support::endpoints::Nodes;
use crate::support::ops;
use crate::support::owner::{namespace_of, reference, uid_of};
use crate::support::revisions::{self, HASH_LABEL};
use crate::support::writes::Writes;
use crate::support::{status, time};
use crate::views::{BY_CONTROLLER, Headers, Pod, Pods, Selector, Workloads};
use async_trait::async_trait;
use std::collections::BTreeMap;
use windlass_core::apis::apps::v1::{ControllerRevision, DaemonSet};
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, scheme};

/// Seconds until a pod that failed is made anew: the first time, and at most.
const FIRST_WAIT: i64 = 1;
const LONGEST_WAIT: i64 = 15 * 60;

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    sets: Workloads,
    pods: Pods,
    nodes: Nodes,
    revisions: Headers,
    writes: Writes,
    /// Pods that failed: of which set, at which generation, on which node.
    failed: Backoffs<(String, Option<i64>, String)>,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        sets: Workloads,
        pods: Pods,
        nodes: Nodes,
        revisions: Headers,
    ) -> Self {
        let recorder = context.recorder.named("daemonset-controller");
        Self {
            context: context.clone(),
            recorder,
            sets,
            pods,
            nodes,
            revisions,
            writes: Writes::default(),
            failed: Backoffs::new(FIRST_WAIT, LONGEST_WAIT),
        }
    }

    async fn claim(&self, set: &DaemonSet, selector: &Selector) -> Result<Vec<Pod>> {
        let owning = claim::Owning {
            context: &self.context,
            pods: &self.pods,
            writes: &self.writes,
            resource: scheme::DAEMONSETS,
            gvk: &GVK,
            meta: &set.metadata,
            selector,
            finalizer: None,
        };
        owning.claim(|_| true).await
    }

    /// The revision of the template, written down: its hash, and how many collisions there were.
    async fn revision(&self, set: &DaemonSet, pods: &[Pod]) -> Result<(String, Option<i32>)> {
        let history = self.revisions.by_index(BY_CONTROLLER, uid_of(&set.metadata));
        let history: Vec<ControllerRevision> =
            history.iter().map(|entry| entry.object.view()).collect::<Result<_>>()?;
        let collisions = set.status.as_ref().and_then(|status| status.collision_count);
        let namespace = namespace_of(&set.metadata);
        let taken = |name: &str| self.revisions.get(namespace, name).is_some();
        let (meta, template) = (&set.metadata, &spec(set).template);
        let now = revisions::current(&GVK, meta, template, collisions, &history, taken);
        let in_use = |revision: &ControllerRevision| {
            let hash = revisions::label(revision);
            let of_pod = |pod: &Pod| pod.object.header().label(HASH_LABEL) == hash.as_deref();
            hash.as_deref() == Some(&now.hash) || pods.iter().any(of_pod)
        };
        let old =
            revisions::clean_up(&history, in_use, spec(set).revision_history_limit.unwrap_or(10));
        let ops = now.ops.into_iter().chain(old).collect();
        ops::apply(&*self.context.client, &self.recorder, ops).await?;
        Ok((now.hash, now.collisions))
    }

    fn by_node(pods: Vec<Pod>) -> Result<BTreeMap<String, Vec<Pod>>> {
        let mut by_node: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
        for pod in pods {
            let bound = &pod.view.spec.node_name;
            let node = if bound.is_empty() {
                target(&pod.object.view()?).unwrap_or_default()
            } else {
                bound.to_string()
            };
            by_node.entry(node).or_default().push(pod);
        }
        Ok(by_node)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        if !self.writes.are_shown(request, &self.pods) {
            return Ok(Writes::wait());
        }
        let Some(entry) = self.sets.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let set: DaemonSet = entry.object.view()?;
        let pods = self.claim(&set, &entry.view.spec.selector).await?;
        let (hash, collisions) = self.revision(&set, &pods).await?;
        let (nodes, pods) = (self.nodes.list(None), Self::by_node(pods)?);
        let now = time::now(&self.context.env);
        let (uid, generation) = (uid_of(&set.metadata), set.metadata.generation);
        let failing = |node: &str| (uid.to_owned(), generation, node.to_owned());
        let backoff = |node: &str| self.failed.wait(failing(node), now);
        let backoff = &backoff;
        let plan = plan(&Snapshot { set: &set, nodes, pods, hash, collisions, backoff, now });
        let (client, recorder, writes) = (&*self.context.client, &self.recorder, &self.writes);
        let batch = batch::Pods {
            client,
            recorder,
            about: reference(&GVK, &set.metadata),
            writes,
            request,
        };
        ops::apply(client, recorder, plan.events).await?;
        let scaled = batch.apply(plan.create, &plan.delete).await;
        if Some(&plan.status) != set.status.as_ref() {
            let op = status::replace(key(request), &entry.object, &plan.status)?;
            ops::apply(client, recorder, vec![op]).await?;
        }
        scaled.map_err(|failure| failure.error)?;
        Ok(plan.again.map_or(Action::Done, Action::RequeueAfter))
    }
}

fn key(request: &ObjectKey) -> Key {
    Key::new(scheme::DAEMONSETS, &request.namespace, &request.name)
}
