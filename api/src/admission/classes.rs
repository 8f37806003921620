//! Which class is the default: the newest that says so of itself, and of several the first by name.

#[cfg(test)]
mod tests;

use super::AdmissionRequest;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{map_at, str_at};
use std::cmp::Reverse;
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionResource;

/// The name of the class of `resource` with one of these annotations; none when there is none, or no such resource.
pub(super) async fn default_class(
    request: &AdmissionRequest<'_>,
    resource: GroupVersionResource,
    annotations: &[&str],
) -> Result<Option<String>, Status> {
    if !request.objects.serves(&resource) {
        return Ok(None);
    }
    let all = request.objects.list_at(&Scope::all(resource), ReadVersion::Any).await?;
    let mut defaults = Vec::new();
    for object in all {
        let class: Map = object.view().map_err(Status::internal)?;
        let own = map_at(&class, &["metadata", "annotations"]);
        if annotations
            .iter()
            .any(|key| own.is_some_and(|own| own.get(*key).is_some_and(|it| it == "true")))
        {
            let made = str_at(&class, &["metadata", "creationTimestamp"]).to_owned();
            defaults.push((Reverse(made), object.name().to_owned()));
        }
    }
    Ok(defaults.into_iter().min().map(|(_, name)| name))
}
