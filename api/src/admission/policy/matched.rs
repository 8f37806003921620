//! Which policies, with which bindings and parameters, are about a request.

use super::definition::{Binding, Bound, Policy};
use super::params::{self, Param};
use crate::admission::AdmissionRequest;
use crate::admission::view::View;
use crate::metrics::admission::Check;
use crate::registry::Entry;
use std::sync::Arc;

/// A policy with a binding and parameters that is about a request.
pub(super) struct Invocation<'a> {
    pub(super) policy: &'a Policy,
    pub(super) binding: &'a Binding,
    /// The resource as which the policy takes the request.
    pub(super) entry: Arc<Entry>,
    pub(super) param: Param,
}

/// A policy, or one of its bindings, that can't be evaluated as it is written.
pub(super) struct Misconfigured<'a> {
    pub(super) policy: &'a Policy,
    pub(super) binding: Option<&'a Binding>,
    pub(super) why: String,
}

type Found<'a> = Vec<Result<Invocation<'a>, Misconfigured<'a>>>;

/// All that is about a request as it is now.
pub(super) async fn invocations<'a>(
    policies: &'a [Bound],
    view: &View,
    request: &AdmissionRequest<'_>,
) -> Found<'a> {
    let mut all = Vec::new();
    for bound in policies {
        of_policy(bound, view, request, &mut all).await;
    }
    all
}

async fn of_policy<'a>(
    Bound { policy, bindings }: &'a Bound,
    view: &View,
    request: &AdmissionRequest<'_>,
    all: &mut Found<'a>,
) {
    let wrong = |why| Err(Misconfigured { policy, binding: None, why });
    let entry = match policy.matcher.takes(view, request).await {
        Ok(Some(entry)) => entry,
        Ok(None) => return,
        Err(status) => return all.push(wrong(status.message)),
    };
    let kind = policy.params.as_ref().map(|kind| params::resource(kind, request)).transpose();
    let kind = match kind {
        Ok(kind) => kind,
        Err(why) => return all.push(wrong(why)),
    };
    for binding in bindings {
        let matched = match &binding.matcher {
            Some(matcher) => matcher.takes(view, request).await.map(|entry| entry.is_some()),
            None => Ok(true),
        };
        let found = match matched {
            Ok(false) => continue,
            Ok(true) => {
                params::collect(kind.as_deref(), binding.params.as_ref(), view, request).await
            }
            Err(status) => Err(status.message),
        };
        match found {
            Ok(found) => all.extend(
                found
                    .into_iter()
                    .map(|param| Ok(Invocation { policy, binding, entry: entry.clone(), param })),
            ),
            Err(why) => all.push(Err(Misconfigured { policy, binding: Some(binding), why })),
        }
    }
}

// === impl Misconfigured ===

impl Misconfigured<'_> {
    /// What is counted of it.
    pub(super) fn check(&self, mutating: bool) -> Check<'_> {
        let binding = self.binding.map_or("", |binding| &binding.name);
        let (policy, error) = (&self.policy.name, "invalid_error");
        Check { policy, binding, mutating, action: "deny", error }
    }

    /// What is said of it.
    pub(super) fn text(&self) -> String {
        let what = if self.binding.is_some() { "binding" } else { "policy" };
        format!("failed to configure {what}: {}", self.why)
    }
}
