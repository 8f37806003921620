//! Another server decides (SubjectAccessReview, `--authorization-webhook-config-file` of kube-apiserver).

mod conditions;

pub use conditions::Conditions;

use super::{Attributes, Authorizer, Decision, Selectors};
use crate::expiring::Expiring;
use crate::webhook::{Reviewer, ReviewerError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::meta::{FieldRequirement, LabelOperator, LabelRequirement};

/// How long the server may think.
const WITHIN: Duration = Duration::from_secs(10);
/// So many decisions are remembered.
const DECISIONS: usize = 8192;
/// Longer questions are not remembered, as in Kubernetes: who asks could fill the memory with them.
const LONGEST: usize = 10_000;

/// How long decisions are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookCache {
    /// That something is allowed.
    pub authorized: Duration,
    /// That it is not.
    pub unauthorized: Duration,
}

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// How long its decisions are remembered.
    pub cache: WebhookCache,
    /// How long it may think.
    pub within: Duration,
    /// Whether nothing is allowed that it was to be asked about and could not be.
    pub deny: bool,
    /// What it is asked about.
    pub conditions: Arc<Conditions>,
}

/// Asks a server. When that gives no answer it has no opinion, if the options do not say otherwise: others may still
/// allow it.
pub struct WebhookAuthorizer {
    server: Reviewer,
    options: WebhookOptions,
    decisions: Expiring<String, Decision>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    allowed: bool,
    denied: bool,
    reason: String,
}

// === impl WebhookCache ===

impl Default for WebhookCache {
    /// Kubernetes': five minutes, and half a minute.
    fn default() -> Self {
        Self { authorized: Duration::from_secs(300), unauthorized: Duration::from_secs(30) }
    }
}

// === impl WebhookOptions ===

impl Default for WebhookOptions {
    /// About everything, for ten seconds, and without an answer it is as if it were not there.
    fn default() -> Self {
        let (cache, conditions) = (WebhookCache::default(), Arc::default());
        Self { cache, within: WITHIN, deny: false, conditions }
    }
}

impl From<WebhookCache> for WebhookOptions {
    fn from(cache: WebhookCache) -> Self {
        Self { cache, ..Self::default() }
    }
}

// === impl WebhookAuthorizer ===

impl WebhookAuthorizer {
    /// The server of a kubeconfig's current context.
    ///
    /// # Errors
    /// When the kubeconfig can't be used.
    pub async fn from_kubeconfig(
        text: &str,
        options: WebhookOptions,
    ) -> Result<Self, ReviewerError> {
        let server = Reviewer::from_kubeconfig(text, options.within).await?;
        Ok(Self { server, options, decisions: Expiring::new(DECISIONS) })
    }

    /// What it says about what it was to be asked and could not be.
    fn unanswered(&self, why: &dyn std::fmt::Display) -> Decision {
        tracing::warn!(%why, "the authorization webhook gave no answer");
        match self.options.deny {
            true => Decision::Deny(String::new()),
            false => Decision::NoOpinion(String::new()),
        }
    }

    async fn ask(&self, spec: &Value) -> Result<Decision, ReviewerError> {
        let kind = ("authorization.k8s.io/v1", "SubjectAccessReview");
        Ok(match self.server.ask(kind, spec).await? {
            Answer { allowed: true, denied: false, reason } => Decision::Allow(reason.into()),
            Answer { allowed: false, denied: true, reason } => Decision::Deny(reason),
            Answer { allowed: false, denied: false, reason } => Decision::NoOpinion(reason),
            Answer { allowed: true, denied: true, .. } => Decision::Deny(
                "webhook subject access review returned both allow and deny response".into(),
            ),
        })
    }
}

#[async_trait]
impl Authorizer for WebhookAuthorizer {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let spec = spec(attributes);
        match self.options.conditions.hold(attributes, &spec) {
            Ok(true) => {}
            Ok(false) => return Decision::NoOpinion(String::new()),
            Err(why) => return self.unanswered(&why),
        }
        let key = spec.to_string();
        if let Some(known) = self.decisions.get(&key) {
            return known;
        }
        let decision = match self.ask(&spec).await {
            Ok(decision) => decision,
            Err(error) => return self.unanswered(&error),
        };
        let WebhookCache { authorized, unauthorized } = self.options.cache;
        let time = if decision.is_allowed() { authorized } else { unauthorized };
        if key.len() <= LONGEST {
            self.decisions.insert(key, decision.clone(), time);
        }
        decision
    }
}

/// What is asked.
fn spec(attributes: &Attributes<'_>) -> Value {
    let user = attributes.user;
    let mut spec = json!({"user": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        spec["uid"] = user.uid.as_str().into();
    }
    if !user.extra.is_empty() {
        spec["extra"] = json!(user.extra);
    }
    let Some(target) = attributes.resource else {
        spec["nonResourceAttributes"] = json!({"path": attributes.path, "verb": attributes.verb});
        return spec;
    };
    let gvr = &target.resource;
    let mut about = Map::new();
    for (field, value) in [
        ("namespace", attributes.namespace().unwrap_or_default()),
        ("verb", attributes.verb),
        ("group", &gvr.group),
        ("version", &gvr.version),
        ("resource", &gvr.resource),
        ("subresource", target.subresource.as_deref().unwrap_or_default()),
        ("name", target.name.as_deref().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            about.insert(field.to_owned(), value.into());
        }
    }
    if let Some(Selectors { fields, labels }) = attributes.selectors {
        let fields: Vec<_> = fields.requirements.iter().map(of_field).collect();
        let labels: Vec<_> = labels.requirements.iter().filter_map(of_label).collect();
        for (field, requirements) in [("fieldSelector", fields), ("labelSelector", labels)] {
            if !requirements.is_empty() {
                about.insert(field.to_owned(), json!({"requirements": requirements}));
            }
        }
    }
    spec["resourceAttributes"] = about.into();
    spec
}

fn of_field(one: &FieldRequirement) -> Value {
    let operator = if one.not { "NotIn" } else { "In" };
    json!({"key": one.field, "operator": operator, "values": [one.value]})
}

/// None of what the API has no word for: left out it is no wider.
fn of_label(one: &LabelRequirement) -> Option<Value> {
    let operator = match one.operator {
        LabelOperator::In => "In",
        LabelOperator::NotIn => "NotIn",
        LabelOperator::Exists => return Some(json!({"key": one.key, "operator": "Exists"})),
        LabelOperator::DoesNotExist => {
            return Some(json!({"key": one.key, "operator": "DoesNotExist"}));
        }
        LabelOperator::Gt | LabelOperator::Lt => return None,
    };
    Some(json!({"key": one.key, "operator": operator, "values": one.values}))
}

#[cfg(test)]
mod tests;
