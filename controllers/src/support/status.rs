//! Writing the status of an object.

use super::ops::Op;
use super::writes::{Writes, ask};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::controller::ObjectKey;
use windlass_core::{Error, Object, Result};

/// Writes a status that decides what is done next, as that of a Job does, which counts its pods: `own` remembers its
/// version, also when the answer gets lost, and until the cache of the objects shows it nothing is to be decided. Gives
/// back the object as it was written.
pub(crate) async fn write<T: Serialize>(
    client: &dyn Client,
    own: &Writes,
    request: &ObjectKey,
    key: Key,
    object: &Object,
    status: &T,
) -> Result<Arc<Object>> {
    let (at, body) = replaced(key.clone(), object, status)?;
    match client.update(&at, body.to_string().into(), &WriteOptions::default()).await {
        Ok(written) => {
            own.wrote(request, written.resource_version());
            Ok(written)
        }
        Err(error) => {
            if matches!(error, Error::Transport(_))
                && let Some(now) = ask(|| client.get(&key)).await
            {
                own.wrote(request, now.resource_version());
            }
            Err(error)
        }
    }
}

/// Replaces the status, if the object is still at the version that was read.
///
/// # Errors
/// When the object is not JSON: a cache never holds such.
pub(crate) fn replace<T: Serialize>(key: Key, object: &Object, status: &T) -> Result<Op> {
    replaced(key, object, status).map(|(key, whole)| Op::Update(key, whole))
}

fn replaced<T: Serialize>(key: Key, object: &Object, status: &T) -> Result<(Key, Value)> {
    let mut whole: Value = object.view()?;
    whole["status"] = serde_json::to_value(status)
        .map_err(|error| windlass_core::Error::decode("status", error))?;
    let resource = windlass_core::scheme::Scheme::builtin().by_gvr(&key.resource);
    if let Some(info) = resource {
        // Items of a list may come without them.
        whole["apiVersion"] = info.gvk().api_version().into();
        whole["kind"] = info.kind.to_string().into();
    }
    Ok((key.subresource("status"), whole))
}
