//! Reads caches, applies the plan.

use super::GVK;
use super::plan::{Snapshot, plan, spec, target};
use crate::Context;
use crate::support::batch;
use crate::support::claim::{self, Claimant};
use crate::support::endpoints::Nodes;
use crate::support::ops;
use crate::support::owner::{controller_ref, reference, uid_of};
use crate::support::revisions::{self, HASH_LABEL};
use crate::support::writes::Writes;
use crate::support::{status, time};
use crate::views::{self, BY_CONTROLLER, Headers, Pod, Pods, Selector, Workloads};
use async_trait::async_trait;
use std::collections::BTreeMap;
use windlass_core::apis::apps::v1::{ControllerRevision, DaemonSet};
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, scheme};

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    sets: Workloads,
    pods: Pods,
    nodes: Nodes,
    revisions: Headers,
    writes: Writes,
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
        }
    }

    async fn claim(
        &self,
        request: &ObjectKey,
        set: &DaemonSet,
        selector: &Selector,
    ) -> Result<Vec<Pod>> {
        let uid = uid_of(&set.metadata);
        let deleting = set.metadata.deletion_timestamp.is_some();
        let candidates = views::claimable(&self.pods, &request.namespace, uid);
        let claimed = claim::claim(&Claimant { uid, deleting, selector }, candidates, |_| true);
        let reference = controller_ref(&GVK, &request.name, uid);
        let version = claim::settle(
            &*self.context.client,
            &key(request),
            &reference,
            &scheme::PODS,
            &claimed,
        )
        .await?;
        self.writes.wrote(request, version);
        Ok(claimed.owned.into_iter().chain(claimed.adopt).collect())
    }

    /// The revision of the template, written down, and its hash.
    async fn revision(&self, set: &DaemonSet, pods: &[Pod]) -> Result<String> {
        let history = self.revisions.by_index(BY_CONTROLLER, uid_of(&set.metadata));
        let history: Vec<ControllerRevision> =
            history.iter().map(|entry| entry.object.view()).collect::<Result<_>>()?;
        let collisions = set.status.as_ref().and_then(|status| status.collision_count);
        let now =
            revisions::current(&GVK, &set.metadata, &spec(set).template, collisions, &history);
        let in_use = |revision: &ControllerRevision| {
            let hash = revisions::label(revision);
            let of_pod = |pod: &Pod| pod.object.header().label(HASH_LABEL) == hash.as_deref();
            hash.as_deref() == Some(&now.hash) || pods.iter().any(of_pod)
        };
        let old =
            revisions::clean_up(&history, in_use, spec(set).revision_history_limit.unwrap_or(10));
        let ops = now.ops.into_iter().chain(old).collect();
        ops::apply(&*self.context.client, &self.recorder, ops).await?;
        Ok(now.hash)
    }

    fn by_node(pods: Vec<Pod>) -> Result<BTreeMap<String, Vec<Pod>>> {
        let mut by_node: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
        for pod in pods {
            let bound = &pod.view.spec.node_name;
            let node = if bound.is_empty() {
                target(&pod.object.view()?).unwrap_or_default()
            } else {
                bound.clone()
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
        let pods = self.claim(request, &set, &entry.view.spec.selector).await?;
        let hash = self.revision(&set, &pods).await?;
        let (nodes, pods) = (self.nodes.list(None), Self::by_node(pods)?);
        let plan =
            plan(&Snapshot { set: &set, nodes, pods, hash, now: time::now(&self.context.env) });
        let (client, recorder, writes) = (&*self.context.client, &self.recorder, &self.writes);
        let batch = batch::Pods {
            client,
            recorder,
            about: reference(&GVK, &set.metadata),
            writes,
            request,
        };
        let scaled = match batch.create(plan.create).await {
            Ok(()) => batch.delete(&plan.delete).await,
            failed => failed,
        };
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
