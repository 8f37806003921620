//! Whether somebody may do something: `SubjectAccessReview` in its forms.

use crate::authentication::User;
use crate::authorization::{Attributes, Authorizer, Decision};
use crate::registry::{Call, Created, Creater};
use crate::strategy::Map;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::meta::Status;
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
        let user = self.subject(&call, &spec);
        review.insert("status".into(), self.decide(&user, &spec, call.namespace()).await?);
        Ok(Created::Object(review))
    }
}

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
        let (verb, target, path) = match (&spec.resource_attributes, &spec.non_resource_attributes)
        {
            (Some(resource), None) => {
                if self.of == Of::AnyoneHere && resource.namespace != here {
                    return Err(Status::bad_request(
                        "spec.resourceAttributes.namespace must match metadata.namespace",
                    ));
                }
                (resource.verb.as_str(), Some(resource.target()), "")
            }
            (None, Some(path)) => (path.verb.as_str(), None, path.path.as_str()),
            _ => {
                return Err(Status::bad_request(
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified",
                ));
            }
        };
        let attributes = Attributes { user, verb, resource: target.as_ref(), path };
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
