//! The names of the API: group/version, and with it a resource or a kind.

use std::{borrow::Cow, fmt, str::FromStr};

/// An API group and one of its versions; the core group is the empty string.
///
/// Displays, and parses, as `apiVersion` is written: `apps/v1`, and `v1` for the core group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersion {
    /// The group: `apps`, or empty for the core group.
    pub group: Cow<'static, str>,
    /// The version: `v1`.
    pub version: Cow<'static, str>,
}

/// A resource of any version: what short names, RBAC rules and error messages speak of.
///
/// Displays as `deployments.apps`, and `pods` for the core group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupResource {
    /// The group: `apps`, or empty for the core group.
    pub group: Cow<'static, str>,
    /// The plural: `deployments`.
    pub resource: Cow<'static, str>,
}

/// Names a resource as paths do: `/apis/{group}/{version}/{resource}`.
///
/// Displays as Kubernetes logs it: `apps/v1, Resource=deployments`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionResource {
    /// The group: `apps`, or empty for the core group.
    pub group: Cow<'static, str>,
    /// The version: `v1`.
    pub version: Cow<'static, str>,
    /// The plural: `deployments`.
    pub resource: Cow<'static, str>,
}

/// Names the type of an object as its `apiVersion` and `kind` do.
///
/// Displays as Kubernetes logs it: `apps/v1, Kind=Deployment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionKind {
    /// The group: `apps`, or empty for the core group.
    pub group: Cow<'static, str>,
    /// The version: `v1`.
    pub version: Cow<'static, str>,
    /// The kind: `Deployment`.
    pub kind: Cow<'static, str>,
}

/// An `apiVersion` with more than one slash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unexpected GroupVersion string: {0}")]
pub struct ParseGroupVersionError(String);

// === impl GroupVersion ===

impl GroupVersion {
    /// A group and version known at compile time.
    #[must_use]
    pub const fn new(group: &'static str, version: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), version: Cow::Borrowed(version) }
    }

    /// The path below which its resources live: `/api/v1`, `/apis/apps/v1`.
    #[must_use]
    pub fn path(&self) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        format!("{root}/{self}")
    }

    /// The kind of this name in this group and version.
    #[must_use]
    pub fn with_kind(&self, kind: impl Into<Cow<'static, str>>) -> GroupVersionKind {
        GroupVersionKind {
            group: self.group.clone(),
            version: self.version.clone(),
            kind: kind.into(),
        }
    }

    /// The resource of this plural in this group and version.
    #[must_use]
    pub fn with_resource(&self, resource: impl Into<Cow<'static, str>>) -> GroupVersionResource {
        GroupVersionResource {
            group: self.group.clone(),
            version: self.version.clone(),
            resource: resource.into(),
        }
    }
}

impl fmt::Display for GroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_group_version(f, &self.group, &self.version)
    }
}

impl FromStr for GroupVersion {
    type Err = ParseGroupVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (group, version) = text.split_once('/').unwrap_or(("", text));
        if version.contains('/') {
            return Err(ParseGroupVersionError(text.to_owned()));
        }
        Ok(Self { group: Cow::Owned(group.to_owned()), version: Cow::Owned(version.to_owned()) })
    }
}

// === impl GroupResource ===

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.group {
            "" => f.write_str(&self.resource),
            group => write!(f, "{}.{group}", self.resource),
        }
    }
}

// === impl GroupVersionResource ===

impl GroupVersionResource {
    /// A resource known at compile time.
    #[must_use]
    pub const fn new(group: &'static str, version: &'static str, resource: &'static str) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            resource: Cow::Borrowed(resource),
        }
    }

    /// Its group and version.
    #[must_use]
    pub fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone(), version: self.version.clone() }
    }

    /// The same resource without a version.
    #[must_use]
    pub fn group_resource(&self) -> GroupResource {
        GroupResource { group: self.group.clone(), resource: self.resource.clone() }
    }
}

impl fmt::Display for GroupVersionResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_group_version(f, &self.group, &self.version)?;
        write!(f, ", Resource={}", self.resource)
    }
}

// === impl GroupVersionKind ===

impl GroupVersionKind {
    /// A kind known at compile time.
    #[must_use]
    pub const fn new(group: &'static str, version: &'static str, kind: &'static str) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
        }
    }

    /// The kind of a typed object.
    #[must_use]
    pub const fn of<K: k8s_openapi::Resource>() -> Self {
        Self::new(K::GROUP, K::VERSION, K::KIND)
    }

    /// Its group and version.
    #[must_use]
    pub fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone(), version: self.version.clone() }
    }

    /// What stands in the `apiVersion` of its objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        self.group_version().to_string()
    }
}

impl fmt::Display for GroupVersionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_group_version(f, &self.group, &self.version)?;
        write!(f, ", Kind={}", self.kind)
    }
}

fn write_group_version(f: &mut fmt::Formatter<'_>, group: &str, version: &str) -> fmt::Result {
    if group.is_empty() { f.write_str(version) } else { write!(f, "{group}/{version}") }
}
