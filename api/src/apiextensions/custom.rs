//! One version of a defined resource, as it is served: the rules of its objects.

mod kind;
mod strategy;

pub(super) use kind::{Kind, Schema};

use super::columns::Columns;
use super::definition::{Definition, Names, Version};
use super::scale::ScalePaths;
use crate::managed_fields::Custom;
use crate::storage::{Event, EventStream, Resource, Selection};
use crate::strategy::{Generic, Map};
use crate::validation::NameRule;
use futures::StreamExt;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::{FieldRequirement, FieldSelector, Reason, Status};
use windlass_core::object::canonical;
use windlass_core::scheme::{GroupVersionKind, ResourceInfo};

/// Verbs that are left when a definition goes.
const LAST_VERBS: [&str; 5] = ["delete", "deletecollection", "get", "list", "watch"];

/// One version of a defined resource.
pub(crate) struct CustomResource {
    kind: Arc<Kind>,
    served: GroupVersionKind,
    /// `served`, as objects say it.
    api_version: String,
    list_kind: String,
    schema: Schema,
    generic: Generic,
    columns: Columns,
    scale: Option<ScalePaths>,
    selectable: Box<[String]>,
    deprecation: Option<String>,
}

// === impl CustomResource ===

impl CustomResource {
    /// A version of a definition. What all of its versions have in common is in `kind`.
    pub(super) fn new(
        definition: &Definition<'_>,
        version: &Version<'_>,
        names: &Names,
        kind: Arc<Kind>,
    ) -> Self {
        let served = definition.version(version).with_kind(names.kind.clone());
        let subresources = version.subresources.as_ref();
        let scale = subresources.and_then(|subresources| subresources.scale.as_ref());
        let scale = scale.and_then(|scale| {
            let selector = scale.label_selector_path.as_deref();
            ScalePaths::new(&scale.spec_replicas_path, &scale.status_replicas_path, selector)
        });
        let field = |path: &str| path.trim_start_matches('.').to_owned();
        Self {
            api_version: served.api_version(),
            list_kind: names.list_kind.clone(),
            schema: kind.schema(&version.name),
            generic: Generic {
                namespaced: definition.spec.scope == "Namespaced",
                status: subresources.is_some_and(|subresources| subresources.status.is_some()),
                generation: true,
                name: NameRule::Subdomain,
            },
            columns: Columns::new(&version.additional_printer_columns),
            scale,
            selectable: version.selectable_fields.iter().map(|f| field(&f.json_path)).collect(),
            deprecation: version.deprecated.then(|| warning(version, &served)),
            served,
            kind,
        }
    }

    /// What expressions may know of its objects.
    pub(crate) fn declared(&self) -> Option<Arc<crate::cel::Declared>> {
        self.schema.as_ref()?.declared()
    }

