//! The order of groups and versions.

use std::{
    cmp::{Ordering, Reverse},
    sync::{Arc, LazyLock},
};

use windlass_core::scheme::{ResourceInfo, Scheme};

use super::Root;

/// A group and its versions, the preferred one first.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) versions: Vec<Version<'a>>,
}

/// A version of a group and its resources, by name.
pub(super) struct Version<'a> {
    pub(super) name: &'a str,
    pub(super) resources: Vec<&'a ResourceInfo>,
}

static ORDER: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut groups: Vec<_> =
        Scheme::builtin().iter().map(|info| info.gvr.group.to_string()).collect();
    groups.dedup();
    groups
});

/// Sorts resources into groups and versions.
pub(super) fn groups(resources: &[Arc<ResourceInfo>], root: Root) -> Vec<Group<'_>> {
    let wanted = resources
        .iter()
        .map(AsRef::as_ref)
        .filter(|info| info.gvr.group.is_empty() == (root == Root::Core));
    let mut sorted: Vec<&ResourceInfo> = wanted.collect();
    sorted.sort_by(|a, b| {
        let rank = |info: &ResourceInfo| {
            ORDER.iter().position(|group| *group == info.gvr.group).unwrap_or(usize::MAX)
        };
        let by_group = rank(a).cmp(&rank(b)).then_with(|| a.gvr.group.cmp(&b.gvr.group));
        let by_version = || compare_versions(&a.gvr.version, &b.gvr.version);
        by_group.then_with(by_version).then_with(|| a.gvr.resource.cmp(&b.gvr.resource))
    });
    let by_group = sorted.chunk_by(|a, b| a.gvr.group == b.gvr.group);
    by_group
        .map(|members| Group { name: &members[0].gvr.group, versions: versions(members) })
        .collect()
}

fn versions<'a>(members: &[&'a ResourceInfo]) -> Vec<Version<'a>> {
    let by_version = members.chunk_by(|a, b| a.gvr.version == b.gvr.version);
    by_version
        .map(|members| Version { name: &members[0].gvr.version, resources: members.to_vec() })
        .collect()
}

/// Orders versions by priority: stable before beta before alpha, newer before older, and what is no
/// version of this form last, by name (API reference, "Version priority").
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (stability(a), stability(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (known_a, known_b) => known_b.is_some().cmp(&known_a.is_some()).then_with(|| a.cmp(b)),
    }
}

/// What sorts a version: stage, major and minor number, each the better the smaller.
fn stability(version: &str) -> Option<(u8, Reverse<u32>, Reverse<u32>)> {
    let rest = version.strip_prefix('v')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let major = rest[..end].parse().ok()?;
    let (stage, minor) = match &rest[end..] {
        "" => (0, 0),
        stage => match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
            (Some(minor), _) => (1, minor.parse().ok()?),
            (_, Some(minor)) => (2, minor.parse().ok()?),
            _ => return None,
        },
    };
    Some((stage, Reverse(major), Reverse(minor)))
}
