//! A pod's priority comes from its class (Kubernetes' Priority admission controller).

use super::{Admission, AdmissionRequest, Operation};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::client::{Key, ListOptions, Reader, Scope};
use windlass_core::meta::Status;
use windlass_core::object::Object;
use windlass_core::scheme::{self, GroupVersionResource};

/// Fills in `spec.priority` and `spec.preemptionPolicy` from the class, or from the global default.
pub struct Priority {
    objects: Arc<dyn Reader>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Class {
    value: i64,
    #[serde(default)]
    global_default: bool,
    #[serde(default)]
    preemption_policy: Option<String>,
}

impl Priority {
    /// Reads priority classes through `objects`.
    pub fn new(objects: Arc<dyn Reader>) -> Self {
        Self { objects }
    }

    async fn class(&self, pod: &str, name: &str) -> Result<Class, Status> {
        let key = Key::cluster(scheme::PRIORITYCLASSES, name);
        let found = self.objects.get(&key).await.and_then(|object| object.view());
        found.map_err(|error| match error.is_not_found() {
            true => Status::forbidden(
                "",
                "pods",
                pod,
                &format!("no PriorityClass with name {name} was found"),
            ),
            false => Status::internal(error),
        })
    }

    /// The class of pods that name none: the lowest that calls itself the default.
    async fn default_class(&self) -> Result<Option<(String, Class)>, Status> {
        let scope = Scope::all(scheme::PRIORITYCLASSES);
        let options = ListOptions { resource_version: "0".into(), ..ListOptions::default() };
        let list = self.objects.list(&scope, &options).await.map_err(Status::internal)?;
        let named =
            |object: &Arc<Object>| Some((object.name().to_owned(), object.view::<Class>().ok()?));
        let defaults =
            list.items.iter().filter_map(named).filter(|(_, class)| class.global_default);
        Ok(defaults.min_by_key(|(_, class)| class.value))
    }
}

#[async_trait]
impl Admission for Priority {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::PODS
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let spec = request.object.as_mut().filter(|_| request.subresource.is_empty());
        let Some(spec) = spec.and_then(|pod| pod.get_mut("spec")?.as_object_mut()) else {
            return Ok(());
        };
        let class = match spec.get("priorityClassName").and_then(Value::as_str) {
            None | Some("") => self.default_class().await?,
            Some(name) => Some((name.to_owned(), self.class(request.name, name).await?)),
        };
        let (value, policy) = match class {
            Some((name, class)) => {
                spec.insert("priorityClassName".into(), name.into());
                (class.value, class.preemption_policy)
            }
            None => (0, None),
        };
        if spec.get("priority").and_then(Value::as_i64).is_some_and(|given| given != value) {
            let why = "the integer value of priority must not be provided in pod spec; priority admission \
                controller computed a different value";
            return Err(Status::forbidden("", "pods", request.name, why));
        }
        spec.insert("priority".into(), value.into());
        spec.entry("preemptionPolicy")
            .or_insert_with(|| policy.unwrap_or_else(|| "PreemptLowerPriority".to_owned()).into());
        Ok(())
    }
}
