//! Whether somebody may do something: `SubjectAccessReview` in its forms.

use crate::authentication::User;
use crate::authorization::{Attributes, Authorizer, Decision, Selectors};
use crate::registry::{Call, Created, Creater};
use crate::strategy::Map;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::meta::{
    FieldRequirement, FieldSelector, LabelOperator, LabelRequirement, LabelSelector, Status,
    StatusCause,
};
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::GroupVersionResource;

/// Of whom a review speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Anyone,
    AnyoneHere,
    Oneself,
}

pub(super) struct Access {
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) of: Of,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    user: String,
    groups: Vec<String>,
    uid: String,
    extra: BTreeMap<String, Vec<String>>,
    resource_attributes: Option<ResourceAttributes>,
    non_resource_attributes: Option<PathAttributes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourceAttributes {
    namespace: String,
    verb: String,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    name: String,
    #[serde(rename = "fieldSelector")]
    fields: Option<Selector>,
    #[serde(rename = "labelSelector")]
    labels: Option<Selector>,
}

/// Of many objects which: as a request has it, or piece by piece.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector {
    raw_selector: String,
    requirements: Vec<Requirement>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PathAttributes {
    path: String,
    verb: String,
}

#[async_trait]
impl Creater for Access {
    async fn create(&self, call: Call<'_>, mut review: Map) -> Result<Created, Status> {
        let spec = review.get("spec").cloned().unwrap_or_else(|| json!({}));
        let spec: Spec =
            serde_json::from_value(spec).map_err(|e| Status::bad_request(e.to_string()))?;
        self.of.check(&spec)?;
        let user = self.subject(&call, &spec);
        review.insert("status".into(), self.decide(&user, &spec, call.namespace()).await?);
        Ok(Created::Object(review))
    }
}

// === impl Of ===

impl Of {
    /// Whether a review says of whom it speaks.
    fn check(self, spec: &Spec) -> Result<(), Status> {
        let kind = match self {
            Self::Oneself => return Ok(()),
            Self::Anyone => "SubjectAccessReview",
            Self::AnyoneHere => "LocalSubjectAccessReview",
        };
        if !spec.user.is_empty() || !spec.groups.is_empty() {
            return Ok(());
        }
        let cause = StatusCause {
            reason: "FieldValueInvalid".into(),
            message: "Invalid value: \"\": at least one of user or group must be specified".into(),
            field: "spec.user".into(),
        };
        Err(Status::invalid("authorization.k8s.io", kind, "", vec![cause]))
    }
}

// === impl Access ===

impl Access {
    fn subject(&self, call: &Call<'_>, spec: &Spec) -> User {
        match self.of {
            Of::Oneself => call.user().clone(),
            Of::Anyone | Of::AnyoneHere => User {
                name: spec.user.clone(),
                uid: spec.uid.clone(),
                groups: spec.groups.clone(),
                extra: spec.extra.clone(),
            },
        }
    }

    async fn decide(&self, user: &User, spec: &Spec, here: &str) -> Result<Value, Status> {
        let (resource, path) = (&spec.resource_attributes, &spec.non_resource_attributes);
        let (target, selectors);
        let attributes = match (resource, path) {
            (Some(resource), None) => {
                if self.of == Of::AnyoneHere && resource.namespace != here {
                    return Err(Status::bad_request(
                        "spec.resourceAttributes.namespace must match metadata.namespace",
                    ));
                }
                (target, selectors) = (resource.target(), resource.selectors()?);
                Attributes::of(user, &resource.verb, &target).selecting(selectors.as_ref())
            }
            (None, Some(_)) if self.of == Of::AnyoneHere => {
                return Err(Status::bad_request(
                    "spec.nonResourceAttributes: disallowed on this kind of request",
                ));
            }
            (None, Some(path)) => Attributes::of_path(user, &path.verb, &path.path),
            _ => {
                return Err(Status::bad_request(
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified",
                ));
            }
        };
        Ok(match self.authorizer.authorize(&attributes).await {
            Decision::Allow(why) if why.is_empty() => json!({"allowed": true}),
            Decision::Allow(why) => json!({"allowed": true, "reason": &*why}),
            Decision::Deny(reason) => json!({"allowed": false, "denied": true, "reason": reason}),
            Decision::NoOpinion(reason) if reason.is_empty() => json!({"allowed": false}),
            Decision::NoOpinion(reason) => json!({"allowed": false, "reason": reason}),
        })
    }
}

impl ResourceAttributes {
    fn selectors(&self) -> Result<Option<Selectors>, Status> {
        if self.fields.is_none() && self.labels.is_none() {
            return Ok(None);
        }
        let mut all = Selectors::default();
        if let Some(given) = &self.fields {
            given.check("fieldSelector")?;
            all.fields = FieldSelector::parse(&given.raw_selector).unwrap_or_default();
            let pieces = given.requirements.iter().filter_map(Requirement::of_field);
            all.fields.requirements.extend(pieces);
        }
        if let Some(given) = &self.labels {
            given.check("labelSelector")?;
            all.labels = LabelSelector::parse(&given.raw_selector).unwrap_or_default();
            let pieces = given.requirements.iter().filter_map(Requirement::of_label);
            all.labels.requirements.extend(pieces);
        }
        Ok(Some(all))
    }

    fn target(&self) -> ResourceTarget {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        ResourceTarget {
            resource: GroupVersionResource {
                group: self.group.clone().into(),
                version: self.version.clone().into(),
                resource: self.resource.clone().into(),
            },
            namespace: given(&self.namespace),
            name: given(&self.name),
            subresource: given(&self.subresource),
            rest: String::new(),
        }
    }
}

// === impl Selector ===

impl Selector {
    fn check(&self, field: &str) -> Result<(), Status> {
        let why = match (self.raw_selector.is_empty(), self.requirements.is_empty()) {
            (false, false) => "rawSelector: may not be specified at the same time as requirements",
            (true, true) => "requirements: when set, requirements or rawSelector must be specified",
            _ => return Ok(()),
        };
        Err(Status::bad_request(format!("spec.resourceAttributes.{field}.{why}")))
    }
}

// === impl Requirement ===

impl Requirement {
    /// What authorizers understand; the rest is left out, which is no wider.
    fn of_field(&self) -> Option<FieldRequirement> {
        let not = match self.operator.as_str() {
            "In" => false,
            "NotIn" => true,
            _ => return None,
        };
        let [value] = self.values.as_slice() else { return None };
        Some(FieldRequirement { field: self.key.clone(), value: value.clone(), not })
    }

    fn of_label(&self) -> Option<LabelRequirement> {
        let operator = match self.operator.as_str() {
            "In" => LabelOperator::In,
            "NotIn" => LabelOperator::NotIn,
            "Exists" => LabelOperator::Exists,
            "DoesNotExist" => LabelOperator::DoesNotExist,
            _ => return None,
        };
        Some(LabelRequirement { key: self.key.clone(), operator, values: self.values.clone() })
    }
}

#[cfg(test)]
mod tests;
