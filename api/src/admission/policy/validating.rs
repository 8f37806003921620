//! The plugin that lets policies refuse.

use super::definition::{Action, Binding, Bound, Policies, Policy};
use super::evaluate::{Denial, Verdict, evaluate};
use super::forbidden;
use super::matched;
use crate::admission::expression::Input;
use crate::admission::index::{Index, Objects};
use crate::admission::view::{View, is_exempt};
use crate::admission::{Admission, AdmissionRequest, Operation, Phase};
use crate::authorization::Authorizer;
use crate::metrics::admission::Check;
use crate::registry::{Entry, Loopback};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::{
    GroupVersionResource, VALIDATINGADMISSIONPOLICIES, VALIDATINGADMISSIONPOLICYBINDINGS,
};

/// So many failures are noted for the audit log.
const MAX_FAILURES: usize = 50;
/// Longer annotations are cut off.
const MAX_ANNOTATION: usize = 10 * 1024;

/// ValidatingAdmissionPolicies, where they are bound.
pub struct ValidatingPolicies {
    policies: Index<Bound>,
    authorizer: Arc<dyn Authorizer>,
}

/// What all policies say of a request.
#[derive(Default)]
struct Outcome {
    /// The first denial; what else there is would not be shown.
    denied: Option<(String, Reason)>,
    warnings: Vec<String>,
    failures: Vec<Value>,
    /// For the audit log: all values of each key.
    published: BTreeMap<String, Vec<String>>,
}

impl ValidatingPolicies {
    /// Follows policies and bindings among a server's objects, in tasks of the current runtime that end with it.
    /// Expressions ask `authorizer`.
    pub fn new(objects: &Loopback, authorizer: Arc<dyn Authorizer>) -> Self {
        let mut policies = Policies::default();
        let make = move |[all, bindings]: &[Objects; 2]| policies.make(all, bindings);
        let followed = [VALIDATINGADMISSIONPOLICIES, VALIDATINGADMISSIONPOLICYBINDINGS];
        Self { policies: Index::follow(objects, followed, make), authorizer }
    }

    async fn ask(
        &self,
        policies: &[Bound],
        view: &View,
        request: &AdmissionRequest<'_>,
    ) -> Result<Outcome, Status> {
        let mut outcome = Outcome::default();
        // What expressions look at is the same for all policies that take the request as the same resource.
        let mut known: Option<(Arc<Entry>, Input<'_>)> = None;
        for found in matched::invocations(policies, view, request).await {
            let one = match found {
                Ok(one) => one,
                Err(wrong) if wrong.policy.fail => {
                    request.metrics.checked(wrong.check(false), Duration::ZERO);
                    outcome.deny(wrong.policy, wrong.binding, &wrong.text(), Reason::Invalid);
                    continue;
                }
                Err(_) => continue,
            };
            let input = match known.take() {
                Some((entry, input)) if Arc::ptr_eq(&entry, &one.entry) => input,
                _ => {
                    let fresh = Input::of(view, &one.entry, request).await?;
                    fresh.with_namespace(view, request).await?
                }
            };
            let params = one.param.as_ref().map(|(_, json)| json);
            let ask = |input: &Input<'_>| evaluate(one.policy, input, params);
            let begun = Instant::now();
            let verdict = input.settle(&*self.authorizer, request, ask).await;
            for check in checks(one.policy, one.binding, &verdict) {
                request.metrics.checked(check, begun.elapsed());
            }
            outcome.take(one.policy, one.binding, verdict);
            known = Some((one.entry, input));
        }
        Ok(outcome)
    }
}

#[async_trait]
impl Admission for ValidatingPolicies {
    fn handles(&self, _: Operation, resource: &GroupVersionResource) -> bool {
        !self.policies.is_empty() && !is_exempt(resource)
    }

    fn phase(&self) -> Phase {
        Phase::ValidatingPolicy
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let policies = self.policies.get().await?;
        let Some(view) = View::of(request) else { return Ok(()) };
        let outcome = self.ask(&policies, &view, request).await?;
        let Outcome { denied, mut warnings, failures, published } = outcome;
        request.warnings.append(&mut warnings);
        if !failures.is_empty() {
            let key = "validation.policy.admission.k8s.io/validation_failure".to_owned();
            request.annotate(key, Value::from(failures).to_string());
        }
        for (key, values) in published {
            request.annotate(key, values.join(", "));
        }
        let Some((message, reason)) = denied else { return Ok(()) };
        let mut status = forbidden(&view, request, &message);
        let known = match reason {
            Reason::Forbidden | Reason::Unauthorized | Reason::RequestEntityTooLarge => &reason,
            _ => &Reason::Invalid,
        };
        status.code = Status::failure(known.clone(), "").code;
        status.reason = reason;
        Err(status)
    }
}

/// What is counted of a verdict.
fn checks<'a>(
    policy: &'a Policy,
    binding: &'a Binding,
    verdict: &Verdict,
) -> impl Iterator<Item = Check<'a>> {
    let denied = !verdict.denials.is_empty() || !verdict.failed.is_empty();
    let actions = if denied { binding.actions.as_slice() } else { &[] };
    let words = actions.iter().map(|action| match action {
        Action::Deny => "deny",
        Action::Warn => "warn",
        Action::Audit => "audit",
    });
    let (policy, name) = (&policy.name, &binding.name);
    let check =
        move |action| Check { policy, binding: name, mutating: false, action, error: "no_error" };
    words.chain((!denied).then_some("allow")).map(check)
}

// === impl Outcome ===

impl Outcome {
    fn deny(&mut self, policy: &Policy, binding: Option<&Binding>, why: &str, reason: Reason) {
        let name = &policy.name;
        let with = binding.map_or_else(String::new, |one| format!(" with binding '{}'", one.name));
        self.denied.get_or_insert_with(|| {
            (format!("ValidatingAdmissionPolicy '{name}'{with} denied request: {why}"), reason)
        });
    }

    fn take(&mut self, policy: &Policy, binding: &Binding, verdict: Verdict) {
        for denial in verdict.denials {
            self.act(policy, binding, denial);
        }
        for (key, value) in verdict.annotations {
            let values = self.published.entry(format!("{}/{key}", policy.name)).or_default();
            let value = cut(value);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        for why in verdict.failed {
            self.deny(policy, Some(binding), &why, Reason::Invalid);
        }
    }

    fn act(&mut self, policy: &Policy, binding: &Binding, denial: Denial) {
        let Denial { at, message, reason } = denial;
        for action in &binding.actions {
            match action {
                Action::Deny => self.deny(policy, Some(binding), &message, reason.clone()),
                Action::Warn => self.warnings.push(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {message}",
                    policy.name, binding.name
                )),
                Action::Audit if self.failures.len() < MAX_FAILURES => self.failures.push(json!({
                    "message": message, "policy": policy.name, "binding": binding.name,
                    "expressionIndex": at, "validationActions": binding.actions,
                })),
                Action::Audit => {}
            }
        }
    }
}

fn cut(mut value: String) -> String {
    if value.len() > MAX_ANNOTATION {
        let mut end = MAX_ANNOTATION;
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        value.truncate(end);
    }
    value
}
