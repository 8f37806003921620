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

impl Rule {
    /// Whether each single thing that it allows is allowed by one of those held.
    #[must_use]
    pub fn is_covered_by(&self, held: &[Rule]) -> bool {
        self.verbs.iter().all(|verb| {
            let held = || held.iter().filter(|one| has(&one.verbs, verb));
            let covers_path =
                |path: &String| held().any(|one| has_path(&one.non_resource_urls, path));
            let covers =
                |group: &str, resource: &str| self.covers_resource(held(), group, resource);
            self.non_resource_urls.iter().all(covers_path)
                && self
                    .api_groups
                    .iter()
                    .all(|group| self.resources.iter().all(|resource| covers(group, resource)))
        })
    }

    fn covers_resource<'a>(
        &self,
        held: impl Iterator<Item = &'a Rule>,
        group: &str,
        resource: &str,
    ) -> bool {
        let held: Vec<_> = held
            .filter(|one| has(&one.api_groups, group) && has_resource(&one.resources, resource))
            .collect();
        let named = |name| held.iter().any(|one| one.resource_names.contains(name));
        held.iter().any(|one| one.resource_names.is_empty())
            || (!self.resource_names.is_empty() && self.resource_names.iter().all(named))
    }
}

fn has(allowed: &[String], word: &str) -> bool {
    allowed.iter().any(|one| one == "*" || one == word)
}

fn has_resource(held: &[String], resource: &str) -> bool {
    let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
    has(held, resource) || part.is_some_and(|part| held.contains(&part))
}

fn has_path(held: &[String], path: &str) -> bool {
    held.iter().any(|one| match one.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => one == path,
    })
}
