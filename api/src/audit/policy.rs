//! What is recorded of which request (`audit.k8s.io/v1`, Policy). The first rule that a request meets decides.

use crate::authorization::Attributes;
use serde::Deserialize;
use std::fmt;

/// How much is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who, what, when, and what came of it.
    Metadata,
    /// And what was sent.
    Request,
    /// And what was answered.
    RequestResponse,
}

/// When an event is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Stage {
    /// The request is there.
    RequestReceived,
    /// The answer begins, and will go on for long.
    ResponseStarted,
    /// The answer is whole.
    ResponseComplete,
    /// The server panicked.
    Panic,
}

/// What is recorded of which request. The empty one records nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: bool,
}

/// Why a policy can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no YAML of the right form.
    #[error("the audit policy can't be read: {0}")]
    Syntax(#[from] yaml_serde::Error),
    /// It is something else.
    #[error("the audit policy is {0:?}, not a Policy of audit.k8s.io/v1")]
    Kind(String),
    /// It says nothing.
    #[error("the audit policy has no rules: it would record nothing")]
    Empty,
    /// A rule is about resources and paths at once.
    #[error("rule {0} of the audit policy is about resources and about paths: one or the other")]
    Mixed(usize),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    level: Level,
    users: Vec<String>,
    user_groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<GroupResources>,
    namespaces: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    omit_stages: Vec<Stage>,
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeMeta {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
}

/// What is recorded of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) omit_stages: Vec<Stage>,
    pub(super) omit_managed_fields: bool,
}

// === impl Level ===

impl fmt::Display for Level {
    /// As policies and events name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

// === impl Policy ===

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// When it is none, or could not mean what it says.
    pub fn parse(yaml: &str) -> Result<Self, PolicyError> {
        let TypeMeta { api_version, kind } = yaml_serde::from_str(yaml)?;
        if (api_version.as_str(), kind.as_str()) != ("audit.k8s.io/v1", "Policy") {
            return Err(PolicyError::Kind(format!("{api_version} {kind}")));
        }
        let policy: Self = yaml_serde::from_str(yaml)?;
        if policy.rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        let mixed = |rule: &Rule| {
            let resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
            resources && !rule.non_resource_urls.is_empty()
        };
        match policy.rules.iter().position(mixed) {
            Some(at) => Err(PolicyError::Mixed(at)),
            None => Ok(policy),
        }
    }

    /// Records of every request who, what and when.
    #[must_use]
    pub fn metadata() -> Self {
        let rule = Rule { level: Level::Metadata, ..Rule::default() };
        Self { rules: vec![rule], ..Self::default() }
    }

    pub(super) fn decide(&self, attributes: &Attributes<'_>) -> Verdict {
        let Some(rule) = self.rules.iter().find(|rule| rule.takes(attributes)) else {
            return Verdict::default();
        };
        Verdict {
            level: rule.level,
            omit_stages: self.omit_stages.iter().chain(&rule.omit_stages).copied().collect(),
            omit_managed_fields: rule.omit_managed_fields.unwrap_or(self.omit_managed_fields),
        }
    }
}

// === impl Rule ===

impl Rule {
    fn takes(&self, attributes: &Attributes<'_>) -> bool {
        let user = attributes.user;
        open(&self.users, |one| *one == user.name)
            && open(&self.user_groups, |one| user.is_in(one))
            && open(&self.verbs, |one| one == attributes.verb)
            && self.is_about(attributes)
    }

    fn is_about(&self, attributes: &Attributes<'_>) -> bool {
        let Some(target) = attributes.resource else {
            return self.resources.is_empty()
                && self.namespaces.is_empty()
                && open(&self.non_resource_urls, |url| match url.strip_suffix('*') {
                    Some(prefix) => attributes.path.starts_with(prefix),
                    None => url == attributes.path,
                });
        };
        let namespace = attributes.namespace().unwrap_or_default();
        self.non_resource_urls.is_empty()
            && open(&self.namespaces, |one| one == namespace)
            && open(&self.resources, |one| {
                let name = target.name.as_deref().unwrap_or_default();
                one.group == target.resource.group
                    && open(&one.resource_names, |wanted| wanted == name)
                    && open(&one.resources, |wanted| {
                        names(wanted, &target.resource.resource, target.subresource.as_deref())
                    })
            })
    }
}

/// Whether nothing is asked for, or one of what is.
fn open<T>(asked: &[T], mut is: impl FnMut(&T) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(&mut is)
}

/// `pods`, `pods/log`, `pods/*`, `*/scale`, `*`.
fn names(wanted: &str, resource: &str, subresource: Option<&str>) -> bool {
    if wanted == "*" {
        return true;
    }
    let part = |wanted: &str, is: &str| wanted == "*" || wanted == is;
    match (wanted.split_once('/'), subresource) {
        (None, None) => wanted == resource,
        (Some((first, second)), Some(subresource)) => {
            part(first, resource) && part(second, subresource)
        }
        _ => false,
    }
}
