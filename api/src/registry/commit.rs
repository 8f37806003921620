//! Into the store: the object, and with it, in one transaction, what rides along.

use super::meta::meta_str;
use super::write::{ATTEMPTS, assemble};
use super::{Registry, Write};
use crate::admission::{Charge, Operation};
use crate::storage::store_status;
use crate::strategy::{Allocation, Companion, Map, OnConflict};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::Preconditions;
use windlass_core::clock::Env;
use windlass_core::meta::{Reason, Status};
use windlass_core::object::canonical;
use windlass_core::scheme::GroupVersionResource;
use windlass_store::{Error, Op, Precondition, Revision, Txn};

/// What became of a write.
pub(super) enum Outcome {
    /// It is durable.
    Done(Arc<Object>),
    /// The object is not what the write stood on.
    Lost,
}

/// What became of a transaction.
enum Attempt {
    Committed(Revision),
    Lost,
    Retry,
}

impl Registry {
    /// Writes an object, if `guard` holds.
    pub(super) async fn put(
        &self,
        write: &Write<'_>,
        guard: Precondition,
        mut object: Map,
        old: Option<&Map>,
    ) -> Result<Outcome, Status> {
        let allocator = self.allocators.get(&write.entry.place.gvr);
        for _ in 0..ATTEMPTS {
            // What they hold is held until the commit.
            let mut charges = self.charge(write, &mut object, old).await?;
            if allocator.is_none() && charges.is_empty() {
                return match self.put_with(write, guard, object, Vec::new()).await? {
                    (Attempt::Committed(_), Some(object)) => Ok(Outcome::Done(object)),
                    (Attempt::Retry, _) => Err(busy()),
                    _ => Ok(Outcome::Lost),
                };
            }
            let mut object = object.clone();
            let mut companions = match allocator {
                Some(allocator) => allocator.allocate(&mut object, old, self).await?,
                None => Vec::new(),
            };
            charges.iter_mut().for_each(|charge| companions.append(&mut charge.companions));
            match self.put_with(write, guard.clone(), object, companions).await? {
                (Attempt::Committed(_), Some(object)) => return Ok(Outcome::Done(object)),
                (Attempt::Retry, _) => {}
                _ => return Ok(Outcome::Lost),
            }
        }
        Err(busy())
    }

    /// What admission wants to be committed with it.
    async fn charge(
        &self,
        write: &Write<'_>,
        object: &mut Map,
        old: Option<&Map>,
    ) -> Result<Vec<Charge>, Status> {
        if self.admission.0.is_empty() {
            return Ok(Vec::new());
        }
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let name = meta_str(object, "name").to_owned();
        let taken = Some(std::mem::take(object));
        let mut request = write.admission(operation, &name, taken, old, self);
        let charges = self.admission.charge(&request).await;
        *object = request.object.take().expect("a plugin that charges can't take it away");
        charges
    }

    /// What an object would be given, for one that is not kept.
    pub(super) async fn allocated(
        &self,
        write: &Write<'_>,
        mut object: Map,
        old: Option<&Map>,
    ) -> Result<Map, Status> {
        self.charge(write, &mut object, old).await?;
        if let Some(allocator) = self.allocators.get(&write.entry.place.gvr) {
            allocator.allocate(&mut object, old, self).await?;
        }
        Ok(object)
    }

    async fn put_with(
        &self,
        write: &Write<'_>,
        guard: Precondition,
        object: Map,
        companions: Vec<Companion>,
    ) -> Result<(Attempt, Option<Arc<Object>>), Status> {
        let value = canonical(write.entry.close(object).await?);
        let key = guard.key().expect("a guard speaks of the object's own key").clone();
        let lease = self.lease(write).await?;
        let own = Op::Put { key, value: value.clone(), lease };
        let attempt = self.transact(write, guard, own, companions).await?;
        let Attempt::Committed(revision) = attempt else { return Ok((attempt, None)) };
        let object = Object::from_stored(value, revision).map_err(Status::internal)?;
        Ok((attempt, Some(Arc::new(object))))
    }

