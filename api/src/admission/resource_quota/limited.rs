//! What may be used only where a quota covers it (`resourcequota.admission.k8s.io/v1alpha1`, "Configuration").

use super::asked::Asked;
use serde::Deserialize;
use windlass_core::apis::core::v1::ScopedResourceSelectorRequirement;
use windlass_core::meta::LabelRequirement;
use windlass_core::quota::Scopes;

/// A resource that is limited by default. In JSON as in Kubernetes' configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LimitedResource {
    /// Its group; empty for the core group.
    pub api_group: String,
    /// Its plural: `pods`.
    pub resource: String,
    /// What has one of these in its name needs a quota that counts it: `.storageclass.storage.k8s.io/`.
    pub match_contains: Vec<String>,
    /// A pod or a claim in one of these scopes needs a quota with that scope.
    pub match_scopes: Vec<ScopedResourceSelectorRequirement>,
}

// === impl LimitedResource ===

impl LimitedResource {
    fn is_about(&self, asked: &Asked) -> bool {
        (&self.api_group, &self.resource) == (&asked.group, &asked.resource)
    }
}

/// The names that a quota must count.
pub(super) fn names(limited: &[LimitedResource], asked: &Asked) -> Vec<String> {
    let about = || limited.iter().filter(|one| one.is_about(asked));
    let contains = |name: &&String| {
        about().any(|one| one.match_contains.iter().any(|part| name.contains(part.as_str())))
    };
    asked.usage.keys().filter(contains).cloned().collect()
}

/// The scopes that a quota must have.
pub(super) fn scopes(limited: &[LimitedResource], asked: &Asked) -> Vec<LabelRequirement> {
    let Some(it) = asked.scoped() else { return vec![] };
    let about = limited.iter().filter(|one| one.is_about(asked));
    about.flat_map(|one| Scopes::from(one.match_scopes.as_slice()).matching(it)).collect()
}
