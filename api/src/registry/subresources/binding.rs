//! `pods/binding`: puts a pod on a node, once.

use super::{Call, Created, Creater};
use crate::registry::create::Ownership;
use crate::registry::meta::{meta_str, rfc3339};
use crate::registry::update::Intent;
use crate::strategy::Map;
use crate::strategy::json::{map_mut, map_of, str_at};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use windlass_core::meta::{Status, StatusCause};
use windlass_core::scheme;

pub(super) struct Binding;

#[async_trait]
impl Creater for Binding {
    async fn create(&self, call: Call<'_>, binding: Map) -> Result<Created, Status> {
        call.check_name(&binding)?;
        let Call { registry, mut write } = call;
        let given = meta_str(&binding, "name").to_owned();
        let name = if write.name.is_empty() { given } else { write.name.to_owned() };
        check(&binding, &name)?;
        let entry = registry.objects.entry(&scheme::PODS)?;
        (write.entry, write.name, write.subresource) = (&entry, &name, "binding");
        let now = registry.env.clock.now();
        registry
            .change(&mut write, |_, pod| {
                let mut object = pod.clone();
                bind(&mut object, &binding, now)
                    .map_err(|why| Status::conflict("", "pods/binding", &name, &why))?;
                check_meant(&binding, pod, &name)?;
                Ok(Intent { object, ownership: Ownership::Track })
            })
            .await?;
        Ok(Created::Done(write.warnings))
    }
}

/// The binding names a node.
fn check(binding: &Map, name: &str) -> Result<(), Status> {
    let cause = |field: &str, message: &str, reason: &str| {
        let cause =
            StatusCause { reason: reason.into(), message: message.into(), field: field.into() };
        Err(Status::invalid("", "Binding", name, vec![cause]))
    };
    match (str_at(binding, &["target", "kind"]), str_at(binding, &["target", "name"])) {
        ("" | "Node", "") => cause("target.name", "Required value", "FieldValueRequired"),
        ("" | "Node", _) => Ok(()),
        (other, _) => {
            let message =
                format!("Unsupported value: {other:?}: supported values: \"Node\", \"<empty>\"");
            cause("target.kind", &message, "FieldValueNotSupported")
        }
    }
}

/// Who binds may say which pod he saw.
fn check_meant(binding: &Map, pod: &Map, name: &str) -> Result<(), Status> {
    for field in ["uid", "resourceVersion"] {
        let (meant, is) = (meta_str(binding, field), meta_str(pod, field));
        if !meant.is_empty() && meant != is {
            let why = format!(
                "Precondition failed: {field} in precondition: {meant}, {field} in object meta: {is}"
            );
            return Err(Status::conflict("", "pods/binding", name, &why));
        }
    }
    Ok(())
}

fn bind(pod: &mut Map, binding: &Map, now: Timestamp) -> Result<(), String> {
    let name = meta_str(pod, "name").to_owned();
    if !meta_str(pod, "deletionTimestamp").is_empty() {
        return Err(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let node = str_at(pod, &["spec", "nodeName"]);
    if !node.is_empty() {
        return Err(format!("pod {name} is already assigned to node {node:?}"));
    }
    let gates = map_of(pod, "spec").and_then(|spec| spec.get("schedulingGates"));
    if gates.and_then(Value::as_array).is_some_and(|gates| !gates.is_empty()) {
        return Err(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let target = str_at(binding, &["target", "name"]);
    map_mut(pod, "spec").insert("nodeName".into(), target.into());
    for part in ["annotations", "labels"] {
        let given = map_of(binding, "metadata").and_then(|metadata| map_of(metadata, part));
        if let Some(given) = given.filter(|given| !given.is_empty()) {
            map_mut(map_mut(pod, "metadata"), part).extend(given.clone());
        }
    }
    set_scheduled(map_mut(pod, "status"), now);
    Ok(())
}

fn set_scheduled(status: &mut Map, now: Timestamp) {
    let condition = json!({
        "type": "PodScheduled", "status": "True",
        "lastProbeTime": null, "lastTransitionTime": rfc3339(now),
    });
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.retain(|condition| condition["type"] != "PodScheduled");
        conditions.push(condition);
    }
}
