//! The operations of a transaction as requests of their own.

use crate::handler::{self, Handler, Request};
use crate::registry::{Body, Entry};
use serde_json::{Map, Value};
use std::sync::Arc;
use windlass_core::client::{
    Action, DeleteOptions, Operation, Patch, PatchType, Preconditions, Transaction, WriteOptions,
};
use windlass_core::meta::Status;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{BINDINGS, TRANSACTIONS};

// === impl Handler ===

impl Handler {
    /// What a transaction asks for, each with its resource; nothing when it is no transaction, and nothing in the place
    /// of an operation that can't be read: for that one it is refused before anything is done.
    pub(crate) fn operations(&self, request: &Request) -> Vec<Option<(Arc<Entry>, Request)>> {
        let handler::Action::Create(body, options) = &request.action else { return Vec::new() };
        if request.target.resource != TRANSACTIONS {
            return Vec::new();
        }
        let posted = body.as_json().ok().and_then(|json| serde_json::from_slice(&json).ok());
        let Some(Transaction { spec, .. }) = posted else { return Vec::new() };
        if spec.operations.len() > super::MOST {
            return Vec::new();
        }
        let read = |operation: &Operation| {
            let (entry, target, action) = self.read(operation, options).ok()?;
            Some((entry, Request { user: request.user.clone(), target, action }))
        };
        spec.operations.iter().map(read).collect()
    }

    /// What one operation asks for, and of which resource.
    pub(super) fn read(
        &self,
        operation: &Operation,
        options: &WriteOptions,
    ) -> Result<(Arc<Entry>, ResourceTarget, handler::Action), Status> {
        let target = self.target(operation)?;
        Ok((self.find(&target)?, target, action(operation, options)?))
    }

    /// Where the object of an operation is.
    fn target(&self, operation: &Operation) -> Result<ResourceTarget, Status> {
        let (version, kind) = (operation.text("apiVersion"), operation.text("kind"));
        let all = self.registry.objects.resources().all();
        let named = |entry: &&Arc<Entry>| {
            entry.info.kind == kind
                // A review, or a transaction, is answered and not kept. A binding is not kept either, but its pod is.
                && (entry.keeps() || entry.info.gvr == BINDINGS)
                && entry.info.gvr.group_version().to_string() == version
        };
        let entry = all.iter().find(named).ok_or_else(|| {
            Status::bad_request(format!("no kind {kind:?} is kept in version {version:?}"))
        })?;
        let given =
            |field: &str| Some(operation.text(field).to_owned()).filter(|it| !it.is_empty());
        let name = given("metadata/name");
        if name.is_none() && operation.action != Action::Create {
            return Err(Status::bad_request("object.metadata.name: the name is missing"));
        }
        Ok(ResourceTarget {
            resource: entry.info.gvr.clone(),
            namespace: given("metadata/namespace"),
            name: name.filter(|_| operation.action != Action::Create),
            subresource: Some(operation.subresource.clone()).filter(|it| !it.is_empty()),
            rest: String::new(),
        })
    }
}

/// An operation as a request of its own.
fn action(operation: &Operation, options: &WriteOptions) -> Result<handler::Action, Status> {
    let whole = || bytes::Bytes::from(Value::from(operation.object.clone()).to_string());
    let options = WriteOptions { force: operation.force, ..options.clone() };
    if operation.patch.is_some() != (operation.action == Action::Patch) {
        return Err(Status::bad_request("patch: it goes with the action Patch, and only with it"));
    }
    Ok(match operation.action {
        Action::Check => handler::Action::Get,
        Action::Create => handler::Action::Create(Body::json(whole()), options),
        Action::Update => handler::Action::Update(Body::json(whole()), options),
        Action::Apply => {
            handler::Action::Patch(Patch { kind: PatchType::Apply, body: whole() }, options)
        }
        Action::Patch => {
            let body = merge_patch(operation)?.to_string().into();
            handler::Action::Patch(Patch { kind: PatchType::Merge, body }, options)
        }
        Action::Delete => handler::Action::Delete(DeleteOptions {
            preconditions: Some(preconditions(operation)),
            dry_run: options.dry_run.then(|| vec!["All".to_owned()]),
            ..DeleteOptions::default()
        }),
    })
}

pub(super) fn preconditions(operation: &Operation) -> Preconditions {
    let given = |field: &str| Some(operation.text(field).to_owned()).filter(|it| !it.is_empty());
    Preconditions {
        uid: given("metadata/uid"),
        resource_version: given("metadata/resourceVersion"),
    }
}

/// The patch, with the preconditions where a patch has them.
fn merge_patch(operation: &Operation) -> Result<Value, Status> {
    let Some(Value::Object(mut patch)) = operation.patch.clone() else {
        return Err(Status::bad_request("patch: a merge patch is an object"));
    };
    let Preconditions { uid, resource_version } = preconditions(operation);
    let metadata = patch.entry("metadata").or_insert_with(|| Map::new().into());
    if let Value::Object(metadata) = metadata {
        metadata.extend(uid.map(|uid| ("uid".into(), uid.into())));
        metadata.extend(resource_version.map(|at| ("resourceVersion".into(), at.into())));
    }
    Ok(patch.into())
}
