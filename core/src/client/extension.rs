//! Convenience on top of the client traits: typed bodies.

use super::{Client, Key, Operation, Patch, PatchType, Transaction, TransactionSpec, WriteOptions};
use crate::error::{Error, Result};
use crate::object::{Object, View};
use crate::scheme;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What every client can do with typed values.
#[async_trait]
pub trait ClientExt: Client {
    /// A view of one object.
    async fn get_as<T: View>(&self, key: &Key) -> Result<T> {
        self.get(key).await?.view()
    }

    /// Makes an object from a value.
    async fn create_from<T: Serialize + Sync>(&self, key: &Key, value: &T) -> Result<Arc<Object>> {
        self.create(key, encode(value)?, &WriteOptions::default()).await
    }

    /// Replaces an object by a value.
    async fn update_from<T: Serialize + Sync>(&self, key: &Key, value: &T) -> Result<Arc<Object>> {
        self.update(key, encode(value)?, &WriteOptions::default()).await
    }

    /// Applies a manifest on the server, taking its fields from others.
    async fn apply<T: Serialize + Sync>(
        &self,
        key: &Key,
        manager: &str,
        value: &T,
    ) -> Result<Arc<Object>> {
        let patch = Patch { kind: PatchType::Apply, body: encode(value)? };
        let options = WriteOptions { force: true, ..WriteOptions::manager(manager) };
        self.patch(key, patch, &options).await
    }

    /// Does all of the operations or none, see [`Transaction`]. For each its object; `None` for one that is gone.
    ///
    /// # Errors
    /// What the first operation that can't be done failed with, its place in the list in the message; nothing
    /// was written. `NotFound` from a server that has no transactions.
    async fn transact(
        &self,
        operations: Vec<Operation>,
        options: &WriteOptions,
    ) -> Result<Vec<Option<Arc<Object>>>> {
        let posted = json!({
            "apiVersion": scheme::TRANSACTIONS.group_version().to_string(),
            "kind": "Transaction",
            "spec": TransactionSpec { operations },
        });
        let key = Key::cluster(scheme::TRANSACTIONS, "");
        let done = self.create(&key, encode(&posted)?, options).await?;
        let status = done.view::<Transaction>()?.status.unwrap_or_default();
        let object = |value: Value| Object::from_wire(value.to_string().into()).map(Arc::new);
        status.results.into_iter().map(|result| result.map(object).transpose()).collect()
    }
}

impl<T: Client + ?Sized> ClientExt for T {}

fn encode<T: Serialize>(value: &T) -> Result<bytes::Bytes> {
    let json = serde_json::to_vec(value).map_err(|error| Error::decode("request body", error))?;
    Ok(json.into())
}
