//! The plugin that lets policies change objects (KEP-3962).

use super::apply::mutate;
use super::definition::{Binding, Bound, Mutation, Policies, Policy};
use super::forbidden;
use super::matched::{self, Invocation};
use crate::admission::expression::Input;
use crate::admission::index::{Index, Objects};
use crate::admission::reinvocation::Invoked;
use crate::admission::view::{View, is_exempt};
use crate::admission::{Admission, AdmissionRequest, Operation, Phase};
use crate::authorization::Authorizer;
use crate::metrics::admission::Check;
use crate::registry::Loopback;
use crate::strategy::Map;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::meta::{Reason, Status, StatusCause};
use windlass_core::scheme::{
    GroupVersionResource, MUTATINGADMISSIONPOLICIES, MUTATINGADMISSIONPOLICYBINDINGS,
};

/// MutatingAdmissionPolicies, where they are bound.
pub struct MutatingPolicies {
    policies: Index<Bound>,
    authorizer: Arc<dyn Authorizer>,
}

/// What went wrong, in the order in which it did.
#[derive(Default)]
struct Failures(Vec<(String, Option<Reason>)>);

impl MutatingPolicies {
    /// Follows policies and bindings among a server's objects, in tasks of the current runtime that end with it.
    /// Expressions ask `authorizer`.
    pub fn new(objects: &Loopback, authorizer: Arc<dyn Authorizer>) -> Self {
        let mut policies = Policies::default();
        let make = move |[all, bindings]: &[Objects; 2]| policies.make(all, bindings);
        let followed = [MUTATINGADMISSIONPOLICIES, MUTATINGADMISSIONPOLICYBINDINGS];
        Self { policies: Index::follow(objects, followed, make), authorizer }
    }

    async fn round(
        &self,
        policies: &[Bound],
        view: &View,
        request: &mut AdmissionRequest<'_>,
        invoked: &mut Invoked,
    ) -> Result<(), Status> {
        let second = request.reinvocation.is_second();
        let mut failures = Failures::default();
        let mut invocations = Vec::new();
        for found in matched::invocations(policies, view, request).await {
            match found {
                Ok(one) => invocations.push(one),
                Err(wrong) => {
                    request.metrics.checked(wrong.check(true), Duration::ZERO);
                    failures.add(wrong.policy, wrong.binding, &wrong.text(), None);
                }
            }
        }
        for one in &invocations {
            let key = one.key();
            if second && !invoked.wants(&key) {
                continue;
            }
            let before = request.object.clone();
            let begun = Instant::now();
            let invoked_now = self.invoke(one, view, request, &mut failures).await?;
            request.metrics.checked(one.check(), begun.elapsed());
            if !invoked_now {
                continue;
            }
            if before != request.object {
                invoked.require();
                request.reinvocation.changed();
            }
            if one.policy.reinvoke {
                invoked.called(&key);
            }
        }
        failures.into_result(view, request)
    }

    /// Does all mutations of a policy, if its conditions hold. Whether they do.
    async fn invoke(
        &self,
        one: &Invocation<'_>,
        view: &View,
        request: &mut AdmissionRequest<'_>,
        failures: &mut Failures,
    ) -> Result<bool, Status> {
        let params = one.param.as_ref().map(|(_, json)| json);
        if !one.policy.conditions.is_empty() {
            let input = Input::of(view, &one.entry, request).await?;
            let conditions = |input: &Input<'_>| one.policy.conditions.hold(input, params);
            match input.settle(&*self.authorizer, request, conditions).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(why) => {
                    failures.add(one.policy, Some(one.binding), &why, Some(Reason::Invalid));
                    return Ok(false);
                }
            }
        }
        for mutation in &one.policy.mutations {
            let mutated = self.mutated(one, mutation, view, request).await?;
            match mutated {
                Ok(None) => {}
                Ok(Some(object)) => {
                    let taken = view.take_back(&one.entry, request, object).await?;
                    request.object = Some(taken);
                }
                Err(why) => {
                    failures.add(one.policy, Some(one.binding), &why, Some(Reason::Invalid));
                }
            }
        }
        Ok(true)
    }

    async fn mutated(
        &self,
        one: &Invocation<'_>,
        mutation: &Mutation,
        view: &View,
        request: &AdmissionRequest<'_>,
    ) -> Result<Result<Option<Map>, String>, Status> {
        let params = one.param.as_ref().map(|(_, json)| json);
        let kind = view.kind(&one.entry);
        let input = Input::of(view, &one.entry, request).await?;
        let input = input.with_namespace(view, request).await?;
        let ask =
            |input: &Input<'_>| mutate(one.policy, mutation, input, params, (&one.entry, kind));
        Ok(input.settle(&*self.authorizer, request, ask).await)
    }
}

#[async_trait]
impl Admission for MutatingPolicies {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        let changes = matches!(operation, Operation::Create | Operation::Update);
        changes && !self.policies.is_empty() && !is_exempt(resource)
    }

    fn phase(&self) -> Phase {
        Phase::MutatingPolicy
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let policies = self.policies.get().await?;
        let Some(view) = View::of(request) else { return Ok(()) };
        let mut invoked = std::mem::take(&mut request.reinvocation.policies);
        if request.reinvocation.is_second() {
            invoked.begin(request.object.as_ref());
        }
        let done = self.round(&policies, &view, request, &mut invoked).await;
        invoked.end(request.object.as_ref());
        request.reinvocation.policies = invoked;
        done
    }
}

// === impl Invocation ===

impl Invocation<'_> {
    /// What is counted of it.
    fn check(&self) -> Check<'_> {
        let (policy, binding) = (&self.policy.name, &self.binding.name);
        Check { policy, binding, mutating: true, action: "", error: "no_error" }
    }

    /// What tells it from others.
    fn key(&self) -> String {
        let param = self.param.as_ref().map_or("", |(place, _)| place);
        format!("{}/{}/{param}", self.policy.name, self.binding.name)
    }
}

// === impl Failures ===

impl Failures {
    fn add(
        &mut self,
        policy: &Policy,
        binding: Option<&Binding>,
        why: &str,
        reason: Option<Reason>,
    ) {
        if !policy.fail {
            return;
        }
        let name = &policy.name;
        let text = match binding {
            Some(binding) => {
                format!("policy '{name}' with binding '{}' denied request: {why}", binding.name)
            }
            None => format!("policy {name:?} denied request: {why}"),
        };
        self.0.push((text, reason));
    }

    fn into_result(self, view: &View, request: &AdmissionRequest<'_>) -> Result<(), Status> {
        let Some((first, reason)) = self.0.first() else { return Ok(()) };
        let mut status = forbidden(view, request, "");
        status.message.clone_from(first);
        if let Some(reason) = reason {
            status.reason = reason.clone();
        }
        let cause = |(message, _): &(String, _)| StatusCause {
            message: message.clone(),
            ..StatusCause::default()
        };
        status.details.get_or_insert_default().causes = self.0.iter().map(cause).collect();
        Err(status)
    }
}
