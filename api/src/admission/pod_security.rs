//! Pods keep to the Pod Security Standard of their namespace (Kubernetes' PodSecurity admission controller).

mod checks;
mod namespace;
mod policy;
mod subject;

#[cfg(test)]
mod tests;

pub use policy::{Level, Policy, Standard, Version};

use super::{Admission, AdmissionRequest, Operation, rules};
use crate::strategy::Map;
use crate::strategy::json::{map_of, maps_of, str_of};
use crate::validation::Errors;
use async_trait::async_trait;
use checks::{details, violations};
use serde::Deserialize;
use serde_json::Value;
use subject::Subject;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// Refuses pods that violate what their namespace enforces, and warns of templates that would make such pods. The labels
/// `pod-security.kubernetes.io/enforce`, `audit` and `warn`, each with a `-version`, say what that is.
#[derive(Clone, Debug, Default)]
pub struct PodSecurity {
    default: Policy,
    exempt: Exemptions,
}

/// What no standard is held against. In JSON as in Kubernetes' configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Exemptions {
    /// What these users write themselves.
    pub usernames: Vec<String>,
    /// Pods that ask for these runtime classes.
    pub runtime_classes: Vec<String>,
    /// What is in these namespaces.
    pub namespaces: Vec<String>,
}

/// Ways to write a pod that change nothing of what it may do.
const HARMLESS: [&str; 8] =
    ["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

// === impl PodSecurity ===

impl PodSecurity {
    /// Namespaces without labels have the `default` policy.
    #[must_use]
    pub fn new(default: Policy, exempt: Exemptions) -> Self {
        Self { default, exempt }
    }

    /// The policy of a request's namespace, and whether its labels say anything wrong.
    async fn policy(&self, request: &AdmissionRequest<'_>) -> Result<(Policy, String), Status> {
        if !request.objects.serves(&scheme::NAMESPACES) {
            return Ok((self.default, String::new()));
        }
        let namespace = rules::namespace(request, request.namespace).await?;
        let labels = namespace.header().labels.iter();
        let labels = labels.map(|(key, value)| (&**key, &**value));
        let (policy, errors) = Policy::of(labels, self.default);
        Ok((policy, told(&errors)))
    }

    async fn check(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let pods = *request.resource == scheme::PODS;
        let (namespaces, users) = (&self.exempt.namespaces, &self.exempt.usernames);
        let exempt = |list: &[String], one: &str| list.iter().any(|other| other == one);
        if exempt(namespaces, request.namespace) {
            request.annotate(annotation("exempt"), "namespace");
            return Ok(());
        }
        if exempt(users, &request.user.name) {
            request.annotate(annotation("exempt"), "user");
            return Ok(());
        }
        let (mut policy, errors) = self.policy(request).await?;
        if !pods {
            // A template is not run: what is made from it is checked then.
            policy.enforce = Standard::default();
        }
        if policy.is_privileged() && errors.is_empty() {
            return Ok(());
        }
        let Some(object) = request.object.as_ref() else { return Ok(()) };
        let subject = match pods {
            true => Subject::pod(object),
            false => Subject::template(request.resource, object),
        };
        let Some(subject) = subject else { return Ok(()) };
        if exempt(&self.exempt.runtime_classes, subject.runtime_class()) {
            request.annotate(annotation("exempt"), "runtimeClass");
            return Ok(());
        }
        if pods && request.old.is_some_and(|old| !changes_what_it_may(object, old)) {
            return Ok(());
        }
        let verdict = |standard| details(&violations(standard, &subject));
        let (enforce, audit, warn) =
            (verdict(policy.enforce), verdict(policy.audit), verdict(policy.warn));
        if !errors.is_empty() {
            request.annotate(annotation("error"), format!("Failed to parse policy: {errors}"));
        }
        if pods {
            request.annotate(annotation("enforce-policy"), policy.enforce.to_string());
        }
        if !audit.is_empty() {
            let text = format!("would violate PodSecurity \"{}\": {audit}", policy.audit);
            request.annotate(annotation("audit-violations"), text);
        }
        if !enforce.is_empty() {
            let why = format!("violates PodSecurity \"{}\": {enforce}", policy.enforce);
            return Err(request.forbidden(&why));
        }
        if !warn.is_empty() {
            let text = format!("would violate PodSecurity \"{}\": {warn}", policy.warn);
            request.warnings.push(text);
        }
        Ok(())
    }
}

/// All errors in one line.
fn told(errors: &Errors) -> String {
    let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
    if all.len() > 1 { format!("[{}]", all.join(", ")) } else { all.concat() }
}

fn annotation(what: &str) -> String {
    format!("{}{what}", policy::PREFIX)
}

#[async_trait]
impl Admission for PodSecurity {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && (*resource == scheme::PODS
                || *resource == scheme::NAMESPACES
                || subject::has_template(resource))
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let whole = request.subresource.is_empty();
        match request.resource {
            resource if *resource == scheme::NAMESPACES && whole => {
                namespace::check(self, request).await
            }
            resource if *resource == scheme::PODS && !HARMLESS.contains(&request.subresource) => {
                self.check(request).await
            }
            resource if subject::has_template(resource) && whole => self.check(request).await,
            _ => Ok(()),
        }
    }
}

/// Whether a change is to what a standard is about: images, containers, profiles in annotations.
fn changes_what_it_may(new: &Map, old: &Map) -> bool {
    const PROFILES: [&str; 3] = [
        "seccomp.security.alpha.kubernetes.io/",
        "container.seccomp.security.alpha.kubernetes.io/",
        "container.apparmor.security.beta.kubernetes.io/",
    ];
    let profiles = |pod: &Map| -> Vec<(String, Value)> {
        let annotations =
            map_of(pod, "metadata").and_then(|metadata| map_of(metadata, "annotations"));
        let is_profile = |key: &str| PROFILES.iter().any(|start| key.starts_with(start));
        let all = annotations.into_iter().flatten().filter(|(key, _)| is_profile(key));
        let mut all: Vec<_> = all.map(|(key, value)| (key.clone(), value.clone())).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    };
    let empty = Map::new();
    let specs = [new, old].map(|pod| map_of(pod, "spec").unwrap_or(&empty));
    let images = |spec| {
        ["initContainers", "containers", "ephemeralContainers"].map(|list| {
            let images = maps_of(spec, list);
            images.map(|(_, one)| (str_of(one, "name"), str_of(one, "image"))).collect::<Vec<_>>()
        })
    };
    profiles(new) != profiles(old) || images(specs[0]) != images(specs[1])
}
