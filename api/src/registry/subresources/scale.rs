//! `scale`: how many, of any kind that has replicas (autoscaling/v1 Scale).

use crate::apiextensions::Scale;
use crate::registry::create::Ownership;
use crate::registry::meta::meta_str;
use crate::registry::patch::patched;
use crate::registry::update::Intent;
use crate::registry::{Body, Entry, Registry, Write};
use crate::strategy::Map;
use crate::strategy::json::{int_of, map_mut, map_of, str_of};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{Patch, PatchType};
use windlass_core::meta::{LabelSelector, Status, StatusCause};
use windlass_core::object::canonical;
use windlass_core::scheme::GroupVersionKind;

/// The kind of a scale.
const SCALE: GroupVersionKind = GroupVersionKind::new("autoscaling", "v1", "Scale");

impl Registry {
    pub(crate) async fn get_scale(&self, write: &Write<'_>) -> Result<Arc<Object>, Status> {
        let object = self.stored(write.entry, write.namespace, write.name).await?;
        scale_object(write.entry, object).await
    }

    pub(crate) async fn update_scale(
        &self,
        write: &mut Write<'_>,
        body: &Body,
    ) -> Result<Arc<Object>, Status> {
        let mut scale = write.decode_as(&SCALE, body)?;
        write.place(&mut scale)?;
        let changed = self.change(write, |write, old| scaled(write, old, &scale)).await?;
        scale_object(write.entry, changed).await
    }

    pub(crate) async fn patch_scale(
        &self,
        write: &mut Write<'_>,
        patch: &Patch,
    ) -> Result<Arc<Object>, Status> {
        if patch.kind == PatchType::Apply {
            return self.apply_scale(write, patch).await;
        }
        let intent = |write: &mut Write<'_>, old: &Map| {
            let mut current = scale_of(write.entry, old)?;
            let metadata = map_mut(&mut current, "metadata");
            metadata.insert("resourceVersion".into(), meta_str(old, "resourceVersion").into());
            let mut scale = patched(&current, patch, write)?;
            write.place(&mut scale)?;
            scaled(write, old, &scale)
        };
        let changed = self.change(write, intent).await?;
        scale_object(write.entry, changed).await
    }

    /// Who applies a scale owns the replicas of the object itself: they are applied to that.
    async fn apply_scale(
        &self,
        write: &mut Write<'_>,
        patch: &Patch,
    ) -> Result<Arc<Object>, Status> {
        let scale = write.apply_config(&SCALE, patch)?;
        let config = config_of(write, &scale)?;
        let intent = |write: &mut Write<'_>, old: &Map| {
            let mut intent = self.applied(write, &config, Some(old))?;
            // A scale always says how many, also when nobody owns that any more.
            let wanted = replicas_of(write.entry, &intent.object);
            set_replicas(write.entry, &mut intent.object, wanted.unwrap_or(0));
            Ok(intent)
        };
        let changed = self.change(write, intent).await?;
        scale_object(write.entry, changed).await
    }
}

/// What of a scale is applied to the object that it belongs to.
fn config_of(write: &Write<'_>, scale: &Map) -> Result<Map, Status> {
    let (version, expected) = (str_of(scale, "apiVersion"), SCALE.api_version());
    if version != expected {
        return Err(Status::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {expected}"
        )));
    }
    let (entry, served) = (write.entry, &write.entry.served);
    let taken = ["name", "namespace", "uid", "resourceVersion", "managedFields"];
    let metadata: Map = map_of(scale, "metadata")
        .into_iter()
        .flatten()
        .filter(|(key, _)| taken.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut config = Map::from_iter([
        ("apiVersion".to_owned(), served.api_version().into()),
        ("kind".to_owned(), Value::from(&*served.kind)),
        ("metadata".to_owned(), metadata.into()),
    ]);
    if let Some(replicas) = wanted(write, scale)? {
        set_replicas(entry, &mut config, replicas);
    }
    Ok(config)
}

