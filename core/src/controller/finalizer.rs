//! What is to be done before an object may go.

use super::Action;
use crate::client::{Client, Key, Patch, WriteOptions};
use crate::error::Error;
use crate::object::Object;
use serde_json::json;
use std::fmt::Display;

/// What a reconciler does about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Makes the world as the object says. The finalizer is on it: it will not go before a clean-up.
    Apply,
    /// Cleans up: somebody has deleted the object.
    Cleanup,
}

/// Why [`finalizer`] failed.
#[derive(Debug, thiserror::Error)]
pub enum FinalizerError<E: Display> {
    /// The reconciler failed. Retry.
    #[error("{0}")]
    Reconcile(E),
    /// The finalizer could not be put on the object. Retry.
    #[error("finalizer not added: {0}")]
    Add(#[source] Error),
    /// The finalizer could not be taken from the object; the clean-up is done, and will be done again. Retry.
    #[error("finalizer not removed: {0}")]
    Remove(#[source] Error),
}

/// Puts a finalizer on an object before anything is done for it, and takes it away when a clean-up has ended in
/// [`Action::Done`]. `object` is the object as the cache shows it; the finalizers are written only over that version.
///
/// # Errors
/// When `reconcile` fails, or the object can't be written: a conflict, say, because the cache is behind.
pub async fn finalizer<E: Display>(
    client: &dyn Client,
    key: &Key,
    object: &Object,
    name: &str,
    reconcile: impl AsyncFnOnce(Phase) -> Result<Action, E>,
) -> Result<Action, FinalizerError<E>> {
    let header = object.header();
    let others: Vec<&str> =
        header.finalizers.iter().map(|one| &**one).filter(|one| *one != name).collect();
    let there = others.len() < header.finalizers.len();
    match (header.deleting, there) {
        (true, false) => Ok(Action::Done),
        (false, true) => reconcile(Phase::Apply).await.map_err(FinalizerError::Reconcile),
        (false, false) => {
            let all = [&others[..], &[name]].concat();
            // The change brings the object back, with its finalizer.
            let added = write(client, key, object, &all).await;
            added.map(|()| Action::Done).map_err(FinalizerError::Add)
        }
        (true, true) => {
            let action = reconcile(Phase::Cleanup).await.map_err(FinalizerError::Reconcile)?;
            if action == Action::Done {
                write(client, key, object, &others).await.map_err(FinalizerError::Remove)?;
            }
            Ok(action)
        }
    }
}

async fn write(
    client: &dyn Client,
    key: &Key,
    object: &Object,
    finalizers: &[&str],
) -> Result<(), Error> {
    let header = object.header();
    let version = header.resource_version.to_string();
    let metadata = json!({"uid": header.uid, "resourceVersion": version, "finalizers": finalizers});
    let patch = Patch::merge(&json!({"metadata": metadata}));
    match client.patch(key, patch, &WriteOptions::default()).await {
        Err(error) if error.is_not_found() => Ok(()),
        written => written.map(drop),
    }
}
