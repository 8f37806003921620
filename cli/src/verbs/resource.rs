//! What people call resources: `po`, `deploy`, `services`, `ingress.networking.k8s.io`.

use windlass_core::component::BoxError;
use windlass_core::scheme::{ResourceInfo, Scheme};

/// The built-in resource that a word means.
pub(super) fn find(word: &str) -> Result<&'static ResourceInfo, BoxError> {
    let (name, group) = match word.split_once('.') {
        Some((name, group)) => (name.to_lowercase(), Some(group)),
        None => (word.to_lowercase(), None),
    };
    let is = |info: &ResourceInfo| {
        group.is_none_or(|group| info.gvr.group == group)
            && (info.gvr.resource == name
                || info.singular == name
                || info.short_names.iter().any(|short| *short == name))
    };
    let found = Scheme::builtin().iter().find(|info| is(info));
    found
        .map(|info| &**info)
        .ok_or_else(|| format!("the server doesn't have a resource type \"{word}\"").into())
}
