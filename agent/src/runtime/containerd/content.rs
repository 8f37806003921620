//! Blobs in containerd's content store.

use super::client::{Connection, DEADLINE, call, call_unless, error};
use crate::images::blob::random_hex;
use crate::runtime::linux::lost;
use crate::runtime::{Error, Result};
use containerd_client::services::v1::{
    Info, InfoRequest, ReadContentRequest, UpdateRequest, WriteAction, WriteContentRequest,
};
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::{SinkExt, Stream, stream};
use prost_types::FieldMask;
use std::collections::HashMap;
use std::io::Read;
use tonic::{Code, Status};

/// Bytes of a blob in one message.
const CHUNK: usize = 1 << 20;
/// Largest document that is read.
const MAX_DOCUMENT: usize = 16 << 20;
/// How many chunks may wait.
const AHEAD: usize = 4;

/// A blob to be added.
pub(super) struct Blob<R> {
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) data: R,
}

/// What the messages about one blob have in common, and how far they are.
struct Writing(WriteContentRequest);

/// Whether there is a blob.
pub(super) async fn has(connection: &Connection, digest: &str) -> Result<bool> {
    let mut client = connection.content();
    let ask = client.info(InfoRequest { digest: digest.into() });
    Ok(call_unless(Code::NotFound, "looking for a blob", ask).await?.is_some())
}

/// A small document.
///
/// # Errors
/// [`Error::NotFound`] when it isn't there.
pub(super) async fn read(connection: &Connection, digest: &str) -> Result<Vec<u8>> {
    let what = "reading a blob";
    let mut client = connection.content();
    let request = ReadContentRequest { digest: digest.into(), offset: 0, size: 0 };
    let mut parts = call(what, client.read(request)).await?;
    let mut bytes = Vec::new();
    loop {
        let part = tokio::time::timeout(DEADLINE, parts.message()).await;
        let part = part.map_err(|_| Error::Failed(format!("{what}: containerd is silent")))?;
        let Some(part) = part.map_err(|status| error(what, &status))? else { return Ok(bytes) };
        if bytes.len() + part.data.len() > MAX_DOCUMENT {
            return Err(Error::Invalid(format!("blob {digest} is too large for a document")));
        }
        bytes.extend_from_slice(&part.data);
    }
}

/// Adds a small document, or gives one that is there these labels.
pub(super) async fn write(
    connection: &Connection,
    digest: &str,
    bytes: &[u8],
    labels: HashMap<String, String>,
) -> Result<()> {
    if has(connection, digest).await? {
        return label(connection, digest, labels).await;
    }
    let mut writing = Writing::new(digest, bytes.len() as u64);
    let messages = [writing.part(bytes.to_vec()), writing.last(labels)];
    send(connection, digest, stream::iter(messages)).await
}

/// Adds a blob, read on a thread for that, unless it is there. containerd checks its digest.
pub(super) async fn add(
    connection: &Connection,
    blob: Blob<impl Read + Send + 'static>,
) -> Result<()> {
    let (mut sender, receiver) = mpsc::channel(AHEAD);
    let Blob { digest, size, mut data } = blob;
    let mut writing = Writing::new(&digest, size);
    let reader = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        let mut left = true;
        while left {
            let mut chunk = Vec::with_capacity(CHUNK);
            left = data.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)? > 0;
            let message = if left { writing.part(chunk) } else { writing.last(HashMap::new()) };
            // Nobody wants more when containerd has refused.
            if block_on(sender.send(message)).is_err() {
                return Ok(());
            }
        }
        Ok(())
    });
    let sent = send(connection, &digest, receiver).await;
    let read = reader.await.map_err(lost)?;
    read.map_err(|source| Error::Io { context: "reading a layer".into(), source })?;
    sent
}

async fn send(
    connection: &Connection,
    digest: &str,
    messages: impl Stream<Item = WriteContentRequest> + Send + 'static,
) -> Result<()> {
    let what = format!("writing blob {digest}");
    let mut client = connection.content();
    let exchange = async {
        let mut answers = client.write(messages).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok::<(), Status>(())
    };
    // As long as blobs may take: registries have their own limits.
    match tokio::time::timeout(10 * DEADLINE, exchange).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(status)) if status.code() == Code::AlreadyExists => Ok(()),
        Ok(Err(status)) => Err(error(&what, &status)),
        Err(_) => Err(Error::Failed(format!("{what}: containerd does not answer"))),
    }
}

// === impl Writing ===

impl Writing {
    fn new(digest: &str, size: u64) -> Self {
        Self(WriteContentRequest {
            // One of its own: somebody else may be writing the same blob.
            r#ref: format!("windlass-{}", random_hex()),
            total: i64::try_from(size).unwrap_or(i64::MAX),
            expected: digest.into(),
            ..WriteContentRequest::default()
        })
    }

    fn part(&mut self, data: Vec<u8>) -> WriteContentRequest {
        let length = i64::try_from(data.len()).unwrap_or(i64::MAX);
        let action = WriteAction::Write.into();
        let message = WriteContentRequest { action, data, ..self.0.clone() };
        self.0.offset += length;
        message
    }

    fn last(&self, labels: HashMap<String, String>) -> WriteContentRequest {
        WriteContentRequest { action: WriteAction::Commit.into(), labels, ..self.0.clone() }
    }
}

async fn label(
    connection: &Connection,
    digest: &str,
    labels: HashMap<String, String>,
) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let paths = labels.keys().map(|k| format!("labels.{k}")).collect();
    let info = Info { digest: digest.into(), labels, ..Info::default() };
    let request = UpdateRequest { info: Some(info), update_mask: Some(FieldMask { paths }) };
    let mut client = connection.content();
    call("labelling a blob", client.update(request)).await.map(|_| ())
}
