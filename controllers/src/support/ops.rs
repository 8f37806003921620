//! What plans are made of: writes and events, as data.

use serde::Serialize;
use serde_json::Value;
use windlass_core::client::{Client, DeleteOptions, Key, Patch, WriteOptions};
use windlass_core::events::{EventType, Recorder, Reference};
use windlass_core::{Error, Result};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    /// A new object. That it exists already is no error.
    Create(Key, Value),
    /// Another content, if the object is still at the version the content names.
    Update(Key, Value),
    /// A merge patch. That the object is gone is no error.
    Patch(Key, Value),
    /// A strategic merge patch. That the object is gone is no error.
    Strategic(Key, Value),
    /// Away with it, if the options' preconditions hold. That it is gone is no error.
    Delete(Key, DeleteOptions),
    /// Something for people to know.
    Event(Reference, EventType, &'static str, String),
}

// === impl Op ===

impl Op {
    /// A new object from a typed one.
    pub(crate) fn create<T: Serialize>(key: Key, object: &T) -> Self {
        Self::Create(key, json(object))
    }

    /// Another content from a typed one.
    pub(crate) fn update<T: Serialize>(key: Key, object: &T) -> Self {
        Self::Update(key, json(object))
    }

    /// As it should be.
    pub(crate) fn normal(
        about: Reference,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::Event(about, EventType::Normal, reason, message.into())
    }

    /// Something is wrong.
    pub(crate) fn warning(
        about: Reference,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::Event(about, EventType::Warning, reason, message.into())
    }
}

/// Does one thing after the other; stops at the first error. The version of the last write, 0 when there was none.
pub(crate) async fn apply(client: &dyn Client, recorder: &Recorder, ops: Vec<Op>) -> Result<u64> {
    let mut version = 0;
    for op in ops {
        version = version.max(one(client, recorder, op).await?);
    }
    Ok(version)
}

async fn one(client: &dyn Client, recorder: &Recorder, op: Op) -> Result<u64> {
    let options = WriteOptions::default();
    let written = match op {
        Op::Create(key, body) => {
            unless(Error::is_already_exists, client.create(&key, bytes(&body), &options).await)
        }
        Op::Update(key, body) => client.update(&key, bytes(&body), &options).await.map(Some),
        Op::Patch(key, patch) => {
            unless(Error::is_not_found, client.patch(&key, Patch::merge(&patch), &options).await)
        }
        Op::Strategic(key, patch) => unless(
            Error::is_not_found,
            client.patch(&key, Patch::strategic(&patch), &options).await,
        ),
        Op::Delete(key, options) => {
            unless(Error::is_not_found, client.delete(&key, &options).await).map(Option::flatten)
        }
        Op::Event(about, kind, reason, message) => {
            recorder.event(about, kind, reason, &message);
            Ok(None)
        }
    };
    Ok(written?.map_or(0, |object| object.resource_version()))
}

fn unless<T>(harmless: impl Fn(&Error) -> bool, result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if harmless(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn json<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("typed kinds have string keys, so they serialize")
}

fn bytes(body: &Value) -> bytes::Bytes {
    body.to_string().into()
}
