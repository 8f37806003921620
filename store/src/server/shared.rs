//! What all services of a server share.

use super::ServerOptions;
use super::proto::rpc::ResponseHeader;
use super::{convert, status};
use crate::{Backend, Revision};
use std::sync::Arc;
use tokio::sync::{RwLock, watch};
use tonic::Status;

/// There is no Raft: one term, in which every revision is an entry.
pub(super) const TERM: u64 = 1;

pub(super) struct Shared {
    pub(super) store: Arc<dyn Backend>,
    pub(super) options: ServerOptions,
    /// Held shared by every write. A transaction that others got ahead of time and again holds it alone.
    pub(super) writers: RwLock<()>,
    stop: watch::Sender<bool>,
    cluster_id: u64,
    pub(super) member_id: u64,
}

/// Knows when the server stops.
pub(super) struct Stopped(watch::Receiver<bool>);

// === impl Shared ===

impl Shared {
    pub(super) fn new(store: Arc<dyn Backend>, options: ServerOptions) -> Self {
        let (cluster_id, member_id) = (id_of("windlass-store"), id_of(&options.name));
        let (stop, _) = watch::channel(false);
        Self { store, options, writers: RwLock::new(()), stop, cluster_id, member_id }
    }

    pub(super) fn header(&self, revision: Revision) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            cluster_id: self.cluster_id,
            member_id: self.member_id,
            revision: convert::number(revision),
            raft_term: TERM,
        })
    }

    /// A header with the revision that the store is at.
    pub(super) async fn header_now(&self) -> Result<Option<ResponseHeader>, Status> {
        let revision = self.store.current_revision().await.map_err(status::from)?;
        Ok(self.header(revision))
    }

    /// Ends all streams.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn stopped(&self) -> Stopped {
        Stopped(self.stop.subscribe())
    }
}

// === impl Stopped ===

impl Stopped {
    /// Returns when the server was told to stop.
    pub(super) async fn wait(&mut self) {
        // Without a sender there is no server any more.
        drop(self.0.wait_for(|stopped| *stopped).await);
    }
}

/// A number for a name, the same every time (FNV-1a).
fn id_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
