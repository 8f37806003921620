//! Writers and watchers that faults must not harm.

use crate::cluster::{PATIENCE, put};
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use windlass_store::{
    Backend, Error, Etcd, Event, KeyRange, Precondition, Read, Revision, Txn, Watch,
};

/// Eight tasks that write new keys, and count what was acknowledged.
pub(crate) struct Writers {
    acknowledged: watch::Receiver<usize>,
    tasks: Vec<JoinHandle<BTreeMap<String, Revision>>>,
}

/// Two tasks that watch from the beginning.
pub(crate) struct Watchers(Vec<JoinHandle<Vec<(Revision, String)>>>);

impl Writers {
    pub(crate) fn start(store: &Arc<Etcd>, each: usize) -> Self {
        let (count, acknowledged) = watch::channel(0);
        let count = Arc::new(count);
        let tasks = (0..8).map(|writer| {
            let (store, count) = (store.clone(), count.clone());
            tokio::spawn(async move { write(&*store, writer, each, &count).await })
        });
        Self { acknowledged, tasks: tasks.collect() }
    }

    /// Waits until so many writes were acknowledged.
    pub(crate) async fn reached(&mut self, many: usize) {
        let reached = self.acknowledged.wait_for(|count| *count >= many);
        tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap().unwrap();
    }

    /// What was acknowledged, by key.
    pub(crate) async fn finish(self) -> BTreeMap<String, Revision> {
        let mut all = BTreeMap::new();
        for task in self.tasks {
            let written = tokio::time::timeout(Duration::from_secs(60), task).await;
            all.extend(written.unwrap().unwrap());
        }
        all
    }
}

async fn write(
    store: &impl Backend,
    writer: usize,
    each: usize,
    count: &watch::Sender<usize>,
) -> BTreeMap<String, Revision> {
    let mut written = BTreeMap::new();
    for i in 0..each {
        let key = format!("w/{writer}/{i:04}");
        loop {
            let absent = Precondition::Absent(key.clone().into());
            match store.commit(Txn::new().when(absent).put(key.clone(), "x")).await {
                Ok(committed) => {
                    written.insert(key, committed.revision);
                    break;
                }
                // Nobody knew whether it was written. It was.
                Err(Error::Precondition { .. }) => break,
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        count.send_modify(|count| *count += 1);
    }
    written
}

impl Watchers {
    pub(crate) async fn start(stores: &[&Arc<Etcd>]) -> Self {
        let mut tasks = Vec::new();
        for store in stores {
            let after = store.current_revision().await.unwrap();
            let stream = store.watch(KeyRange::all(), after).await.unwrap();
            tasks.push(tokio::spawn(async move {
                let batches = stream.map(Result::unwrap).take_while(|batch| {
                    let end = batch.events.iter().any(|event| event.key() == "end");
                    async move { !end }
                });
                let events = batches.flat_map(|batch| {
                    let event = |event: &Event| {
                        (batch.revision, String::from_utf8(event.key().to_vec()).unwrap())
                    };
                    futures::stream::iter(batch.events.iter().map(event).collect::<Vec<_>>())
                });
                events.collect().await
            }));
        }
        Self(tasks)
    }

    /// Each watcher saw each key once, in the order of revisions without a hole, and so did the readers: nothing that
    /// was acknowledged is lost.
    pub(crate) async fn check(
        self,
        store: &Etcd,
        acknowledged: &BTreeMap<String, Revision>,
        keys: usize,
    ) {
        put(store, "end", "").await.unwrap();
        let stand = store.range(&KeyRange::prefix("w/"), 0, None).await.unwrap().items;
        assert_eq!(stand.len(), keys);
        assert!(acknowledged.len() > keys / 2, "{} were acknowledged", acknowledged.len());
        for task in self.0 {
            let seen = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
            let unique: BTreeSet<_> = seen.iter().map(|(_, key)| key).collect();
            assert_eq!((seen.len(), unique.len()), (keys, keys));
            assert!(seen.windows(2).all(|two| two[1].0 == two[0].0 + 1), "{seen:?}");
            let by_key: BTreeMap<_, _> = seen.into_iter().map(|(at, key)| (key, at)).collect();
            for (key, at) in acknowledged {
                assert_eq!(by_key.get(key), Some(at), "{key}");
            }
        }
    }
}
