//! Reads the scale and the metrics, applies the plan.

use super::behavior::History;
use super::metric::{Failure, Gathered};
use super::plan::{self, Plan, Snapshot};
use super::rivals::Rivals;
use super::source::Metrics;
use crate::Context;
use crate::support::kinds::Definition;
use crate::support::scale::{self, Scale};
use crate::support::{ops, status, time};
use crate::views::{Headers, Pod, Pods};
use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec};
use windlass_core::cache::Informer;
use windlass_core::client::{ClientExt, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::meta::LabelSelector;
use windlass_core::{Error, Object, Result, scheme};

/// Kubernetes' `--horizontal-pod-autoscaler-sync-period`.
const PERIOD: Duration = Duration::from_secs(15);

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    autoscalers: Headers,
    pods: Pods,
    definitions: Arc<Informer<Definition>>,
    metrics: Metrics,
    /// By uid: another of the same name begins anew.
    histories: Mutex<FxHashMap<ObjectKey, (String, History)>>,
    rivals: Rivals,
}

impl Sync {
    pub(super) fn new(
        context: &Context,
        autoscalers: Headers,
        pods: Pods,
        definitions: Arc<Informer<Definition>>,
    ) -> Self {
        let metrics = context.settings.metrics.clone();
        Self {
            context: context.clone(),
            recorder: context.recorder.named("horizontal-pod-autoscaler"),
            autoscalers,
            pods,
            definitions,
            metrics: Metrics(metrics.unwrap_or_else(|| context.client.clone())),
            histories: Mutex::default(),
            rivals: Rivals::default(),
        }
    }

    async fn look(
        &self,
        request: &ObjectKey,
        object: &Object,
        autoscaler: &HorizontalPodAutoscaler,
    ) -> Result<()> {
        let now = time::now(&self.context.env);
        let spec = &autoscaler.spec;
        let (key, found) = match self.scale(request, spec).await {
            Ok(found) => found,
            Err(error) => {
                self.rivals.forget(request);
                let plan = plan::without_scale(autoscaler, &error, now);
                return self.tell(request, object, autoscaler, plan).await;
            }
        };
        let current = found.spec.replicas;
        let (pods, metrics) = if plan::needs_metrics(autoscaler, current) {
            self.gather(request, spec, &found.status.selector).await
        } else {
            (vec![], Ok(vec![]))
        };
        let replicas = (current, found.status.replicas);
        let snapshot = Snapshot { autoscaler, replicas, metrics, pods: &pods, now };
        let mut history = self.history(request, object);
        let mut plan = plan::plan(&snapshot, &mut history);
        if let Some((desired, why)) = plan.rescale.clone() {
            let done = scale::scale(&self.context.client, &key, &found, desired).await;
            let done = done.map_err(|error| error.to_string());
            plan::scaled(&mut plan, &snapshot, &mut history, (desired, &why), done);
        }
        let uid = object.header().uid.to_string();
        self.histories.lock().insert(request.clone(), (uid, history));
        self.tell(request, object, autoscaler, plan).await
    }

    fn history(&self, request: &ObjectKey, object: &Object) -> History {
        let histories = self.histories.lock();
        let known = histories.get(request).filter(|(uid, _)| **uid == *object.header().uid);
        known.map(|(_, history)| history.clone()).unwrap_or_default()
    }

    async fn scale(
        &self,
        request: &ObjectKey,
        spec: &HorizontalPodAutoscalerSpec,
    ) -> std::result::Result<(Key, Scale), String> {
        let target = &spec.scale_target_ref;
        let version = target.api_version.as_deref().unwrap_or("v1");
        let named = (version, target.kind.as_str(), target.name.as_str());
        let key = scale::key(named, &request.namespace, &self.definitions)?;
        let scale = self.context.client.get_as(&key).await.map_err(|error| error.to_string())?;
        Ok((key, scale))
    }

    /// The pods that the scale selects, and what is to be known of each metric.
    async fn gather<'a>(
        &self,
        request: &ObjectKey,
        spec: &'a HorizontalPodAutoscalerSpec,
        selector: &str,
    ) -> (Vec<Pod>, std::result::Result<Vec<Gathered<'a>>, Failure>) {
        if selector.is_empty() {
            let why = "the HPA target's scale is missing a selector";
            return (vec![], Err(("InvalidSelector", why.into())));
        }
        let labels = match LabelSelector::parse(selector) {
            Ok(labels) => labels,
            Err(error) => {
                let why = format!(
                    "couldn't convert selector into a corresponding internal selector object: {error}"
                );
                return (vec![], Err(("InvalidSelector", why)));
            }
        };
        let mut pods = self.pods.list(Some(&request.namespace));
        pods.retain(|pod| labels.matches(&pod.object.header().labels));
        if let Some(why) = self.rivals.claim(request, labels, selector, &pods) {
            return (pods, Err(("AmbiguousSelector", why)));
        }
        let read = spec.metrics.iter().flatten().map(|spec| async move {
            let reading = self.metrics.read(spec, &request.namespace, selector).await;
            Gathered { spec, reading }
        });
        (pods, Ok(join_all(read).await))
    }

    async fn tell(
        &self,
        request: &ObjectKey,
        object: &Object,
        autoscaler: &HorizontalPodAutoscaler,
        plan: Plan,
    ) -> Result<()> {
        let mut ops = plan.events;
        if Some(&plan.status) != autoscaler.status.as_ref() {
            let key = Key::new(scheme::HORIZONTALPODAUTOSCALERS, &request.namespace, &request.name);
            ops.push(status::replace(key, object, &plan.status)?);
        }
        ops::apply(&*self.context.client, &self.recorder, ops).await.map(drop)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.autoscalers.get(&request.namespace, &request.name) else {
            self.histories.lock().remove(request);
            self.rivals.forget(request);
            return Ok(Action::Done);
        };
        let autoscaler: HorizontalPodAutoscaler = entry.object.view()?;
        match self.look(request, &entry.object, &autoscaler).await {
            // Somebody else wrote it: the next look is on what he wrote.
            Err(error) if error.is_conflict() => {}
            done => done?,
        }
        Ok(Action::RequeueAfter(PERIOD))
    }
}