    /// Removes an object, if it is still at this version. `None` when it is not.
    pub(super) async fn remove(
        &self,
        write: &Write<'_>,
        current: &Object,
        last: Map,
    ) -> Result<Option<Arc<Object>>, Status> {
        let entry = write.entry;
        let key = entry.place.key(write.namespace, current.name());
        let companions = match self.allocators.get(&entry.place.gvr) {
            Some(allocator) => allocator.release(&last, self),
            None => Vec::new(),
        };
        let guard = Precondition::ModRevision(key.clone(), current.resource_version());
        match self.transact(write, guard, Op::Delete { key }, companions).await? {
            Attempt::Committed(revision) => assemble(last, revision).map(Some),
            Attempt::Lost | Attempt::Retry => Ok(None),
        }
    }

    /// Goes on only if the object is there, as `wanted`, and stays at this version until what is written is
    /// committed.
    pub(crate) async fn pin(
        &self,
        write: &Write<'_>,
        wanted: &Preconditions,
    ) -> Result<(), Status> {
        let current = self.stored(write.entry, write.namespace, write.name).await?;
        write.check_preconditions(wanted, &current)?;
        let key = write.entry.place.key(write.namespace, write.name);
        let guard = Precondition::ModRevision(key, current.resource_version());
        let txn = Txn::new().when(guard);
        self.storage().commit(txn).await.map_err(|error| store_status(&error))?;
        Ok(())
    }

    async fn transact(
        &self,
        write: &Write<'_>,
        guard: Precondition,
        own: Op,
        companions: Vec<Companion>,
    ) -> Result<Attempt, Status> {
        let mut txn = Txn { preconditions: vec![guard], ops: vec![own] };
        let mut conflicts = Vec::new();
        for companion in companions {
            if let Some(precondition) = companion.precondition {
                txn.preconditions.push(precondition);
                conflicts.push(companion.on_conflict);
            }
            txn.ops.push(companion.op);
        }
        match self.storage().commit(txn).await {
            Ok(committed) => Ok(Attempt::Committed(committed.revision)),
            Err(Error::Precondition { index: 0 }) => Ok(Attempt::Lost),
            Err(Error::LeaseNotFound { id }) => {
                self.event_leases.forget(id).await;
                Ok(Attempt::Retry)
            }
            Err(Error::Precondition { index }) => match &conflicts[index - 1] {
                OnConflict::Retry => Ok(Attempt::Retry),
                OnConflict::Fail(errors) => {
                    Err(errors.clone().into_status(&write.entry.served, write.name))
                }
            },
            Err(error) => Err(store_status(&error)),
        }
    }
}

/// Trying again helps.
fn busy() -> Status {
    Status::failure(Reason::ServerTimeout, "too many writers ask for the same").retry_after(1)
}

#[async_trait]
impl Allocation for Registry {
    fn object_key(&self, gvr: &GroupVersionResource, namespace: &str, name: &str) -> Bytes {
        let prefix = crate::storage::prefix(&gvr.group, &gvr.resource);
        let slash = if namespace.is_empty() { "" } else { "/" };
        format!("{prefix}{namespace}{slash}{name}").into()
    }

    async fn contains(&self, key: &Bytes) -> Result<bool, Status> {
        let found = self.backend.get(key, None).await.map_err(|error| store_status(&error))?;
        Ok(found.is_some())
    }

    async fn keys(&self, prefix: &Bytes) -> Result<Vec<Bytes>, Status> {
        let range = windlass_store::KeyRange::prefix(prefix.clone());
        let found = self.backend.range(&range, 0, None).await;
        let found = found.map_err(|error| store_status(&error))?;
        Ok(found.items.into_iter().map(|kv| kv.key).collect())
    }

    fn env(&self) -> &Env {
        &self.env
    }
}
