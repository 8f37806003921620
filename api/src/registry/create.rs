//! New objects.

use super::commit::Outcome;
use super::decode::Body;
use super::meta::{born, generate_name, is_no_version, meta_str};
use super::write::assemble;
use super::{Registry, Write};
use crate::admission::Operation;
use crate::strategy::Map;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::{Reason, Status};
use windlass_store::Precondition;

/// How many names are tried for an object that asks for one.
const NAMES: usize = 8;

/// Whether the managed fields are still to be brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// What changed becomes the writer's.
    Track,
    /// An apply has done it.
    Done,
}

impl Registry {
    pub(crate) async fn create(
        &self,
        write: &mut Write<'_>,
        body: &Body,
    ) -> Result<Arc<Object>, Status> {
        let object = write.decode(body)?;
        let created = self.create_object(write, object, Ownership::Track).await?;
        write.entry.serve(created).await
    }

    /// Makes an object as it is stored.
    pub(super) async fn create_object(
        &self,
        write: &mut Write<'_>,
        mut object: Map,
        ownership: Ownership,
    ) -> Result<Arc<Object>, Status> {
        write.place(&mut object)?;
        if !is_no_version(meta_str(&object, "resourceVersion")) {
            let text = "resourceVersion should not be set on objects to be created";
            return Err(Status::bad_request(text));
        }
        let name = meta_str(&object, "name").to_owned();
        let object = self.admit(write, Operation::Create, &name, object, None).await?;
        if !meta_str(&object, "name").is_empty() {
            return self.create_named(write, object, ownership).await;
        }
        for _ in 0..NAMES {
            let mut named = object.clone();
            let generated = generate_name(&mut named, &self.env);
            match self.create_named(write, named, ownership).await {
                Err(status) if generated && status.reason == Reason::AlreadyExists => {}
                result => return result,
            }
        }
        let text = "the server was not able to generate a unique name for the object";
        Err(Status::failure(Reason::AlreadyExists, text).retry_after(1))
    }

    async fn create_named(
        &self,
        write: &mut Write<'_>,
        mut object: Map,
        ownership: Ownership,
    ) -> Result<Arc<Object>, Status> {
        let entry = write.entry;
        born(&mut object, &self.env);
        entry.strategy.prepare_for_create(&mut object);
        entry.strategy.made_by(&mut object, write.user);
        if ownership == Ownership::Track {
            self.own(write, &mut object, None);
        }
        let name = meta_str(&object, "name").to_owned();
        write.check(&entry.strategy.validate(&object), &name)?;
        let object = self.admitted(write, Operation::Create, &name, object, None).await?;
        let warnings = entry.strategy.warnings(&object);
        write.warnings.extend(warnings);
        let key = entry.place.key(write.namespace, &name);
        if self.is_dry(write) {
            return self.dry_create(write, &key, object, &name).await;
        }
        let guard = Precondition::Absent(key);
        match self.put(write, guard, object, None).await? {
            Outcome::Done(object) => Ok(object),
            Outcome::Lost => Err(Status::already_exists(entry.group(), entry.plural(), &name)),
        }
    }

    async fn dry_create(
        &self,
        write: &Write<'_>,
        key: &bytes::Bytes,
        object: Map,
        name: &str,
    ) -> Result<Arc<Object>, Status> {
        let entry = write.entry;
        let at = crate::storage::ReadVersion::Newest;
        if self.storage().get(&entry.place, key, at).await?.is_some() {
            return Err(Status::already_exists(entry.group(), entry.plural(), name));
        }
        assemble(self.allocated(write, object, None).await?, 0)
    }
}
