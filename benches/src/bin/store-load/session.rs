//! One client of a store.

use bytes::Bytes;
use etcd_client::{Client, GetOptions, KvClient, Txn as EtcdTxn, TxnOp, WatchClient, WatchOptions};
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use windlass_benches::Result;
use windlass_store::{Backend, Event, KeyRange, Revision, Txn};

/// Answers of ranges are longer than gRPC's default allows.
const LONGEST_ANSWER: usize = 1 << 30;

/// What a watcher got at once: the mod revision of each event.
pub(crate) type Events = BoxStream<'static, Result<Vec<Revision>>>;

/// One client.
#[derive(Clone)]
pub(crate) enum Session {
    Server(Box<(KvClient, WatchClient)>),
    Here(Arc<dyn Backend>),
}

// === impl Session ===

impl Session {
    pub(crate) fn server(client: &Client) -> Self {
        let kv = client.kv_client().max_decoding_message_size(LONGEST_ANSWER);
        Self::Server(Box::new((kv, client.watch_client())))
    }

    pub(crate) async fn put(&mut self, key: String, value: &Bytes) -> Result<()> {
        match self {
            Self::Server(server) => drop(server.0.put(key, &value[..], None).await?),
            Self::Here(store) => drop(store.commit(Txn::new().put(key, value.clone())).await?),
        }
        Ok(())
    }

    /// Puts all in one transaction.
    pub(crate) async fn put_all(&mut self, keys: Vec<String>, value: &Bytes) -> Result<()> {
        match self {
            Self::Server(server) => {
                let puts = keys.into_iter().map(|key| TxnOp::put(key, &value[..], None));
                server.0.txn(EtcdTxn::new().and_then(puts.collect::<Vec<_>>())).await?;
            }
            Self::Here(store) => {
                // Each value has memory of its own, as it has when it came over a wire.
                let own = || Bytes::copy_from_slice(value);
                let txn = keys.into_iter().fold(Txn::new(), |txn, key| txn.put(key, own()));
                store.commit(txn).await?;
            }
        }
        Ok(())
    }

    /// How many keys with the prefix there are, at most `limit` (0: all), and the bytes of their values.
    pub(crate) async fn range(&mut self, prefix: &str, limit: usize) -> Result<(usize, usize)> {
        match self {
            Self::Server(server) => {
                let options = GetOptions::new().with_prefix().with_limit(i64::try_from(limit)?);
                let answer = server.0.get(prefix, Some(options)).await?;
                Ok((answer.kvs().len(), answer.kvs().iter().map(|kv| kv.value().len()).sum()))
            }
            Self::Here(store) => {
                let answer = store.range(&KeyRange::prefix(prefix.to_owned()), limit, None).await?;
                Ok((answer.items.len(), answer.items.iter().map(|kv| kv.value.len()).sum()))
            }
        }
    }

    /// Watches a prefix from now on. In this process it is an error when an event holds a copy of `value`
    /// instead of the very bytes that were put.
    pub(crate) async fn watch(&mut self, prefix: &str, value: &Bytes) -> Result<Events> {
        match self {
            Self::Server(server) => {
                let mut stream =
                    server.1.watch(prefix, Some(WatchOptions::new().with_prefix())).await?;
                // The first message says that the watch is there.
                stream.next().await.ok_or("the watch ended at once")??;
                Ok(stream.map(|message| Ok(revisions_of(&message?))).boxed())
            }
            Self::Here(store) => {
                let now = store.current_revision().await?;
                let stream = store.watch(KeyRange::prefix(prefix.to_owned()), now).await?;
                let value = value.clone();
                Ok(stream.map(move |batch| same_bytes(&batch?.events, &value)).boxed())
            }
        }
    }
}

fn revisions_of(message: &etcd_client::WatchResponse) -> Vec<Revision> {
    let kvs = message.events().iter().filter_map(etcd_client::Event::kv);
    kvs.map(|kv| kv.mod_revision().unsigned_abs()).collect()
}

fn same_bytes(events: &[Event], value: &Bytes) -> Result<Vec<Revision>> {
    let revision = |event: &Event| match event {
        Event::Put { now, .. } if now.value.as_ptr() == value.as_ptr() => Ok(now.mod_revision),
        event => Err(format!("not the bytes that were put: {event:?}").into()),
    };
    events.iter().map(revision).collect()
}
