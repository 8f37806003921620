//! Watch events out of a stream of bytes, one JSON document a line.

use super::answer::{Answer, with_causes};
use crate::client::{WatchBatch, WatchEvent, WatchStream};
use crate::error::{Error, Result};
use crate::meta::{INITIAL_EVENTS_END, Status};
use crate::object::Object;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::time::Instant;

/// A line may be as long as the largest object and its frame.
const MAX_LINE: usize = 16 << 20;

struct Lines<B> {
    body: B,
    rest: BytesMut,
    /// So many bytes of `rest` hold no end of a line.
    searched: usize,
    /// What is to be said after the events before it.
    failed: Option<Error>,
    ended: bool,
    deadline: Instant,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// The events of an answer. A stream that goes on past the deadline has lost its server.
pub(super) fn events(answer: Answer, deadline: Instant) -> WatchStream {
    follow(answer.0, deadline)
}

fn follow<B>(body: B, deadline: Instant) -> WatchStream
where
    B: HttpBody<Data = Bytes, Error: std::error::Error> + Send + Unpin + 'static,
{
    let rest = BytesMut::new();
    let lines = Lines { body, rest, searched: 0, failed: None, ended: false, deadline };
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

impl<B: HttpBody<Data = Bytes, Error: std::error::Error> + Unpin> Lines<B> {
    /// All events that are complete so far; waits for one.
    async fn next_batch(&mut self) -> Result<Option<WatchBatch>> {
        loop {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let batch = self.complete();
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            if self.failed.is_none() && !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    fn complete(&mut self) -> WatchBatch {
        let mut batch = WatchBatch::new();
        while let Some(end) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') {
            let line = self.rest.split_to(self.searched + end + 1);
            self.searched = 0;
            match decode(&line) {
                Ok(event) => batch.push(event),
                Err(error) => {
                    self.failed = Some(error);
                    return batch;
                }
            }
        }
        self.searched = self.rest.len();
        batch
    }

    async fn read_more(&mut self) -> Result<bool> {
        if self.rest.len() > MAX_LINE {
            return Err(Error::decode("watch event", "the line is too long"));
        }
        let frame = tokio::time::timeout_at(self.deadline, self.body.frame()).await;
        match frame.map_err(|_| Error::Transport("the watch did not end when it should".into()))? {
            None => Ok(false),
            Some(Err(error)) => Err(Error::Transport(with_causes(&error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.rest.extend_from_slice(&data);
                }
                Ok(true)
            }
        }
    }
}

/// The object gets bytes of its own: it may live long, and must not keep its neighbours' alive.
fn decode(line: &[u8]) -> Result<WatchEvent> {
    let frame: Frame<'_> =
        serde_json::from_slice(line).map_err(|error| Error::decode("watch event", error))?;
    let json = Bytes::copy_from_slice(frame.object.get().as_bytes());
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

#[cfg(test)]
mod tests;
