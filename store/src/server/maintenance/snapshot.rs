//! A copy of the store in pieces, as `etcdctl snapshot save` wants it: filled up to a multiple of 512 bytes, then the
//! SHA-256 of all before it. The length of the file tells `etcdctl` that there is one.

use crate::server::proto::rpc::SnapshotResponse;
use crate::server::status;
use crate::{Backend, backup};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tonic::Status;

/// Longest piece.
const PIECE: usize = 64 << 10;
/// What a file is filled up to a multiple of.
const PAGE: usize = 512;

/// What is sent in pieces.
struct Sending {
    copy: Option<BoxStream<'static, crate::Result<Bytes>>>,
    ready: Bytes,
    sent: usize,
    sum: Sha256,
}

pub(super) fn responses(
    store: Arc<dyn Backend>,
) -> BoxStream<'static, Result<SnapshotResponse, Status>> {
    let copy = Some(backup::stream(store));
    let sending = Sending { copy, ready: Bytes::new(), sent: 0, sum: Sha256::new() };
    stream::try_unfold(Some(sending), |sending| async move {
        let Some(mut sending) = sending else { return Ok(None) };
        match sending.next().await? {
            // How much follows is not known: the checksum at least.
            Some(blob) => {
                let remaining_bytes = Sha256::output_size() as u64;
                let response = SnapshotResponse { header: None, remaining_bytes, blob };
                Ok(Some((response, Some(sending))))
            }
            None => {
                let blob = Bytes::copy_from_slice(&sending.sum.finalize());
                Ok(Some((SnapshotResponse { header: None, remaining_bytes: 0, blob }, None)))
            }
        }
    })
    .boxed()
}

// === impl Sending ===

impl Sending {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        while self.ready.is_empty() {
            let Some(copy) = &mut self.copy else { return Ok(None) };
            self.ready = match copy.next().await {
                Some(piece) => piece.map_err(status::from)?,
                None => {
                    self.copy = None;
                    Bytes::from(vec![0; self.sent.next_multiple_of(PAGE) - self.sent])
                }
            };
        }
        let piece = self.ready.split_to(self.ready.len().min(PIECE));
        self.sent += piece.len();
        self.sum.update(&piece);
        Ok(Some(piece))
    }
}
