//! Reads caches, asks the server about nodes, applies the plan.

use super::TERMINATED;
use super::plan::{is_out_of_service, lost, out_of_service, terminated};
use crate::Context;
use crate::support::endpoints::Nodes;
use crate::support::ops;
use crate::support::time;
use crate::views::{Pod, Pods};
use async_trait::async_trait;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

/// A node that is missing for less may just be slow to register.
const QUARANTINE: Duration = Duration::from_secs(40);

/// By then all pods of a missing node are collected.
const FORGET: Duration = Duration::from_secs(3600);

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    /// A pod that may be lost.
    Pod(ObjectKey),
    /// All that have ended.
    Terminated,
}

pub(super) struct Sync {
    context: Context,
    nodes: Nodes,
    pods: Pods,
    missing: Mutex<FxHashMap<String, Instant>>,
}

impl Sync {
    pub(super) fn new(context: &Context, nodes: Nodes, pods: Pods) -> Self {
        Self { context: context.clone(), nodes, pods, missing: Mutex::default() }
    }

    async fn pod(&self, key: &ObjectKey) -> Result<Action> {
        let Some(pod) = self.pods.get(&key.namespace, &key.name) else { return Ok(Action::Done) };
        let node = &pod.view.spec.node_name;
        let mut gone = false;
        if !node.is_empty() {
            match self.missing_for(node) {
                None => return self.on_node(&pod).await,
                Some(time) if time < QUARANTINE => {
                    return Ok(Action::RequeueAfter(QUARANTINE - time));
                }
                Some(_) => gone = self.is_gone(node).await?,
            }
        }
        let ops = lost(&pod, gone, time::now(&self.context.env));
        ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        Ok(Action::Done)
    }

    /// A pod whose node is there.
    async fn on_node(&self, pod: &Pod) -> Result<Action> {
        let node = self.nodes.get("", &pod.view.spec.node_name);
        if node.is_some_and(|node| is_out_of_service(&node.view)) {
            let ops = out_of_service(pod, time::now(&self.context.env));
            ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
        }
        Ok(Action::Done)
    }

    fn missing_for(&self, node: &str) -> Option<Duration> {
        let mut missing = self.missing.lock();
        if self.nodes.get("", node).is_some() {
            missing.remove(node);
            return None;
        }
        missing.retain(|_, since| since.elapsed() < FORGET);
        Some(missing.entry(node.to_owned()).or_insert_with(Instant::now).elapsed())
    }

    async fn is_gone(&self, node: &str) -> Result<bool> {
        match self.context.client.get(&Key::cluster(scheme::NODES, node)).await {
            Err(error) if error.is_not_found() => Ok(true),
            other => other.map(|_| false),
        }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action> {
        match request {
            Request::Pod(key) => self.pod(key).await,
            Request::Terminated => {
                let threshold = self.context.settings.terminated_pod_threshold;
                let ended = self.pods.by_index(TERMINATED, "");
                let ops = terminated(ended, threshold, time::now(&self.context.env));
                ops::apply(&*self.context.client, &self.context.recorder, ops).await?;
                Ok(Action::Done)
            }
        }
    }
}
