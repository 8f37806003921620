//! Several writes in one transaction of the store: see [`windlass_core::client::Transaction`].
//!
//! Every operation goes the way of a single write, over a store in which writes are kept back. At the end
//! they are committed together, on the condition that nothing they stand on has changed.

mod operation;
mod staged;

use crate::handler::{Answer, Content, Handler, Request};
use crate::registry::{Body, Entry, Registry, Write};
use crate::storage::{Kv, store_status};
use operation::preconditions;
use serde_json::{Value, json};
use staged::Staged;
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{Action, Operation, Transaction, TransactionStatus};
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::{BINDINGS, ResourceInfo, TRANSACTIONS};
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
        // What none of its attempts could do is charged and recorded as nothing, so nothing is done of it.
        for (index, operation) in operations.iter().enumerate() {
            self.read(operation, write.options).map_err(|status| located(status, index))?;
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
            metrics: self.registry.metrics.clone(),
            staged: true,
        });
        let (authorizer, shutdown) = (self.authorizer.clone(), self.shutdown.clone());
        let flow = self.flow.clone();
        let binds = self.creaters.iter().filter(|((resource, _), _)| *resource == BINDINGS);
        let creaters = binds.map(|(at, creater)| (at.clone(), creater.clone())).collect();
        // What definitions define is served once they are committed.
        Self { registry, registrar: None, authorizer, creaters, flow, shutdown }
    }

    /// What is left of the object, and what the user is told.
    async fn operate(
        &self,
        write: &Write<'_>,
        operation: &Operation,
    ) -> Result<(Option<Arc<Object>>, Vec<String>), Status> {
        let (_, target, action) = self.read(operation, write.options)?;
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
