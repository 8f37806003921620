//! What one may do: `SelfSubjectRulesReview`.

use crate::authorization::{Authorizer, Rbac};
use crate::registry::{Call, Created, Creater};
use crate::strategy::Map;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::meta::Status;

pub(super) struct Rules {
    pub(super) rbac: Arc<Rbac>,
    /// Who decides: not by roles alone, perhaps.
    pub(super) authorizer: Arc<dyn Authorizer>,
}

#[async_trait]
impl Creater for Rules {
    async fn create(&self, call: Call<'_>, mut review: Map) -> Result<Created, Status> {
        let namespace = review.get("spec").and_then(|spec| spec["namespace"].as_str());
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let namespace = namespace.ok_or_else(|| Status::bad_request("no namespace on request"))?;
        let rules = self.rbac.rules_for(call.user(), namespace);
        let (paths, resources): (Vec<_>, Vec<_>) =
            rules.into_iter().partition(|rule| !rule.non_resource_urls.is_empty());
        let paths: Vec<Value> = paths
            .iter()
            .map(|rule| json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}))
            .collect();
        let unlisted = self.authorizer.unlisted(call.user());
        let mut status = json!({"resourceRules": resources, "nonResourceRules": paths,
            "incomplete": unlisted.is_some()});
        if let Some(why) = unlisted {
            status["evaluationError"] = why.into();
        }
        review.insert("status".into(), status);
        Ok(Created::Object(review))
    }
}
