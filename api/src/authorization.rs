//! Who may do what.

mod configuration;
mod node;
mod rbac;
mod union;
mod webhook;

pub use configuration::{
    AuthorizationConfiguration, AuthorizationConfigurationError, ConfiguredAuthorizer,
};
pub use node::NodeAuthorizer;
pub use rbac::{Rbac, Rule};
pub use union::{Masters, Union};
pub use webhook::{Conditions, WebhookAuthorizer, WebhookCache, WebhookOptions};

use crate::authentication::User;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::meta::{FieldSelector, LabelSelector, Reason, Status};
use windlass_core::request::ResourceTarget;
use windlass_core::scheme;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who.
    pub user: &'a User,
    /// What: the verb of a request, or a word that only roles know (`use`, `bind`, `approve`).
    pub verb: &'a str,
    /// With what: a resource, or none for a path.
    pub resource: Option<&'a ResourceTarget>,
    /// The path, for requests that are about no resource.
    pub path: &'a str,
    /// Which of many objects; none for all.
    pub selectors: Option<&'a Selectors>,
}

/// Which of many objects a request asks for. To know them can only make a request smaller: a decision without them is
/// no wider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Those with these fields.
    pub fields: FieldSelector,
    /// Those with these labels.
    pub labels: LabelSelector,
}

/// What an authorizer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes. The text says why, or is empty.
    Allow(Arc<str>),
    /// No, and no other need be asked.
    Deny(String),
    /// It does not know a reason to allow it. The text says more, or is empty.
    NoOpinion(String),
}

/// Decides. Called for every request: answers from memory.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Whether it may be done.
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision;

    /// Why it may let a user do more than his roles say, as lists of rules do not show it; none when it does not.
    fn unlisted(&self, _: &User) -> Option<String> {
        Some("authorizer does not support user rule resolution".into())
    }
}

/// Lets nobody do what those before it did not allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysDeny;

/// Lets everyone do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysAllow;

#[async_trait]
impl Authorizer for AlwaysAllow {
    async fn authorize(&self, _: &Attributes<'_>) -> Decision {
        Decision::allow()
    }
}

#[async_trait]
impl Authorizer for AlwaysDeny {
    async fn authorize(&self, _: &Attributes<'_>) -> Decision {
        Decision::NoOpinion("Everything is forbidden.".into())
    }

    fn unlisted(&self, _: &User) -> Option<String> {
        None
    }
}

// === impl Decision ===

impl Decision {
    /// Yes, without a word.
    #[must_use]
    pub fn allow() -> Self {
        Self::Allow(Arc::default())
    }

    /// Whether it is a yes.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// Why, as far as it says.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Allow(why) => why,
            Self::Deny(why) | Self::NoOpinion(why) => why,
        }
    }
}

// === impl Selectors ===

impl Selectors {
    /// Out of texts; none when both are empty. One that can't be read is left out: the request is refused for it later.
    #[must_use]
    pub fn parse(fields: &str, labels: &str) -> Option<Self> {
        if fields.is_empty() && labels.is_empty() {
            return None;
        }
        let fields = FieldSelector::parse(fields).unwrap_or_default();
        let labels = LabelSelector::parse(labels).unwrap_or_default();
        Some(Self { fields, labels })
    }

    /// The value that a field of all the objects must have.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&str> {
        let mut required = self.fields.requirements.iter().filter(|one| !one.not);
        required.find(|one| one.field == field).map(|one| one.value.as_str())
    }
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    /// To do something with a resource.
    #[must_use]
    pub fn of(user: &'a User, verb: &'a str, target: &'a ResourceTarget) -> Self {
        Self { user, verb, resource: Some(target), path: "", selectors: None }
    }

    /// To do something with a path.
    #[must_use]
    pub fn of_path(user: &'a User, verb: &'a str, path: &'a str) -> Self {
        Self { user, verb, resource: None, path, selectors: None }
    }

    /// The same with some of many objects only.
    #[must_use]
    pub fn selecting(self, selectors: Option<&'a Selectors>) -> Self {
        Self { selectors, ..self }
    }

    /// The value that a field of all the objects must have.
    #[must_use]
    pub fn selected(&self, field: &str) -> Option<&'a str> {
        self.selectors?.field(field)
    }

    /// The namespace whose roles count. A namespace lies in itself, so that who rules it may see it.
    #[must_use]
    pub fn namespace(&self) -> Option<&'a str> {
        let target = self.resource?;
        let own = target.name.as_deref().filter(|_| {
            *target.resource.group == *scheme::NAMESPACES.group
                && *target.resource.resource == *scheme::NAMESPACES.resource
        });
        target.namespace.as_deref().or(own)
    }

    /// How the refusal reads.
    #[must_use]
    pub fn forbidden(&self, reason: &str) -> Status {
        let (user, verb) = (&self.user.name, self.verb);
        let more = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let Some(target) = self.resource else {
            let text = format!("User \"{user}\" cannot {verb} path \"{}\"{more}", self.path);
            return Status::failure(Reason::Forbidden, format!("forbidden: {text}"));
        };
        let (group, name) = (&*target.resource.group, target.name.as_deref().unwrap_or_default());
        let resource = match &target.subresource {
            Some(subresource) => format!("{}/{subresource}", target.resource.resource),
            None => target.resource.resource.to_string(),
        };
        let place = match self.namespace() {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let why = format!(
            "User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}{more}"
        );
        Status::forbidden(group, &target.resource.resource, name, &why)
    }
}
