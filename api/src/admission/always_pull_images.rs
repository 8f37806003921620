//! Images are asked for each time, so that who may not have one does not get it from another's pull (Kubernetes'
//! AlwaysPullImages admission controller).

use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::Map;
use crate::strategy::json::{each_mut, existing_mut, map_of, maps_of, str_of};
use crate::validation::{Errors, Path};
use async_trait::async_trait;
use std::collections::BTreeSet;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Sets the pull policy of all images of pods to `Always`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysPullImages;

#[async_trait]
impl Admission for AlwaysPullImages {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !is_written(request) {
            return Ok(());
        }
        let Some(spec) = request.object.as_mut().and_then(|pod| existing_mut(pod, "spec")) else {
            return Ok(());
        };
        for list in LISTS {
            for container in each_mut(spec, list) {
                container.insert("imagePullPolicy".into(), "Always".into());
            }
        }
        for volume in each_mut(spec, "volumes") {
            if let Some(image) = existing_mut(volume, "image") {
                image.insert("pullPolicy".into(), "Always".into());
            }
        }
        Ok(())
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let spec = request.object.as_ref().and_then(|pod| map_of(pod, "spec"));
        let Some(spec) = spec.filter(|_| is_written(request)) else { return Ok(()) };
        let mut errors = Errors::default();
        for list in LISTS {
            for (at, container) in maps_of(spec, list) {
                let policy = str_of(container, "imagePullPolicy");
                if policy != "Always" {
                    let root = Path::new("spec");
                    let list = root.child(list);
                    let path = list.index(at);
                    errors.not_supported(path.child("imagePullPolicy"), policy, &["Always"]);
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.into_status(request.kind, request.name)) }
    }
}

/// Whether images may be among what is written. A change that brings no other image leaves the pod as it is: the policy of
/// one that runs can't be changed.
fn is_written(request: &AdmissionRequest<'_>) -> bool {
    if !matches!(request.subresource, "" | "ephemeralcontainers") {
        return false;
    }
    let (Some(new), Some(old)) = (&request.object, request.old) else { return true };
    let before = images(old);
    images(new).iter().any(|image| !before.contains(image))
}

/// All images of a pod.
fn images(pod: &Map) -> BTreeSet<&str> {
    let Some(spec) = map_of(pod, "spec") else { return BTreeSet::new() };
    let containers = LISTS.into_iter().flat_map(|list| maps_of(spec, list));
    let volumes = maps_of(spec, "volumes").filter_map(|(_, volume)| map_of(volume, "image"));
    let named = containers.map(|(_, one)| str_of(one, "image"));
    named.chain(volumes.map(|image| str_of(image, "reference"))).collect()
}

#[cfg(test)]
mod tests;
