//! Nobody gives away what he does not have: roles and bindings may only hold what their writer may do himself,
//! unless he may `escalate` or `bind` (API reference, "Privilege escalation prevention and bootstrapping").

use super::{Admission, AdmissionRequest, Operation};
use crate::authorization::{Attributes, Authorizer, Rbac, Rule};
use crate::strategy::Map;
use crate::strategy::json::{map_mut, str_at};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use windlass_core::client::{Key, Reader};
use windlass_core::meta::Status;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{self, GroupVersionResource};

/// Compares what is given with what the giver holds.
pub struct EscalationPrevention {
    rbac: Arc<Rbac>,
    authorizer: Arc<dyn Authorizer>,
    objects: Arc<dyn Reader>,
}

#[derive(Deserialize)]
struct RoleView {
    #[serde(default)]
    rules: Option<Vec<Rule>>,
}

// === impl EscalationPrevention ===

impl EscalationPrevention {
    /// Knows what users hold from `rbac`, who may do it all the same from `authorizer`, roles from `objects`.
    pub fn new(rbac: Arc<Rbac>, authorizer: Arc<dyn Authorizer>, objects: Arc<dyn Reader>) -> Self {
        Self { rbac, authorizer, objects }
    }

    async fn may(
        &self,
        request: &AdmissionRequest<'_>,
        verb: &str,
        resource: GroupVersionResource,
        name: &str,
    ) -> bool {
        let target = ResourceTarget {
            resource,
            namespace: Some(request.namespace.to_owned()).filter(|name| !name.is_empty()),
            name: Some(name.to_owned()),
            subresource: None,
            rest: String::new(),
        };
        let user = request.user;
        let attributes = Attributes::of(user, verb, &target);
        self.authorizer.authorize(&attributes).await.is_allowed()
    }

    /// The rules that an object gives, if its writer has to hold them.
    async fn given(
        &self,
        request: &AdmissionRequest<'_>,
        object: &Map,
    ) -> Result<Option<Vec<Rule>>, Status> {
        let is_role = [scheme::ROLES, scheme::CLUSTERROLES].contains(request.resource);
        if is_role {
            if self.may(request, "escalate", request.resource.clone(), request.name).await {
                return Ok(None);
            }
            let rules = object.get("rules").cloned().unwrap_or_default();
            return serde_json::from_value(rules).map_err(Status::internal);
        }
        let name = str_at(object, &["roleRef", "name"]);
        let key = match str_at(object, &["roleRef", "kind"]) {
            "Role" => Key::new(scheme::ROLES, request.namespace, name),
            _ => Key::cluster(scheme::CLUSTERROLES, name),
        };
        if self.may(request, "bind", key.resource.clone(), name).await {
            return Ok(None);
        }
        let role = self.objects.get(&key).await.map_err(|error| match error {
            windlass_core::Error::Status(status) => *status,
            other => Status::internal(other),
        })?;
        Ok(role.view::<RoleView>().map_err(Status::internal)?.rules)
    }
}

#[async_trait]
impl Admission for EscalationPrevention {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && *resource.group == *scheme::ROLES.group
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(object) = &request.object else { return Ok(()) };
        if request.old.is_some_and(|old| is_collection(old, object)) {
            return Ok(());
        }
        let Some(given) = self.given(request, object).await? else { return Ok(()) };
        let held = self.rbac.rules_for(request.user, request.namespace);
        let Some(missing) = given.iter().find(|rule| !rule.is_covered_by(&held)) else {
            // What it gathers is not known here.
            let gathers = aggregates(object) || request.old.is_some_and(aggregates);
            if gathers && !everything()?.iter().all(|rule| rule.is_covered_by(&held)) {
                let why = "must have cluster-admin privileges to use the aggregationRule";
                return Err(refusal(request, why));
            }
            return Ok(());
        };
        let user = &request.user.name;
        let rule = serde_json::to_string(missing).map_err(Status::internal)?;
        let why = format!(
            "user \"{user}\" is attempting to grant RBAC permissions not currently held:\n{rule}"
        );
        Err(refusal(request, &why))
    }
}

/// Whether a change is only what the garbage collector does. Labels are more: they put a role into others.
fn is_collection(old: &Map, new: &Map) -> bool {
    let rest = |object: &Map| {
        let mut rest = object.clone();
        let metadata = map_mut(&mut rest, "metadata");
        for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
            metadata.remove(field);
        }
        rest
    };
    rest(old) == rest(new)
}

fn aggregates(role: &Map) -> bool {
    let selectors =
        role.get("aggregationRule").and_then(|rule| rule["clusterRoleSelectors"].as_array());
    selectors.is_some_and(|selectors| !selectors.is_empty())
}

fn everything() -> Result<[Rule; 2], Status> {
    let all = json!([
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]);
    serde_json::from_value(all).map_err(Status::internal)
}

fn refusal(request: &AdmissionRequest<'_>, why: &str) -> Status {
    Status::forbidden(&request.resource.group, &request.resource.resource, request.name, why)
}

#[cfg(test)]
mod tests;
