//! Nobody gives away what he does not have: roles and bindings may only hold what their writer may do himself,
//! unless he may `escalate` or `bind` (API reference, "Privilege escalation prevention and bootstrapping").

use super::{Admission, AdmissionRequest, Operation};
use crate::authorization::{Attributes, Authorizer, Rbac, Rule};
use crate::strategy::Map;
use crate::strategy::json::str_at;
use async_trait::async_trait;
use serde::Deserialize;
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
            if object.get("aggregationRule").is_some_and(|rule| !rule.is_null()) {
                return Err(refusal(request, "must be allowed to escalate to aggregate roles"));
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
        let same = |field| request.old.is_some_and(|old| old.get(field) == object.get(field));
        if ["rules", "aggregationRule", "roleRef", "subjects"].into_iter().all(same) {
            return Ok(());
        }
        let Some(given) = self.given(request, object).await? else { return Ok(()) };
        let held = self.rbac.rules_for(request.user, request.namespace);
        let Some(missing) = given.iter().find(|rule| !rule.is_covered_by(&held)) else {
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

fn refusal(request: &AdmissionRequest<'_>, why: &str) -> Status {
    Status::forbidden(&request.resource.group, &request.resource.resource, request.name, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(value: serde_json::Value) -> Vec<Rule> {
        serde_json::from_value(value).expect("rules")
    }

    #[test]
    fn what_is_given_must_be_held() {
        let held = rules(json!([
            {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/scale"]},
            {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"], "resourceNames": ["web"]},
            {"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]},
        ]));
        for (rule, expected) in [
            (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), true),
            (json!({"verbs": ["get", "watch"], "apiGroups": [""], "resources": ["pods"]}), false),
            (json!({"verbs": ["get"], "apiGroups": ["", "apps"], "resources": ["pods"]}), false),
            (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["x/scale"]}), true),
            (json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}), false),
            (json!({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}), false),
            (
                json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["d"], "resourceNames": ["web"]}),
                true,
            ),
            (json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["d"]}), false),
            (json!({"verbs": ["get"], "nonResourceURLs": ["/metrics/x"]}), true),
            (json!({"verbs": ["get"], "nonResourceURLs": ["/version"]}), false),
        ] {
            assert_eq!(rules(json!([rule]))[0].is_covered_by(&held), expected, "{rule}");
        }
        let all = rules(json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]));
        assert!(all[0].is_covered_by(&all) && !all[0].is_covered_by(&held));
    }
}
