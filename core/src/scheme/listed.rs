//! The resources of a group version, as a server lists them.

use super::{GroupVersion, ResourceInfo, SubresourceInfo};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;

/// An `APIResourceList`.
#[derive(Debug, Deserialize)]
struct ApiResourceList {
    #[serde(default)]
    resources: Vec<ApiResource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ApiResource {
    name: String,
    singular_name: String,
    namespaced: bool,
    group: String,
    version: String,
    kind: String,
    verbs: Vec<String>,
    short_names: Vec<String>,
    categories: Vec<String>,
}

/// The resources that an `APIResourceList` names, all of one group version.
///
/// # Errors
/// When it is none.
pub fn read_resources(
    version: &GroupVersion,
    list: &[u8],
) -> Result<Vec<Arc<ResourceInfo>>, serde_json::Error> {
    let list: ApiResourceList = serde_json::from_slice(list)?;
    let (parts, whole): (Vec<_>, Vec<_>) =
        list.resources.iter().partition(|resource| resource.name.contains('/'));
    let info = |resource: &&ApiResource| {
        let own = parts.iter().filter_map(|part| part.part_of(version, &resource.name));
        let mut subresources: Vec<_> = own.collect();
        subresources.sort_by(|a, b| a.name.cmp(&b.name));
        Arc::new(ResourceInfo {
            gvr: version.with_resource(resource.name.clone()),
            kind: resource.kind.clone().into(),
            singular: resource.singular_name.clone().into(),
            namespaced: resource.namespaced,
            verbs: words(&resource.verbs),
            short_names: words(&resource.short_names),
            categories: words(&resource.categories),
            storage: version.clone(),
            subresources,
        })
    };
    Ok(whole.iter().map(info).collect())
}

// === impl ApiResource ===

impl ApiResource {
    fn part_of(&self, version: &GroupVersion, resource: &str) -> Option<SubresourceInfo> {
        let (parent, name) = self.name.split_once('/')?;
        // An empty version is that of the list.
        let version = match self.version.as_str() {
            "" => version.clone(),
            own => {
                GroupVersion { group: self.group.clone().into(), version: own.to_owned().into() }
            }
        };
        (parent == resource).then(|| SubresourceInfo {
            name: Cow::Owned(name.to_owned()),
            gvk: version.with_kind(self.kind.clone()),
            verbs: words(&self.verbs),
        })
    }
}

fn words(words: &[String]) -> Vec<Cow<'static, str>> {
    words.iter().cloned().map(Cow::Owned).collect()
}
