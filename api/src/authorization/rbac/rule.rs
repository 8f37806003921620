//! One rule of a role.

use crate::authorization::Attributes;
use serde::{Deserialize, Serialize};

/// What may be done with what (`v1.PolicyRule`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// `get`, …, or `*`.
    pub verbs: Vec<String>,
    /// Groups, or `*`.
    #[serde(rename = "apiGroups", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale`, `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Only these objects; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Paths, `/healthz/*`.
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
}

impl Rule {
    /// Whether it allows this.
    #[must_use]
    pub fn allows(&self, attributes: &Attributes<'_>) -> bool {
        if !has(&self.verbs, attributes.verb) {
            return false;
        }
        let Some(target) = attributes.resource else { return self.allows_path(attributes.path) };
        let name = target.name.as_deref().unwrap_or_default();
        has(&self.api_groups, &target.resource.group)
            && self.allows_resource(&target.resource.resource, target.subresource.as_deref())
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|n| n == name))
    }

    fn allows_path(&self, path: &str) -> bool {
        self.non_resource_urls.iter().any(|url| match url.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => url == path,
        })
    }

    fn allows_resource(&self, resource: &str, subresource: Option<&str>) -> bool {
        self.resources.iter().any(|allowed| match (allowed.split_once('/'), subresource) {
            _ if allowed == "*" => true,
            (None, None) => allowed == resource,
            (Some((parent, child)), Some(sub)) => {
                (parent == "*" || parent == resource) && child == sub
            }
            _ => false,
        })
    }
}

fn has(allowed: &[String], word: &str) -> bool {
    allowed.iter().any(|one| one == "*" || one == word)
}
