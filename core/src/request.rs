//! Paths and what they mean: one codec for the server and for clients (API concepts, "Resource URIs").

mod parse;

pub use parse::parse;

use crate::client::{Key, ListOptions, Scope};
use crate::scheme::GroupVersionResource;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// What to do.
    pub verb: Verb,
    /// With what.
    pub target: Target,
    /// The path as it came.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Objects.
    Resource(ResourceTarget),
    /// Anything else: `/healthz`, `/apis`.
    Path,
}

/// Objects a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTarget {
    /// The resource.
    pub resource: GroupVersionResource,
    /// The namespace, if one is named.
    pub namespace: Option<String>,
    /// The object, if one is named.
    pub name: Option<String>,
    /// Its subresource, if one is named.
    pub subresource: Option<String>,
    /// What follows the subresource `proxy`, without the first slash.
    pub rest: String,
}

/// What to do, in the words of RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object.
    Get,
    /// Many.
    List,
    /// Changes.
    Watch,
    /// A new one.
    Create,
    /// Another content.
    Update,
    /// Part of it.
    Patch,
    /// Away with one.
    Delete,
    /// Away with many.
    DeleteCollection,
    /// Being somebody else. No method means it: it is asked for in headers.
    Impersonate,
    /// `OPTIONS` and other methods without a verb of their own.
    Other,
}

const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

// === impl Verb ===

impl Verb {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Impersonate => "impersonate",
            Self::Other => "options",
        }
    }

    /// The verb that a word of RBAC means; one that no request has (`use`, `bind`) is [`Verb::Other`].
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        use Verb::*;
        let all = [Get, List, Watch, Create, Update, Patch, Delete, DeleteCollection, Impersonate];
        all.into_iter().find(|verb| verb.as_str() == word).unwrap_or(Other)
    }
}

// === impl ResourceTarget ===

impl ResourceTarget {
    /// As a key; the name is empty when none is named.
    #[must_use]
    pub fn key(&self) -> Key {
        Key {
            resource: self.resource.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone().unwrap_or_default(),
            subresource: self.subresource.clone(),
        }
    }

    /// As a scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { resource: self.resource.clone(), namespace: self.namespace.clone() }
    }
}

/// The path of a scope: `/api/v1/namespaces/a/pods`.
#[must_use]
pub fn scope_path(scope: &Scope) -> String {
    let GroupVersionResource { group, version, resource } = &scope.resource;
    let root = if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    };
    match &scope.namespace {
        Some(namespace) => format!("{root}/namespaces/{}/{resource}", segment(namespace)),
        None => format!("{root}/{resource}"),
    }
}

/// The path of an object: `/api/v1/namespaces/a/pods/b/status`. With an empty name that of its scope.
#[must_use]
pub fn key_path(key: &Key) -> String {
    let mut path = scope_path(&key.scope());
    if !key.name.is_empty() {
        path = format!("{path}/{}", segment(&key.name));
    }
    match &key.subresource {
        Some(subresource) => format!("{path}/{subresource}"),
        None => path,
    }
}

/// A path with its query.
#[must_use]
pub fn with_query(path: &str, query: &[(String, String)]) -> String {
    let pairs: Vec<_> =
        query.iter().map(|(name, value)| format!("{}={}", segment(name), segment(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// The path and query of a watch.
#[must_use]
pub fn watch_path(scope: &Scope, options: &ListOptions) -> String {
    let mut query = options.to_query();
    query.push(("watch".into(), "true".into()));
    with_query(&scope_path(scope), &query)
}

/// One segment of a path, or a value of a query: what could end it or begin another is percent-encoded. The segments `.`
/// and `..` stay as they are; who takes segments from users refuses them.
pub fn segment(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, SEGMENT)
}

#[cfg(test)]
mod tests;
