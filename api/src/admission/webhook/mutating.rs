//! The plugin that lets webhooks change objects.

use super::answer::Answer;
use super::hook::{Hook, Hooks};
use super::{Failure, call, cannot_call, takes};
use crate::admission::index::Index;
use crate::admission::reinvocation::Invoked;
use crate::admission::view::{View, is_exempt};
use crate::admission::{Admission, AdmissionRequest, Operation, Phase};
use crate::authorization::Authorizer;
use crate::patch;
use crate::registry::{Entry, Loopback};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::scheme::{GroupVersionResource, MUTATINGWEBHOOKCONFIGURATIONS};

/// The webhooks of MutatingWebhookConfigurations: asked one after the other, each sees what those before it did.
pub struct MutatingWebhooks {
    hooks: Index<Arc<Hook>>,
    authorizer: Arc<dyn Authorizer>,
}

/// A webhook on its turn.
struct Turn<'a> {
    hook: &'a Hook,
    round: u8,
    at: usize,
}

impl MutatingWebhooks {
    /// Follows the configurations among a server's objects, in tasks of the current runtime that end with it.
    /// Conditions ask `authorizer`.
    pub fn new(objects: &Loopback, authorizer: Arc<dyn Authorizer>) -> Self {
        let mut hooks = Hooks::new(objects.clone());
        let make = move |[all]: &[_; 1]| hooks.make(all);
        let hooks = Index::follow(objects, [MUTATINGWEBHOOKCONFIGURATIONS], make);
        Self { hooks, authorizer }
    }

    async fn round(
        &self,
        hooks: &[Arc<Hook>],
        view: &View,
        request: &mut AdmissionRequest<'_>,
        invoked: &mut Invoked,
    ) -> Result<(), Status> {
        let second = request.reinvocation.is_second();
        for (at, hook) in hooks.iter().enumerate() {
            if second && !invoked.wants(&hook.key) {
                continue;
            }
            let Some(entry) = takes(hook, view, request, &*self.authorizer).await? else {
                continue;
            };
            let turn = Turn { hook, round: u8::from(second), at };
            let called = turn.take(view, &entry, request).await;
            if matches!(called, Ok(true)) {
                invoked.require();
                request.reinvocation.changed();
            }
            if hook.reinvoke {
                invoked.called(&hook.key);
            }
            match called {
                Ok(_) => {}
                Err(Failure::Refused(status)) => return Err(*status),
                Err(Failure::Calling(why)) if hook.fail => return Err(cannot_call(hook, &why)),
                Err(Failure::Calling(why)) => {
                    tracing::warn!(
                        webhook = hook.name,
                        why,
                        "a webhook can't be called: passed by"
                    );
                    let key = turn.key("failed-open.mutation.webhook.admission.k8s.io");
                    request.annotate(key, hook.name.as_str());
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Admission for MutatingWebhooks {
    fn handles(&self, _: Operation, resource: &GroupVersionResource) -> bool {
        !self.hooks.is_empty() && !is_exempt(resource)
    }

    fn phase(&self) -> Phase {
        Phase::MutatingWebhook
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let hooks = self.hooks.get().await?;
        let Some(view) = View::of(request) else { return Ok(()) };
        let mut invoked = std::mem::take(&mut request.reinvocation.webhooks);
        if request.reinvocation.is_second() {
            invoked.begin(request.object.as_ref());
        }
        let done = self.round(&hooks, &view, request, &mut invoked).await;
        invoked.end(request.object.as_ref());
        request.reinvocation.webhooks = invoked;
        done
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Calls the webhook and does what it says. Whether that changed the object.
    async fn take(
        &self,
        view: &View,
        entry: &Entry,
        request: &mut AdmissionRequest<'_>,
    ) -> Result<bool, Failure> {
        let (failure, mut answer) = match call::call(self.hook, true, view, entry, request).await {
            Ok(answer) => (None, answer),
            Err((failure, answer)) => (Some(failure), answer),
        };
        call::note(self.hook, &mut answer, request);
        let changed = match failure {
            Some(failure) => Err(failure),
            None => self.apply(answer, view, entry, request).await,
        };
        let Hook { configuration, name: webhook, .. } = self.hook;
        let mutated = matches!(changed, Ok(true));
        let value = json!({"configuration": configuration, "webhook": webhook, "mutated": mutated});
        request.annotate(self.key("mutation.webhook.admission.k8s.io"), value.to_string());
        changed
    }

    async fn apply(
        &self,
        answer: Answer,
        view: &View,
        entry: &Entry,
        request: &mut AdmissionRequest<'_>,
    ) -> Result<bool, Failure> {
        let refused = |status: Status| Failure::Refused(Box::new(status));
        let name = &self.hook.name;
        let Some(patch) = answer.patch else { return Ok(false) };
        let steps: Vec<Value> = serde_json::from_slice::<json_patch::Patch>(&patch)
            .and_then(|_| serde_json::from_slice(&patch))
            .map_err(|error| {
                let why = format!("received undecodable patch in webhook response: {error}");
                Failure::Calling(why)
            })?;
        if steps.is_empty() {
            return Ok(false);
        }
        let Some(object) = &request.object else {
            let text = format!(
                "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
            );
            return Err(refused(Status::internal(text)));
        };
        let seen = view.object(entry, object).await.map_err(refused)?;
        let patched = patch::json(&seen, &patch)
            .map_err(|status| refused(Status::internal(&status.message)))?;
        let changed = patched != *seen;
        let taken = view.take_back(entry, request, patched).await.map_err(refused)?;
        request.object = Some(taken);
        let Hook { configuration, name: webhook, .. } = self.hook;
        let value = json!({"configuration": configuration, "webhook": webhook, "patch": steps, "patchType": "JSONPatch"});
        request.annotate(self.key("patch.webhook.admission.k8s.io"), value.to_string());
        Ok(changed)
    }

    /// The key of an annotation.
    fn key(&self, domain: &str) -> String {
        format!("{domain}/round_{}_index_{}", self.round, self.at)
    }
}
