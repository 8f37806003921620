//! Watches beyond the contract.

use crate::cluster::{Cluster, PATIENCE, next, next_keys, put};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_store::{
    Commit, Compact, Error, Etcd, EtcdOptions, Event, KeyRange, Limits, Txn, Watch,
};

const WIDE: usize = 14;

/// One revision whose events, with what was before, are larger than etcd sends in one message.
async fn write_wide(store: &Etcd, byte: u8) -> u64 {
    let txn = (0..WIDE).fold(Txn::new(), |txn, i| txn.put(format!("k{i:02}"), vec![byte; 100_000]));
    store.commit(txn).await.unwrap().revision
}

#[tokio::test]
async fn a_revision_in_fragments_is_one_batch() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    let mut live = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut some =
        store.watch(KeyRange { start: "k03".into(), end: Some("k06".into()) }, 1).await.unwrap();
    for byte in 0..6 {
        write_wide(&store, byte).await;
    }
    let other = cluster.store().await;
    let mut past = other.watch(KeyRange::all(), 1).await.unwrap();
    for stream in [&mut live, &mut past] {
        for byte in 0..6u8 {
            let batch = next(stream).await.unwrap().unwrap();
            assert_eq!((batch.revision, batch.events.len()), (u64::from(byte) + 2, WIDE));
            for event in batch.events.iter() {
                let Event::Put { now, previous } = event else { panic!("{event:?}") };
                assert!(now.value.iter().all(|b| *b == byte));
                assert_eq!(previous.as_ref().map(|kv| kv.value[0]), byte.checked_sub(1));
            }
        }
    }
    for at in 2..8 {
        let keys = ["k03", "k04", "k05"].map(str::to_owned).to_vec();
        assert_eq!(next_keys(&mut some).await, (at, keys));
    }
}

#[tokio::test]
async fn a_slow_watcher_is_told_and_slows_nobody() {
    let cluster = Cluster::start(1).await;
    let limits = Limits { watch_batches: 10, ..Limits::default() };
    let store = Etcd::connect(EtcdOptions { limits, ..cluster.options() }).await.unwrap();
    let mut slow = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut quick = store.watch(KeyRange::all(), 1).await.unwrap();
    for _ in 0..50 {
        let at = put(&store, "a", "").await.unwrap();
        assert_eq!(next_keys(&mut quick).await.0, at);
    }
    for at in 2..12 {
        assert_eq!(next_keys(&mut slow).await.0, at);
    }
    let error = next(&mut slow).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Overrun { at: 11 }), "{error}");
    assert!(next(&mut slow).await.is_none());
}

#[tokio::test]
async fn what_another_process_compacts_is_compacted() {
    let cluster = Cluster::start(1).await;
    let (store, other) = (cluster.store().await, cluster.store().await);
    for _ in 0..5 {
        put(&store, "a", "").await.unwrap();
    }
    // Not read before the compaction, and too far back for the other's memory.
    let mut late = other.watch(KeyRange::all(), 2).await.unwrap();
    let mut now = other.watch(KeyRange::all(), 6).await.unwrap();
    store.compact(5).await.unwrap();
    let error = next(&mut late).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Compacted { compacted: 4 }), "{error}");
    assert!(next(&mut late).await.is_none());
    let error = other.watch(KeyRange::all(), 3).await.err().unwrap();
    assert!(matches!(error, Error::Compacted { compacted: 4 }), "{error}");
    let mut rest = other.watch(KeyRange::all(), 5).await.unwrap();
    assert_eq!(next_keys(&mut rest).await.0, 6);
    put(&store, "a", "").await.unwrap();
    for stream in [&mut now, &mut rest] {
        assert_eq!(next_keys(stream).await.0, 7);
    }
}

/// Watchers share one watch in etcd, and it ends with them.
#[tokio::test]
async fn etcd_forgets_a_watch_that_nobody_reads() {
    let cluster = Cluster::start(1).await;
    let store = cluster.store().await;
    let mut streams = Vec::new();
    for i in 0..20 {
        let mut stream = store.watch(KeyRange::key(format!("{i}")), 1).await.unwrap();
        store.request_progress().await.unwrap();
        next(&mut stream).await.unwrap().unwrap();
        streams.push(stream);
    }
    until_watchers(&cluster, 1).await;
    drop(streams);
    until_watchers(&cluster, 0).await;
    let mut stream = store.watch(KeyRange::all(), 1).await.unwrap();
    put(&store, "a", "").await.unwrap();
    assert_eq!(next_keys(&mut stream).await.0, 2);
    until_watchers(&cluster, 1).await;
    drop((store, stream));
    until_watchers(&cluster, 0).await;
}

/// Asks etcd until it has so many watchers.
async fn until_watchers(cluster: &Cluster, many: usize) {
    let wanted = format!("etcd_debugging_mvcc_watcher_total {many}\n");
    let url = cluster.endpoints().remove(0);
    let address = url.strip_prefix("http://").unwrap();
    let ask = async {
        loop {
            let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"GET /metrics HTTP/1.0\r\n\r\n";
            connection.write_all(request).await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains("etcd_debugging_mvcc_watcher_total"), "{answer}");
            if answer.contains(&wanted) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.expect("etcd gets to that number of watchers");
}