/// How many a scale wants, if it says so.
fn wanted(write: &Write<'_>, scale: &Map) -> Result<Option<i64>, Status> {
    let replicas = map_of(scale, "spec").and_then(|spec| int_of(spec, "replicas"));
    let Some(negative) = replicas.filter(|replicas| *replicas < 0) else { return Ok(replicas) };
    let cause = StatusCause {
        reason: "FieldValueInvalid".into(),
        message: format!("Invalid value: {negative}: must be greater than or equal to 0"),
        field: "spec.replicas".into(),
    };
    Err(Status::invalid("autoscaling", "Scale", write.name, vec![cause]))
}

/// The object with the replicas of a scale.
fn scaled(write: &Write<'_>, old: &Map, scale: &Map) -> Result<Intent, Status> {
    let replicas = wanted(write, scale)?.unwrap_or(0);
    let mut object = old.clone();
    set_replicas(write.entry, &mut object, replicas);
    let metadata = map_mut(&mut object, "metadata");
    for field in ["resourceVersion", "uid"] {
        let meant = meta_str(scale, field);
        if !meant.is_empty() {
            metadata.insert(field.into(), meant.into());
        }
    }
    Ok(Intent { object, ownership: Ownership::Track })
}

/// Sets the replicas of an object to those of a scale.
pub(crate) fn replace_scale(entry: &Entry, object: &mut Map, scale: &Map) {
    let replicas = map_of(scale, "spec").and_then(|spec| int_of(spec, "replicas")).unwrap_or(0);
    set_replicas(entry, object, replicas);
}

fn replicas_of(entry: &Entry, object: &Map) -> Option<i64> {
    match entry.scale() {
        Some(paths) => paths.read(object).ok().map(|scale| scale.replicas),
        None => map_of(object, "spec").and_then(|spec| int_of(spec, "replicas")),
    }
}

fn set_replicas(entry: &Entry, object: &mut Map, replicas: i64) {
    match entry.scale() {
        Some(paths) => paths.set(object, replicas),
        None => _ = map_mut(object, "spec").insert("replicas".into(), replicas.into()),
    }
}

async fn scale_object(entry: &Entry, object: Arc<Object>) -> Result<Arc<Object>, Status> {
    let version = object.resource_version();
    let scale = canonical(scale_of(entry, &entry.open(&object).await?)?);
    Object::from_stored(scale, version).map(Arc::new).map_err(Status::internal)
}

/// The scale of an object.
pub(crate) fn scale_of(entry: &Entry, object: &Map) -> Result<Map, Status> {
    let Scale { replicas, current, selector } = match entry.scale() {
        Some(paths) => paths.read(object)?,
        None => usual_scale(object)?,
    };
    let shown = ["name", "namespace", "uid", "creationTimestamp"];
    let metadata: Map = map_of(object, "metadata")
        .into_iter()
        .flatten()
        .filter(|(key, _)| shown.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut status = json!({"replicas": current});
    if let Some(selector) = selector {
        status["selector"] = selector.into();
    }
    let scale = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata,
        "spec": {"replicas": replicas}, "status": status,
    });
    let Value::Object(scale) = scale else { unreachable!("it was written as an object") };
    Ok(scale)
}

/// The scale of a built-in kind.
fn usual_scale(object: &Map) -> Result<Scale, Status> {
    let empty = Map::new();
    let part = |name| map_of(object, name).unwrap_or(&empty);
    let (spec, status) = (part("spec"), part("status"));
    Ok(Scale {
        replicas: int_of(spec, "replicas").unwrap_or(0),
        current: int_of(status, "replicas").unwrap_or(0),
        selector: selector(spec)?,
    })
}

/// The selector as a query has it; a replication controller's is a map of labels.
fn selector(spec: &Map) -> Result<Option<String>, Status> {
    let Some(selector) = map_of(spec, "selector") else { return Ok(None) };
    let api = if selector.contains_key("matchLabels") || selector.contains_key("matchExpressions") {
        Value::Object(selector.clone())
    } else {
        json!({"matchLabels": selector})
    };
    let api = serde_json::from_value(api).map_err(Status::internal)?;
    Ok(Some(LabelSelector::from_api(&api).map_err(Status::internal)?.to_string()))
}
