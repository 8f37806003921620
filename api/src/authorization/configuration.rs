//! Who decides, and in which order, from a file (`apiserver.config.k8s.io/v1`, "AuthorizationConfiguration"; KEP-3221).

use super::{Conditions, WebhookCache, WebhookOptions};
use crate::validation::format::dns1123_subdomain;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::meta::parse_duration;

/// Who decides, one after the other. `system:masters` need not ask them.
#[derive(Clone, Debug, Default)]
pub struct AuthorizationConfiguration {
    /// In the order in which they are asked.
    pub authorizers: Vec<ConfiguredAuthorizer>,
}

/// One who decides.
#[derive(Clone, Debug)]
pub enum ConfiguredAuthorizer {
    /// What nodes need.
    Node,
    /// Roles.
    Rbac,
    /// Everything is allowed.
    AlwaysAllow,
    /// What nobody before it allowed is refused.
    AlwaysDeny,
    /// Another server: the file with its kubeconfig, and how it is asked.
    Webhook(PathBuf, WebhookOptions),
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct AuthorizationConfigurationError {
    field: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    authorizers: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    webhook: Option<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Webhook {
    #[serde(rename = "authorizedTTL", default)]
    authorized_ttl: Option<String>,
    #[serde(default = "yes")]
    cache_authorized_requests: bool,
    #[serde(rename = "unauthorizedTTL", default)]
    unauthorized_ttl: Option<String>,
    #[serde(default = "yes")]
    cache_unauthorized_requests: bool,
    timeout: String,
    subject_access_review_version: String,
    #[serde(default)]
    match_condition_subject_access_review_version: String,
    failure_policy: String,
    connection_info: Connection,
    #[serde(default)]
    match_conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Connection {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    kube_config_file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    expression: String,
}

type Result<T> = std::result::Result<T, AuthorizationConfigurationError>;

/// No server may think longer.
const LONGEST: Duration = Duration::from_secs(30);

fn yes() -> bool {
    true
}

// === impl AuthorizationConfiguration ===

impl AuthorizationConfiguration {
    /// Reads it from YAML or JSON, and compiles its conditions.
    ///
    /// # Errors
    /// What can't be, and where it stands.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = yaml_serde::from_str(text).map_err(|error| wrong("", &error))?;
        let version = file.api_version.strip_prefix("apiserver.config.k8s.io/");
        if file.kind != "AuthorizationConfiguration"
            || !matches!(version, Some("v1" | "v1beta1" | "v1alpha1"))
        {
            let why = "it is no AuthorizationConfiguration of apiserver.config.k8s.io/v1";
            return Err(wrong("kind", &why));
        }
        if file.authorizers.is_empty() {
            return Err(wrong("authorizers", &"at least one authorization mode must be defined"));
        }
        let (mut kinds, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut authorizers = Vec::new();
        for (at, entry) in file.authorizers.into_iter().enumerate() {
            let path = format!("authorizers[{at}]");
            if entry.kind != "Webhook" && !kinds.insert(entry.kind.clone()) {
                return Err(wrong(&format!("{path}.type"), &"it stands there twice"));
            }
            if let Some(why) = dns1123_subdomain(&entry.name).first() {
                return Err(wrong(&format!("{path}.name"), why));
            }
            if !names.insert(entry.name.clone()) {
                return Err(wrong(&format!("{path}.name"), &"it stands there twice"));
            }
            authorizers.push(entry.read(&path)?);
        }
        Ok(Self { authorizers })
    }
}

// === impl Entry ===

impl Entry {
    fn read(self, path: &str) -> Result<ConfiguredAuthorizer> {
        let plain = match (self.kind.as_str(), self.webhook) {
            ("Webhook", Some(webhook)) => return webhook.read(&format!("{path}.webhook")),
            ("Webhook", None) => return Err(wrong(&format!("{path}.webhook"), &"it is required")),
            ("Node", None) => ConfiguredAuthorizer::Node,
            ("RBAC", None) => ConfiguredAuthorizer::Rbac,
            ("AlwaysAllow", None) => ConfiguredAuthorizer::AlwaysAllow,
            ("AlwaysDeny", None) => ConfiguredAuthorizer::AlwaysDeny,
            ("Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny", Some(_)) => {
                let why = "it may only be given when type is Webhook";
                return Err(wrong(&format!("{path}.webhook"), &why));
            }
            (other, _) => {
                let known = "AlwaysAllow, AlwaysDeny, Node, RBAC, Webhook";
                let why = format!("{other:?} is none of: {known}");
                return Err(wrong(&format!("{path}.type"), &why));
            }
        };
        Ok(plain)
    }
}

// === impl Webhook ===

impl Webhook {
    fn read(self, path: &str) -> Result<ConfiguredAuthorizer> {
        let bad = |field: &str, why: &dyn std::fmt::Display| wrong(&format!("{path}.{field}"), why);
        let time = |field: &str, text: &str| {
            parse_duration(text).map_err(|error| wrong(&format!("{path}.{field}"), &error))
        };
        let within = time("timeout", &self.timeout)?;
        if within.is_zero() || within > LONGEST {
            return Err(bad("timeout", &"it must be more than nothing, and 30s at most"));
        }
        if self.subject_access_review_version != "v1" {
            return Err(bad("subjectAccessReviewVersion", &"v1 is what is spoken"));
        }
        let conditioned = !self.match_conditions.is_empty();
        if conditioned && self.match_condition_subject_access_review_version != "v1" {
            return Err(bad("matchConditionSubjectAccessReviewVersion", &"it must be v1"));
        }
        let deny = match self.failure_policy.as_str() {
            "Deny" => true,
            "NoOpinion" => false,
            other => {
                return Err(bad(
                    "failurePolicy",
                    &format!("{other:?} is none of: Deny, NoOpinion"),
                ));
            }
        };
        if self.connection_info.kind != "KubeConfigFile" {
            return Err(bad("connectionInfo.type", &"it must be KubeConfigFile"));
        }
        let file = PathBuf::from(&self.connection_info.kube_config_file);
        if !file.is_absolute() {
            return Err(bad("connectionInfo.kubeConfigFile", &"it must be an absolute path"));
        }
        let mut conditions = Conditions::default();
        for (at, condition) in self.match_conditions.iter().enumerate() {
            let place = format!("matchConditions[{at}].expression");
            conditions.add(&condition.expression).map_err(|why| bad(&place, &why))?;
        }
        let usual = WebhookCache::default();
        let ttl = |kept: bool, field: &str, given: Option<&String>, usual| match given {
            _ if !kept => Ok(Duration::ZERO),
            Some(text) => time(field, text),
            None => Ok(usual),
        };
        let (authorized, unauthorized) = (&self.authorized_ttl, &self.unauthorized_ttl);
        let cache = WebhookCache {
            authorized: ttl(
                self.cache_authorized_requests,
                "authorizedTTL",
                authorized.as_ref(),
                usual.authorized,
            )?,
            unauthorized: ttl(
                self.cache_unauthorized_requests,
                "unauthorizedTTL",
                unauthorized.as_ref(),
                usual.unauthorized,
            )?,
        };
        let options = WebhookOptions { cache, within, deny, conditions: Arc::new(conditions) };
        Ok(ConfiguredAuthorizer::Webhook(file, options))
    }
}

fn wrong(field: &str, why: &dyn std::fmt::Display) -> AuthorizationConfigurationError {
    let field = if field.is_empty() { "AuthorizationConfiguration" } else { field };
    AuthorizationConfigurationError { field: field.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests;
