//! Everything that happens in etcd, as batches, over broken connections.

use super::assembler::Assembler;
use super::convert::{FIRST, signed, unsigned};
use super::failure::Failure;
use super::members::{Members, Repeat};
use crate::{Batch, Error, Result, Revision};
use etcd_client::proto::PbWatchResponse;
use etcd_client::{Client, WatchOptions, WatchStream};
use std::sync::Arc;

/// A watch over all keys. Dropping it ends the watch in etcd too.
pub(super) struct Source {
    members: Arc<Members>,
    at: Revision,
    open: Option<(WatchStream, Assembler)>,
}

// === impl Source ===

impl Source {
    /// What comes after `at`.
    pub(super) fn after(members: Arc<Members>, at: Revision) -> Self {
        Self { members, at, open: None }
    }

    /// The last revision that was given out.
    pub(super) fn at(&self) -> Revision {
        self.at
    }

    /// The next batches, at least one. A connection that breaks is replaced, for as long as it takes. May be
    /// dropped while it waits, and called again.
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::Overrun`], [`Error::Invalid`] when etcd does not allow it.
    pub(super) async fn next(&mut self) -> Result<Vec<Batch>> {
        loop {
            let Some((stream, _)) = &mut self.open else {
                self.reopen().await?;
                continue;
            };
            match stream.message().await {
                Ok(Some(response)) => {
                    let batches = self.take(response.0)?;
                    if !batches.is_empty() {
                        return Ok(batches);
                    }
                }
                Ok(None) => self.open = None,
                Err(error) => self.broken(error.into())?,
            }
        }
    }

    /// Tries for as long as a call may take.
    async fn reopen(&mut self) -> Result<()> {
        let start = signed(self.at + 1);
        match self.members.call(Repeat::Harmless, |client| open(client, start)).await {
            Ok(stream) => {
                self.open = Some((stream, Assembler::after(self.at)));
                Ok(())
            }
            Err(failure) => self.broken(failure),
        }
    }

    /// Another connection may do better, unless etcd refused.
    fn broken(&mut self, failure: Failure) -> Result<()> {
        self.open = None;
        match failure {
            Failure::Refused(error) => Err(error),
            failure => {
                tracing::debug!(at = self.at, ?failure, "etcd watch broke");
                Ok(())
            }
        }
    }

    fn take(&mut self, response: PbWatchResponse) -> Result<Vec<Batch>> {
        if response.canceled {
            self.open = None;
            return ended(&response).map_or(Ok(Vec::new()), Err);
        }
        let Some((_, assembler)) = &mut self.open else { return Ok(Vec::new()) };
        let batches = assembler.take(response.events, response.fragment)?;
        self.at = batches.last().map_or(self.at, |last| last.revision);
        Ok(batches)
    }
}

/// Why etcd ended the watch, if it would do so again.
fn ended(response: &PbWatchResponse) -> Option<Error> {
    let reason = &response.cancel_reason;
    match unsigned(response.compact_revision).checked_sub(1) {
        Some(compacted) => Some(Error::Compacted { compacted }),
        None if reason.contains("permission denied") => Some(Error::Invalid(reason.clone())),
        None => None,
    }
}

/// Opens a watch over all keys, and waits until etcd has it.
async fn open(client: Client, start: i64) -> Result<WatchStream, etcd_client::Error> {
    let options = WatchOptions::new().with_from_key().with_prev_key().with_fragment();
    created(client, FIRST, options.with_start_revision(start)).await
}

async fn created(
    client: Client,
    key: &[u8],
    options: WatchOptions,
) -> Result<WatchStream, etcd_client::Error> {
    let mut watch = client.watch_client().max_decoding_message_size(usize::MAX);
    let mut stream = watch.watch(key, Some(options)).await?;
    match stream.message().await? {
        Some(answer) if answer.created() && !answer.canceled() => Ok(stream),
        answer => {
            let why = answer.map(|answer| answer.cancel_reason().to_owned()).unwrap_or_default();
            Err(etcd_client::Error::WatchError(format!("etcd refused a watch: {why}")))
        }
    }
}

/// The last compacted revision. etcd tells it only to one who watches from before it: ask when you know that there is one.
pub(super) async fn compacted(members: &Members) -> Result<Revision> {
    let ask = |client| async move {
        let mut stream = created(client, FIRST, WatchOptions::new().with_start_revision(1)).await?;
        while let Some(answer) = stream.message().await? {
            if answer.compact_revision() > 0 {
                return Ok(unsigned(answer.compact_revision()) - 1);
            }
        }
        Err(etcd_client::Error::WatchError("etcd ended a watch without a word".into()))
    };
    Ok(members.call(Repeat::Harmless, ask).await?)
}
