//! Who may do what.

mod node;
mod rbac;
mod union;
mod webhook;

pub use node::NodeAuthorizer;
pub use rbac::{Rbac, Rule};
pub use union::{Masters, Union};
pub use webhook::{WebhookAuthorizer, WebhookCache};

use crate::authentication::User;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::meta::{Reason, Status};
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
}

/// Lets everyone do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysAllow;

#[async_trait]
impl Authorizer for AlwaysAllow {
    async fn authorize(&self, _: &Attributes<'_>) -> Decision {
        Decision::allow()
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

// === impl Attributes ===

impl Attributes<'_> {
    /// The namespace whose roles count. A namespace lies in itself, so that who rules it may see it.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
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