    /// What decides who owns which field.
    pub(crate) fn ownership(&self) -> Custom<'_> {
        Custom { schema: self.schema.as_deref(), has_status: self.generic.status }
    }

    /// Where its objects are.
    pub(crate) fn place(&self) -> &Arc<Resource> {
        &self.kind.place
    }

    /// The columns of its tables.
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Where its objects say how many they are.
    pub(crate) fn scale(&self) -> Option<&ScalePaths> {
        self.scale.as_ref()
    }

    /// The kind of its lists.
    pub(crate) fn list_kind(&self) -> &str {
        &self.list_kind
    }

    /// What one who uses this version is told.
    pub(crate) fn deprecation(&self) -> Option<&str> {
        self.deprecation.as_deref()
    }

    /// As discovery shows it, when that is not as it is.
    pub(crate) fn discovered(&self, info: &ResourceInfo) -> Option<Arc<ResourceInfo>> {
        self.kind.is_terminating().then(|| {
            let verbs = LAST_VERBS.map(Into::into).to_vec();
            Arc::new(ResourceInfo { verbs, ..info.clone() })
        })
    }

    /// Nothing is made once the definition goes.
    pub(crate) fn check_create(&self) -> Result<(), Status> {
        if !self.kind.is_terminating() {
            return Ok(());
        }
        let text = "create not allowed while custom resource definition is terminating";
        Err(Status::failure(Reason::MethodNotAllowed, text))
    }

    /// A stored object as it is served.
    pub(crate) async fn serve(&self, object: Arc<Object>) -> Result<Arc<Object>, Status> {
        if self.is_current(&object) {
            return Ok(object);
        }
        let served = self.serve_all(vec![object]).await?;
        served.into_iter().next().ok_or_else(|| Status::internal("a conversion lost an object"))
    }

    /// Stored objects as they are served. Those that were written as they are served now are shared, not read.
    pub(crate) async fn serve_all(
        &self,
        mut objects: Vec<Arc<Object>>,
    ) -> Result<Vec<Arc<Object>>, Status> {
        let stale: Vec<usize> =
            (0..objects.len()).filter(|at| !self.is_current(&objects[*at])).collect();
        if stale.is_empty() {
            return Ok(objects);
        }
        let opened = stale.iter().map(|at| self.open(&objects[*at]));
        let opened = opened.collect::<Result<Vec<_>, Status>>()?;
        let served = self.convert(opened, &self.served, &self.schema).await?;
        for (at, map) in stale.into_iter().zip(served) {
            let json = canonical(map);
            if json != *objects[at].stored() {
                let version = objects[at].resource_version();
                let object = Object::from_stored(json, version).map_err(Status::internal)?;
                objects[at] = Arc::new(object);
            }
        }
        Ok(objects)
    }

    /// An object as it is stored.
    pub(crate) async fn store(&self, object: Map) -> Result<Map, Status> {
        let (to, schema) = self.kind.storage();
        let stored = self.convert(vec![object], to, &schema).await?;
        stored.into_iter().next().ok_or_else(|| Status::internal("a conversion lost an object"))
    }

    /// Takes what can only be said of objects as they are served out of a selection of stored ones.
    pub(crate) fn split(&self, selection: &mut Selection) -> FieldSelector {
        let mut own = FieldSelector::default();
        if self.kind.converter.moves_fields() && *self.kind.storage().0 != self.served {
            let all = std::mem::take(&mut selection.fields.requirements);
            let meta = |requirement: &FieldRequirement| requirement.field.starts_with("metadata.");
            (selection.fields.requirements, own.requirements) = all.into_iter().partition(meta);
        }
        own
    }

    /// Whether fields select an object as it is served.
    pub(crate) fn selects(&self, fields: &FieldSelector, object: &Object) -> bool {
        fields.matches_with(|name| self.kind.place.field(object, name))
    }

    /// What happens to stored objects, as it is served, of those that the fields select. Ends when this
    /// version is served no longer, and with the first conversion that fails: who goes on after it would miss what
    /// was in it.
    pub(crate) fn served_events(
        self: Arc<Self>,
        stream: EventStream,
        fields: FieldSelector,
    ) -> EventStream {
        let (ended, fields) = (self.kind.ended.clone(), Arc::new(fields));
        let serve = move |batch| {
            let (version, fields) = (self.clone(), fields.clone());
            async move {
                let mut batch = version.serve_batch(batch).await?;
                if !fields.requirements.is_empty() {
                    let selects = |object: &Object| version.selects(&fields, object);
                    batch = batch.into_iter().filter_map(|event| event.selected(selects)).collect();
                }
                Ok(batch)
            }
        };
        let batches = stream.then(serve).flat_map(|batch| {
            let length = 1 + usize::from(batch.is_err());
            futures::stream::iter([Some(batch), None].into_iter().take(length))
        });
        let batches = batches.take_while(|batch| ready(batch.is_some())).filter_map(ready);
        batches.take_until(Box::pin(ended.cancelled_owned())).boxed()
    }

    async fn serve_batch(
        &self,
        batch: Result<SmallVec<[Event; 1]>, Status>,
    ) -> Result<SmallVec<[Event; 1]>, Status> {
        let batch = batch?;
        let mut objects = Vec::new();
        for event in &batch {
            event.converted(|object| {
                objects.push(object.clone());
                object
            });
        }
        if objects.iter().all(|object| self.is_current(object)) {
            return Ok(batch);
        }
        let mut served: VecDeque<_> = self.serve_all(objects).await?.into();
        let mut next = |object| served.pop_front().unwrap_or(object);
        Ok(batch.iter().map(|event| event.converted(&mut next)).collect())
    }

    /// Whether a stored object is what is served, byte for byte: it was written in this version, by the
    /// rules of now.
    fn is_current(&self, object: &Object) -> bool {
        object.resource_version() > self.kind.since
            && *object.header().api_version == self.api_version
    }

    /// A stored object by the rules of the version it is stored in.
    fn open(&self, object: &Object) -> Result<Map, Status> {
        let mut map: Map = object.view().map_err(Status::internal)?;
        let version = object.header().api_version.rsplit('/').next().unwrap_or_default();
        if let Some(schema) = self.kind.schema(version) {
            schema.prune(&mut map);
            schema.default(&mut map);
        }
        Ok(map)
    }

    async fn convert(
        &self,
        mut objects: Vec<Map>,
        to: &GroupVersionKind,
        schema: &Schema,
    ) -> Result<Vec<Map>, Status> {
        let version = to.api_version();
        let other = |object: &Map| object.get("apiVersion").is_none_or(|given| *given != version);
        let others: Vec<usize> = (0..objects.len()).filter(|at| other(&objects[*at])).collect();
        let taken = others.iter().map(|at| std::mem::take(&mut objects[*at])).collect();
        let converted = self.kind.converter.convert(to, taken).await?;
        for (at, mut object) in others.into_iter().zip(converted) {
            if let Some(schema) = schema {
                schema.prune(&mut object);
            }
            objects[at] = object;
        }
        Ok(objects)
    }
}

fn warning(version: &Version<'_>, served: &GroupVersionKind) -> String {
    let usual = || format!("{} {} is deprecated", served.group_version(), served.kind);
    version.deprecation_warning.clone().unwrap_or_else(usual)
}
