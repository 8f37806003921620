//! The plugin that lets webhooks refuse.

use super::hook::{Hook, Hooks};
use super::{Failure, call, cannot_call, takes};
use crate::admission::index::Index;
use crate::admission::view::{View, is_exempt};
use crate::admission::{Admission, AdmissionRequest, Operation, Phase};
use crate::authorization::Authorizer;
use crate::registry::Loopback;
use async_trait::async_trait;
use futures::future::join_all;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::scheme::{GroupVersionResource, VALIDATINGWEBHOOKCONFIGURATIONS};

/// The webhooks of ValidatingWebhookConfigurations: all that are about a request are asked at once.
pub struct ValidatingWebhooks {
    hooks: Index<Arc<Hook>>,
    authorizer: Arc<dyn Authorizer>,
}

impl ValidatingWebhooks {
    /// Follows the configurations among a server's objects, in tasks of the current runtime that end with it.
    /// Conditions ask `authorizer`.
    pub fn new(objects: &Loopback, authorizer: Arc<dyn Authorizer>) -> Self {
        let mut hooks = Hooks::new(objects.clone());
        let make = move |[all]: &[_; 1]| hooks.make(all);
        let hooks = Index::follow(objects, [VALIDATINGWEBHOOKCONFIGURATIONS], make);
        Self { hooks, authorizer }
    }
}

#[async_trait]
impl Admission for ValidatingWebhooks {
    fn handles(&self, _: Operation, resource: &GroupVersionResource) -> bool {
        !self.hooks.is_empty() && !is_exempt(resource)
    }

    fn phase(&self) -> Phase {
        Phase::ValidatingWebhook
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let hooks = self.hooks.get().await?;
        let Some(view) = View::of(request) else { return Ok(()) };
        let mut relevant = Vec::new();
        for hook in &*hooks {
            if let Some(entry) = takes(hook, &view, request, &*self.authorizer).await? {
                relevant.push((hook, entry));
            }
        }
        let asked = &*request;
        let calls =
            relevant.iter().map(|(hook, entry)| call::call(hook, false, &view, entry, asked));
        let answers = join_all(calls).await;
        let mut refusal = Ok(());
        for (at, ((hook, _), answer)) in relevant.iter().zip(answers).enumerate() {
            let (failure, mut answer) = match answer {
                Ok(answer) => (None, answer),
                Err((failure, answer)) => (Some(failure), answer),
            };
            call::note(hook, &mut answer, request);
            let refused = match failure {
                None => continue,
                Some(Failure::Refused(status)) => *status,
                Some(Failure::Calling(why)) if hook.fail => cannot_call(hook, &why),
                Some(Failure::Calling(why)) => {
                    tracing::warn!(
                        webhook = hook.name,
                        why,
                        "a webhook can't be called: passed by"
                    );
                    let key = format!(
                        "failed-open.validating.webhook.admission.k8s.io/round_0_index_{at}"
                    );
                    request.annotate(key, hook.name.as_str());
                    continue;
                }
            };
            refusal = refusal.and(Err(refused));
        }
        refusal
    }
}
