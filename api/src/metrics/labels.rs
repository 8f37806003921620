//! What a series is about.

use crate::registry::Entry;
use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use windlass_core::request::Verb;
use windlass_core::scheme::{GroupVersionKind, ResourceInfo};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    verb: &'static str,
    scope: &'static str,
    /// None when it is about a path, or about nothing that is served.
    resource: Option<Arc<ResourceInfo>>,
    subresource: Cow<'static, str>,
    dry_run: bool,
    /// A user defined the resource: it may go again.
    defined: bool,
}

/// What was asked for, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Answered {
    pub(super) asked: Asked,
    pub(super) code: u16,
}

/// A kind of objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind(pub(super) GroupVersionKind);

// === impl Asked ===

impl Asked {
    /// About a path.
    pub(crate) fn path(verb: Verb) -> Self {
        let subresource = Cow::Borrowed("");
        let (scope, resource) = ("", None);
        Self { verb: word(verb), scope, resource, subresource, dry_run: false, defined: false }
    }

    /// About a resource that is served.
    pub(crate) fn resource(
        verb: Verb,
        entry: &Entry,
        subresource: Option<&str>,
        scope: &'static str,
        dry_run: bool,
    ) -> Self {
        let (resource, defined) = (entry.info.clone(), entry.custom.is_some());
        let known = subresource.and_then(|name| resource.subresource(name));
        let subresource = known.map(|known| known.name.clone()).unwrap_or_default();
        let resource = Some(resource);
        Self { verb: word(verb), scope, resource, subresource, dry_run, defined }
    }

    /// The resource, if a user defined it.
    pub(super) fn defined(&self) -> Option<&ResourceInfo> {
        self.resource.as_deref().filter(|_| self.defined)
    }

    fn key(&self) -> impl PartialEq + Hash {
        let gvr = self.resource.as_deref().map(|info| &info.gvr);
        (self.verb, self.scope, gvr, &self.subresource, self.dry_run)
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        let gvr = |asked: &Self| asked.resource.as_deref().map(|info| info.gvr.clone());
        let same = match (&self.resource, &other.resource) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one.gvr == other.gvr,
            _ => gvr(self) == gvr(other),
        };
        same && (self.verb, self.scope, self.dry_run) == (other.verb, other.scope, other.dry_run)
            && self.subresource == other.subresource
    }
}

impl Eq for Asked {}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl EncodeLabelSet for Asked {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        let gvr = self.resource.as_deref().map(|info| &info.gvr);
        let (group, version, resource) =
            gvr.map_or(("", "", ""), |gvr| (&*gvr.group, &*gvr.version, &*gvr.resource));
        for (name, value) in [
            ("verb", self.verb),
            ("dry_run", if self.dry_run { "All" } else { "" }),
            ("group", group),
            ("version", version),
            ("resource", resource),
            ("subresource", &self.subresource),
            ("scope", self.scope),
            ("component", "apiserver"),
        ] {
            (name, value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

impl EncodeLabelSet for Answered {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        self.asked.encode(encoder)?;
        ("code", u64::from(self.code)).encode(encoder.encode_label())
    }
}

impl EncodeLabelSet for Kind {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        let GroupVersionKind { group, version, kind } = &self.0;
        for (name, value) in [("group", group), ("version", version), ("kind", kind)] {
            (name, &**value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// The verb as Kubernetes' metrics have it.
fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Watch => "WATCH",
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Impersonate | Verb::Other => "other",
    }
}
