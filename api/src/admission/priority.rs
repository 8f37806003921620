//! A pod's priority comes from its class (Kubernetes' Priority admission controller).

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_nil, is_true, map_mut, map_of, restore, str_of};
use async_trait::async_trait;
use serde::Deserialize;
use std::sync::Arc;
use windlass_core::client::{Key, Scope};
use windlass_core::meta::Status;
use windlass_core::object::Object;
use windlass_core::scheme::{self, GroupVersionResource};

const PREEMPTS: &str = "PreemptLowerPriority";

/// Fills in `spec.priority` and `spec.preemptionPolicy` from the class, or from the global default. There is only one
/// global default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Priority;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Class {
    value: i64,
    #[serde(default)]
    global_default: bool,
    #[serde(default)]
    preemption_policy: Option<String>,
}

async fn class(request: &AdmissionRequest<'_>, name: &str) -> Result<Class, Status> {
    let key = Key::cluster(scheme::PRIORITYCLASSES, name);
    let found = request.objects.get_at(&key, ReadVersion::Newest).await?;
    let missing = || request.forbidden(&format!("no PriorityClass with name {name} was found"));
    found.ok_or_else(missing)?.view().map_err(Status::internal)
}

/// The class of pods that name none: the lowest that calls itself the default.
async fn default_class(request: &AdmissionRequest<'_>) -> Result<Option<(String, Class)>, Status> {
    let scope = Scope::all(scheme::PRIORITYCLASSES);
    let all = request.objects.list_at(&scope, ReadVersion::Any).await?;
    let named =
        |object: &Arc<Object>| Some((object.name().to_owned(), object.view::<Class>().ok()?));
    let defaults = all.iter().filter_map(named).filter(|(_, class)| class.global_default);
    Ok(defaults.min_by_key(|(_, class)| class.value))
}

/// The name of the class of a pod, and the class.
async fn class_of(request: &AdmissionRequest<'_>) -> Result<Option<(String, Class)>, Status> {
    let spec = request.object.as_ref().and_then(|pod| map_of(pod, "spec"));
    match spec.map_or("", |spec| str_of(spec, "priorityClassName")) {
        "" => default_class(request).await,
        name => Ok(Some((name.to_owned(), class(request, name).await?))),
    }
}

#[async_trait]
impl Admission for Priority {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && (*resource == scheme::PODS || *resource == scheme::PRIORITYCLASSES)
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if *request.resource != scheme::PODS || !request.subresource.is_empty() {
            return Ok(());
        }
        if request.operation == Operation::Update {
            keep(request);
            return Ok(());
        }
        let class = class_of(request).await?;
        let Some(pod) = request.object.as_mut() else { return Ok(()) };
        fill(map_mut(pod, "spec"), class).map_err(|why| request.forbidden(&why))
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let class =
            request.object.as_ref().filter(|_| *request.resource == scheme::PRIORITYCLASSES);
        let Some(class) = class.filter(|class| is_true(class, "globalDefault")) else {
            return Ok(());
        };
        let own = map_of(class, "metadata").map_or("", |metadata| str_of(metadata, "name"));
        match default_class(request).await? {
            Some((other, _)) if other != own => Err(request.forbidden(&format!(
                "PriorityClass {other} is already marked as default. Only one default can exist"
            ))),
            _ => Ok(()),
        }
    }
}

fn fill(spec: &mut Map, class: Option<(String, Class)>) -> Result<(), String> {
    let (value, policy) = match class {
        Some((name, class)) => {
            spec.insert("priorityClassName".into(), name.into());
            (class.value, class.preemption_policy)
        }
        None => (0, None),
    };
    if let Some(given) = int_of(spec, "priority").filter(|given| *given != value) {
        return Err(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {value} from the given PriorityClass name"
        ));
    }
    let policy = policy.unwrap_or_else(|| PREEMPTS.to_owned());
    let given = str_of(spec, "preemptionPolicy");
    if !given.is_empty() && given != policy {
        return Err(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
        ));
    }
    spec.insert("priority".into(), value.into());
    spec.insert("preemptionPolicy".into(), policy.into());
    Ok(())
}

/// An update that does not name them leaves them.
fn keep(request: &mut AdmissionRequest<'_>) {
    let old = request.old.and_then(|old| map_of(old, "spec"));
    if let (Some(old), Some(pod)) = (old, request.object.as_mut()) {
        let spec = map_mut(pod, "spec");
        for field in ["priority", "preemptionPolicy"] {
            if is_nil(spec, field) {
                restore(spec, old, field);
            }
        }
    }
}
