//! The table of built-in resources, read once from its data file.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use rustc_hash::FxHashMap;

use super::{
    GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource, ResourceInfo,
    SubresourceInfo,
};

const DATA: &str = include_str!("../../data/resources.tsv");
static BUILTIN: LazyLock<Scheme> = LazyLock::new(|| Scheme::new(parse(DATA)));

/// A set of resources that can be searched by any of their names.
#[derive(Debug, Default)]
pub struct Scheme {
    resources: Vec<Arc<ResourceInfo>>,
    by_gvr: FxHashMap<GroupVersionResource, usize>,
    by_gvk: FxHashMap<GroupVersionKind, usize>,
    by_group_resource: FxHashMap<GroupResource, usize>,
}

// === impl Scheme ===

impl Scheme {
    /// The kinds Kubernetes has built in. Parsed at the first call; cheap after that, from any task.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// A scheme of these resources, which it keeps in this order. Of two versions of one resource the
    /// first is preferred; of two entries with the same name the first stays.
    #[must_use]
    pub fn new(resources: impl IntoIterator<Item = ResourceInfo>) -> Self {
        let mut scheme = Self::default();
        for info in resources {
            scheme.insert(info);
        }
        scheme
    }

    /// The resource of this name.
    #[must_use]
    pub fn by_gvr(&self, gvr: &GroupVersionResource) -> Option<&Arc<ResourceInfo>> {
        self.by_gvr.get(gvr).map(|&at| &self.resources[at])
    }

    /// The resource whose objects are of this kind. Kinds that only subresources use are not found.
    #[must_use]
    pub fn by_gvk(&self, gvk: &GroupVersionKind) -> Option<&Arc<ResourceInfo>> {
        self.by_gvk.get(gvk).map(|&at| &self.resources[at])
    }

    /// The preferred version of a resource: `("apps", "deployments")`.
    #[must_use]
    pub fn by_group_resource(&self, group: &str, resource: &str) -> Option<&Arc<ResourceInfo>> {
        let key = GroupResource {
            group: Cow::Owned(group.to_owned()),
            resource: Cow::Owned(resource.to_owned()),
        };
        self.by_group_resource.get(&key).map(|&at| &self.resources[at])
    }

    /// All resources, in the order Kubernetes lists groups and their versions in `/apis`, the core group
    /// first; inside a version by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<ResourceInfo>> {
        self.resources.iter()
    }

    fn insert(&mut self, info: ResourceInfo) {
        let at = self.resources.len();
        if self.by_gvr.contains_key(&info.gvr) {
            return;
        }
        self.by_gvr.insert(info.gvr.clone(), at);
        self.by_gvk.entry(info.gvk()).or_insert(at);
        self.by_group_resource.entry(info.group_resource()).or_insert(at);
        self.resources.push(Arc::new(info));
    }
}

/// Reads the table. A line that does not parse is a mistake in the data file of this crate.
fn parse(data: &'static str) -> impl Iterator<Item = ResourceInfo> {
    data.lines()
        .skip(1)
        .map(|line| parse_line(line).expect("data/resources.tsv has eleven columns"))
}

fn parse_line(line: &'static str) -> Option<ResourceInfo> {
    let mut columns = line.split('\t').map(|column| if column == "-" { "" } else { column });
    let mut next = || columns.next();
    Some(ResourceInfo {
        gvr: GroupVersionResource::new(next()?, next()?, next()?),
        kind: next()?.into(),
        singular: next()?.into(),
        namespaced: next()? == "true",
        verbs: words(next()?, ','),
        short_names: words(next()?, ','),
        categories: words(next()?, ','),
        storage: group_version(next()?),
        subresources: next()?.split_terminator(' ').map(subresource).collect::<Option<_>>()?,
    })
}

/// Reads `scale:Scale(autoscaling/v1):get,patch,update`.
fn subresource(text: &'static str) -> Option<SubresourceInfo> {
    let (name, rest) = text.split_once(':')?;
    let (kind, rest) = rest.split_once('(')?;
    let (version, verbs) = rest.split_once("):")?;
    Some(SubresourceInfo {
        name: name.into(),
        gvk: group_version(version).with_kind(kind),
        verbs: words(verbs, ','),
    })
}

fn group_version(text: &'static str) -> GroupVersion {
    let (group, version) = text.split_once('/').unwrap_or(("", text));
    GroupVersion::new(group, version)
}

fn words(text: &'static str, separator: char) -> Vec<Cow<'static, str>> {
    text.split_terminator(separator).map(Cow::Borrowed).collect()
}
