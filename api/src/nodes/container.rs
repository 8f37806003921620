//! Which container of a pod is meant.

use super::objects::Pod;
use windlass_core::meta::Status;

/// The container that is asked for; without a name the only one there is.
pub(super) fn choose<'a>(pod: &'a Pod, asked: Option<&'a str>) -> Result<&'a str, Status> {
    let name = &pod.metadata.name;
    match (asked.filter(|asked| !asked.is_empty()), pod.spec.containers.as_slice()) {
        (Some(asked), _) if all(pod).any(|known| known == asked) => Ok(asked),
        (Some(asked), _) => {
            Err(Status::bad_request(format!("container {asked} is not valid for pod {name}")))
        }
        (None, [only]) => Ok(&only.name),
        (None, _) => {
            let known = all(pod).collect::<Vec<_>>().join(" ");
            Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{known}]"
            )))
        }
    }
}

fn all(pod: &Pod) -> impl Iterator<Item = &str> {
    let spec = &pod.spec;
    let kinds = [&spec.init_containers, &spec.containers, &spec.ephemeral_containers];
    kinds.into_iter().flatten().map(|container| container.name.as_str())
}
