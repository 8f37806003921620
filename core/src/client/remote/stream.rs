//! Watch events out of a stream of bytes, one JSON document a line.

use super::answer::Answer;
use crate::client::{WatchBatch, WatchEvent, WatchStream};
use crate::error::{Error, Result};
use crate::meta::{INITIAL_EVENTS_END, Status};
use crate::object::Object;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A line may be as long as the largest object and its frame.
const MAX_LINE: usize = 16 << 20;

struct Lines {
    body: Body,
    rest: BytesMut,
    ended: bool,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

pub(super) fn events(answer: Answer) -> WatchStream {
    let lines = Lines { body: answer.0, rest: BytesMut::new(), ended: false };
    stream::unfold(lines, |mut lines| async move {
        if lines.ended {
            return None;
        }
        let batch = lines.next_batch().await.transpose()?;
        lines.ended = batch.is_err();
        Some((batch, lines))
    })
    .boxed()
}

impl Lines {
    /// All events that are complete so far; waits for one.
    async fn next_batch(&mut self) -> Result<Option<WatchBatch>> {
        loop {
            let mut batch = WatchBatch::new();
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1).freeze();
                batch.push(decode(&line)?);
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    async fn read_more(&mut self) -> Result<bool> {
        if self.rest.len() > MAX_LINE {
            return Err(Error::decode("watch event", "the line is too long"));
        }
        match self.body.frame().await {
            None => Ok(false),
            Some(Err(error)) => Err(Error::Transport(error.to_string())),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.rest.extend_from_slice(&data);
                }
                Ok(true)
            }
        }
    }
}

fn decode(line: &Bytes) -> Result<WatchEvent> {
    let frame: Frame<'_> =
        serde_json::from_slice(line).map_err(|error| Error::decode("watch event", error))?;
    let json = line.slice_ref(frame.object.get().as_bytes());
    let object = || Object::from_wire(json.clone()).map(Arc::new);
    Ok(match frame.kind {
        "ADDED" => WatchEvent::Added(object()?),
        "MODIFIED" => WatchEvent::Modified(object()?),
        "DELETED" => WatchEvent::Deleted(object()?),
        "BOOKMARK" => bookmark(object()?.as_ref())?,
        "ERROR" => return Err(status(&json)?.into()),
        other => return Err(Error::decode("watch event", format!("unknown type {other:?}"))),
    })
}

fn bookmark(object: &Object) -> Result<WatchEvent> {
    #[derive(Deserialize)]
    struct Bookmark {
        metadata: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(default)]
        annotations: std::collections::BTreeMap<String, String>,
    }
    let view: Bookmark = object.view()?;
    let end =
        view.metadata.annotations.get(INITIAL_EVENTS_END).is_some_and(|value| value == "true");
    Ok(WatchEvent::Bookmark {
        resource_version: object.resource_version(),
        initial_events_end: end,
    })
}

fn status(json: &[u8]) -> Result<Status> {
    serde_json::from_slice(json).map_err(|error| Error::decode("error event", error))
}
