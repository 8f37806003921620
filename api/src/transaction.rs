//! Several writes in one transaction of the store: see [`windlass_core::client::Transaction`].
//!
//! Every operation goes the way of a single write, over a store in which writes are kept back. At the end
//! they are committed together, on the condition that nothing they stand on has changed.

mod staged;

use crate::handler::{self, Answer, Content, Handler, Request};
use crate::registry::{Body, Entry, Registry, Write};
use crate::storage::{Kv, store_status};
use serde_json::{Map, Value, json};
use staged::Staged;
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{
    Action, DeleteOptions, Operation, Patch, PatchType, Preconditions, Transaction,
    TransactionStatus, WriteOptions,
};
use windlass_core::meta::{Reason, Status};
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{ResourceInfo, TRANSACTIONS};
use windlass_store::{Error, Revision};

/// A transaction has no more operations.
const MOST: usize = 256;
/// Its results together are no longer than so many bytes.
const LONGEST: usize = 32 << 20;
/// How often a transaction is tried again when something it stands on changes in between.
const ATTEMPTS: usize = 16;

/// The resource that transactions are posted to.
pub(crate) fn resource() -> ResourceInfo {
    ResourceInfo {
        gvr: TRANSACTIONS,
        kind: "Transaction".into(),
        singular: "transaction".into(),
        namespaced: false,
        verbs: vec![Cow::Borrowed("create")],
        short_names: Vec::new(),
        categories: Vec::new(),
        storage: TRANSACTIONS.group_version(),
        subresources: Vec::new(),
    }
}

// === impl Handler ===

impl Handler {
    /// Does all operations of what was posted, or none.
    pub(crate) async fn transact(
        &self,
        entry: &Arc<Entry>,
        write: &Write<'_>,
        body: &Body,
    ) -> Result<Answer, Status> {
        let posted: Transaction = serde_json::from_slice(&body.as_json()?).map_err(|error| {
            Status::bad_request(format!("the Transaction can't be read: {error}"))
        })?;
        let operations = posted.spec.operations;
        if operations.is_empty() || operations.len() > MOST {
            let text = format!("spec.operations: a transaction has 1 to {MOST} operations");
            return Err(Status::bad_request(text));
        }
        for _ in 0..ATTEMPTS {
            if let Some((status, warnings)) = self.attempt(write, &operations).await? {
                let object = json!({
                    "apiVersion": TRANSACTIONS.group_version().to_string(), "kind": "Transaction",
                    "metadata": {}, "spec": {"operations": []}, "status": status,
                });
                let object = Object::from_wire(object.to_string().into());
                let content = Content::Object(Arc::new(object.map_err(Status::internal)?));
                return Ok(Answer { entry: entry.clone(), content, created: true, warnings });
            }
        }
        let text = "what the transaction stands on changes too often; try again";
        Err(Status::failure(Reason::ServerTimeout, text).retry_after(1))
    }

    /// One attempt; none when something changed in between.
    async fn attempt(
        &self,
        write: &Write<'_>,
        operations: &[Operation],
    ) -> Result<Option<(TransactionStatus, Vec<String>)>, Status> {
        let staged = Arc::new(Staged::over(self.registry.backend.clone()));
        let handler = self.over(&staged);
        let (mut results, mut warnings) = (Vec::with_capacity(operations.len()), Vec::new());
        let mut length = 0;
        for (index, operation) in operations.iter().enumerate() {
            let done = handler.operate(write, operation).await;
            let (result, told) = done.map_err(|status| located(status, index))?;
            length += result.as_ref().map_or(0, |object| object.stored().len());
            if length > LONGEST {
                let text = format!("the results are longer than {LONGEST} bytes");
                let status = Status::failure(Reason::RequestEntityTooLarge, text);
                return Err(located(status, index));
            }
            results.push(result);
            warnings.extend(told);
        }
        if write.options.dry_run {
            return status(&results, 0).map(|status| Some((status, warnings)));
        }
        match self.registry.backend.commit(staged.transaction()).await {
            Ok(done) => {
                let status = status(&results, done.revision)?;
                Ok(Some((status, warnings)))
            }
            Err(Error::Precondition { .. }) => Ok(None),
            Err(Error::LeaseNotFound { id }) => {
                self.registry.event_leases.forget(id).await;
                Ok(None)
            }
            Err(error) => Err(store_status(&error)),
        }
    }

    /// The same, over a store that keeps writes back.
    fn over(&self, staged: &Arc<Staged>) -> Self {
        let objects = self.registry.objects.over(Arc::new(Kv::new(staged.clone())));
        let registry = Arc::new(Registry {
            objects,
            admission: self.registry.admission.clone(),
            allocators: self.registry.allocators.clone(),
            env: self.registry.env.clone(),
            backend: staged.clone(),
            event_leases: self.registry.event_leases.clone(),
        });
        let (authorizer, shutdown) = (self.authorizer.clone(), self.shutdown.clone());
        let (flow, creaters) = (self.flow.clone(), Default::default());
        // What definitions define is served once they are committed.
        Self { registry, registrar: None, authorizer, creaters, flow, shutdown }
    }

    /// What is left of the object, and what the user is told.
    async fn operate(
        &self,
        write: &Write<'_>,
        operation: &Operation,
    ) -> Result<(Option<Arc<Object>>, Vec<String>), Status> {
        let target = self.target(operation)?;
        let action = action(operation, write.options)?;
        let namespace = target.namespace.clone();
        let request = Request { user: write.user.clone(), target, action };
        // It was let in as a whole.
        let answer = Box::pin(self.authorized(&request)).await?;
        if operation.action == Action::Check {
            let (entry, namespace) = (&answer.entry, namespace.as_deref());
            let name = operation.text("metadata/name");
            let warnings = Vec::new();
            let checked = Write { entry, namespace, name, subresource: "", warnings, ..*write };
            self.registry.pin(&checked, &preconditions(operation)).await?;
        }
        let object = match answer.content {
            Content::Object(object) => Some(object),
            _ => None,
        };
        Ok((object, answer.warnings))
    }

    /// Where the object of an operation is.
    fn target(&self, operation: &Operation) -> Result<ResourceTarget, Status> {
        let (version, kind) = (operation.text("apiVersion"), operation.text("kind"));
        let all = self.registry.objects.resources().all();
        let named = |entry: &&Arc<Entry>| {
            entry.info.kind == kind
                // A review, or a transaction, is answered and not kept.
                && entry.info.has_verb("get")
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
    let options = WriteOptions { dry_run: false, force: operation.force, ..options.clone() };
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
            ..DeleteOptions::default()
        }),
    })
}

fn preconditions(operation: &Operation) -> Preconditions {
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

/// The same failure, with the place of the operation.
fn located(mut status: Status, index: usize) -> Status {
    status.message = format!("operations[{index}]: {}", status.message);
    status
}

/// The results, with the version that the commit gave in place of the one they were staged at.
fn status(
    results: &[Option<Arc<Object>>],
    committed: Revision,
) -> Result<TransactionStatus, Status> {
    let result = |object: &Arc<Object>| {
        let mut value: Value = object.view().map_err(Status::internal)?;
        if object.resource_version() == staged::REVISION
            && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
        {
            match committed {
                0 => _ = metadata.shift_remove("resourceVersion"),
                at => _ = metadata.insert("resourceVersion".into(), at.to_string().into()),
            }
        }
        Ok(value)
    };
    let results = results.iter().map(|one| one.as_ref().map(result).transpose());
    let resource_version = if committed == 0 { String::new() } else { committed.to_string() };
    Ok(TransactionStatus { resource_version, results: results.collect::<Result<_, Status>>()? })
}
