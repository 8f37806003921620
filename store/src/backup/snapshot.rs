//! Reading a store out, a piece at a time.

use crate::embedded::Encoder;
use crate::{Backend, Error, KeyRange, KeyValue, LeaseId, Result, Revision};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, try_unfold};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// How many keys are read first; then so many that they have about [`PAGE_BYTES`].
const FIRST_PAGE: usize = 256;
const PAGE_BYTES: usize = 8 << 20;
const MOST_KEYS: usize = 1 << 16;

/// What is left for a lease that ended while the store was read: its keys are in the copy, and go
/// soon after it is restored.
const ENDED: Duration = Duration::from_secs(1);

/// A copy of a store on its way: the pieces of a file, in order.
///
/// All of it is of one revision. Nothing keeps that from being compacted meanwhile: then
/// [`Snapshot::next_piece`] is [`Error::Compacted`], and one has to begin again.
pub struct Snapshot<S> {
    store: S,
    revision: Revision,
    encoder: Encoder,
    leases: BTreeSet<LeaseId>,
    ready: VecDeque<Bytes>,
    /// What is left to be read.
    rest: Option<KeyRange>,
    page: usize,
}

/// The pieces of a copy as a stream. It ends with [`Error::Compacted`] when it was too slow.
#[must_use]
pub fn stream(store: Arc<dyn Backend>) -> BoxStream<'static, Result<Bytes>> {
    let begun = futures::stream::once(Snapshot::begin(store));
    let pieces = begun.map(|copy| match copy {
        Ok(copy) => pieces(copy).left_stream(),
        Err(error) => futures::stream::once(std::future::ready(Err(error))).right_stream(),
    });
    pieces.flatten().boxed()
}

fn pieces(copy: Snapshot<Arc<dyn Backend>>) -> impl futures::Stream<Item = Result<Bytes>> {
    try_unfold(copy, async |mut copy| Ok(copy.next_piece().await?.map(|piece| (piece, copy))))
}

// === impl Snapshot ===

impl<S: Deref<Target = dyn Backend>> Snapshot<S> {
    /// Begins a copy of the current revision.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn begin(store: S) -> Result<Self> {
        // A lease that is granted after this list has no keys yet, or is found with them.
        let leases = store.leases().await?;
        let revision = store.current_revision().await?;
        let encoder = Encoder::new(revision);
        let ready = VecDeque::from([Bytes::copy_from_slice(&encoder.header())]);
        let (rest, page) = (Some(KeyRange::all()), FIRST_PAGE);
        let mut copy =
            Self { store, revision, encoder, leases: BTreeSet::new(), ready, rest, page };
        for id in leases {
            if let Some(ttl) = copy.ttl(id).await? {
                copy.add_lease(id, ttl);
            }
        }
        Ok(copy)
    }

    /// The revision of all that is in the copy.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The next piece, or the end. After an error, or when the future is dropped, the copy is of no use: without its
    /// last piece [`super::restore`] refuses it.
    ///
    /// # Errors
    /// [`Error::Compacted`]: begin again. Others are the store's.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        while self.ready.is_empty()
            && let Some(range) = self.rest.take()
        {
            self.rest = self.read(range).await?;
            if self.rest.is_none() {
                if !self.encoder.is_empty() {
                    self.close_frame();
                }
                self.close_frame();
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Reads a page; what comes after it.
    async fn read(&mut self, range: KeyRange) -> Result<Option<KeyRange>> {
        let found = self.store.range(&range, self.page, Some(self.revision)).await?;
        let mut bytes = 0;
        for kv in &found.items {
            bytes += kv.key.len() + kv.value.len();
            self.add_key(kv).await?;
        }
        let count = found.items.len().max(1);
        self.page = (PAGE_BYTES / (bytes / count).max(1)).clamp(1, MOST_KEYS);
        let last = found.items.last().filter(|_| found.remaining > 0);
        Ok(last.map(|last| KeyRange {
            start: KeyRange::key(last.key.clone()).end.expect("one key has an end"),
            end: range.end,
        }))
    }

    async fn add_key(&mut self, kv: &KeyValue) -> Result<()> {
        if let Some(id) = kv.lease
            && !self.leases.contains(&id)
        {
            let ttl = self.ttl(id).await?.unwrap_or(ENDED);
            self.add_lease(id, ttl);
        }
        self.encoder.key(kv);
        self.close_full_frame();
        Ok(())
    }

    fn add_lease(&mut self, id: LeaseId, ttl: Duration) {
        self.leases.insert(id);
        self.encoder.lease(id, ttl);
        self.close_full_frame();
    }

    async fn ttl(&self, id: LeaseId) -> Result<Option<Duration>> {
        match self.store.time_to_live(id).await {
            Ok((status, _)) => Ok(Some(status.granted)),
            Err(Error::LeaseNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn close_full_frame(&mut self) {
        if self.encoder.is_full() {
            self.close_frame();
        }
    }

    fn close_frame(&mut self) {
        let mut frame = Vec::new();
        self.encoder.frame(&mut frame);
        self.ready.push_back(frame.into());
    }
}
