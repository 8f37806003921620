//! Leases over restarts, over crashes, and in time that is paused.

use crate::common::{Copy, files, open, put, small};
use futures::StreamExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use windlass_store::{
    Commit, Embedded, EmbeddedOptions, KeyRange, Lease, LeaseId, Memory, Read, Txn, Watch,
};

const HOUR: Duration = Duration::from_secs(3600);

fn id(id: u64) -> LeaseId {
    LeaseId::new(id).unwrap()
}

async fn put_leased(store: &impl Commit, key: &str, lease: LeaseId) {
    store.commit(Txn::new().put_leased(key.to_owned(), "", lease)).await.unwrap();
}

async fn sorted(store: &impl Lease) -> Vec<LeaseId> {
    let mut leases = store.leases().await.unwrap();
    leases.sort();
    leases
}

/// Leases and what belongs to them are there again, with their whole time; ended ones are not, and their
/// names are not given again.
#[tokio::test]
async fn leases_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let kept = store.grant(HOUR, None).await.unwrap().id;
    let ended = store.grant(HOUR, None).await.unwrap().id;
    put_leased(&store, "kept", kept).await;
    put_leased(&store, "moved", ended).await;
    put_leased(&store, "moved", kept).await;
    put_leased(&store, "ended", ended).await;
    store.revoke(ended).await.unwrap();
    drop(store);
    for _ in 0..2 {
        drop(open(dir.path()));
    }
    let store = open(dir.path());
    assert_eq!(sorted(&store).await, [kept]);
    let (status, keys) = store.time_to_live(kept).await.unwrap();
    assert_eq!((status.granted, keys), (HOUR, vec!["kept".into(), "moved".into()]));
    assert!(status.remaining > HOUR - Duration::from_secs(60), "{status:?}");
    let new = store.grant(HOUR, None).await.unwrap().id;
    assert!(new != kept && new != ended);
    let revision = store.revoke(kept).await.unwrap();
    assert_eq!((revision, store.current_revision().await.unwrap()), (7, 7));
}

/// Snapshots keep leases, also those that came or went after the last commit before it.
#[tokio::test]
async fn snapshots_keep_leases() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Embedded::open(small(dir.path())).unwrap();
    let (old, idle) = (id(1), id(2));
    store.grant(HOUR, Some(old)).await.unwrap();
    store.grant(HOUR, Some(idle)).await.unwrap();
    put_leased(&store, "old", old).await;
    for round in 10..60 {
        for i in 0..8 {
            put(&store, &format!("key-{i}"), &"x".repeat(200)).await.unwrap();
        }
        store.grant(HOUR, Some(id(round))).await.unwrap();
        if round % 3 == 0 {
            put_leased(&store, &format!("leased-{round}"), id(round)).await;
        }
        if round > 10 {
            store.revoke(id(round - 1)).await.unwrap();
        }
        if round % 7 == 0 {
            store.close().await.unwrap();
            store = Embedded::open(small(dir.path())).unwrap();
        }
        assert_eq!(sorted(&store).await, [old, idle, id(round)], "round {round}");
    }
    assert!(!files(dir.path(), ".snap").is_empty());
    assert_eq!(store.time_to_live(old).await.unwrap().1, ["old"]);
    assert_eq!(store.time_to_live(idle).await.unwrap().1, [""; 0]);
}

/// At whatever byte the log breaks off, leases and keys fit together.
#[tokio::test]
async fn a_crash_leaves_leases_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 1..4 {
        store.grant(HOUR, Some(id(round))).await.unwrap();
        put_leased(&store, "a", id(round)).await;
        let both = Txn::new().put_leased("b", "", id(round)).put("c", "").delete("d");
        store.commit(both).await.unwrap();
        if round > 1 {
            store.revoke(id(round)).await.unwrap();
        }
        put(&store, "d", "").await.unwrap();
    }
    let log = Copy::of(dir.path());
    drop(store);
    let mut counts = std::collections::BTreeSet::new();
    for cut in (32..=log.used()).step_by(4) {
        let torn = tempfile::tempdir().unwrap();
        log.write(torn.path(), &log.bytes()[..cut]);
        counts.insert(expect_whole(torn.path()).await);
    }
    assert!(counts.len() >= 3, "{counts:?}");
}

/// Each key is on a lease that is there, and each lease knows its keys. How many leases and keys there are.
async fn expect_whole(dir: &Path) -> (usize, usize) {
    let store = open(dir);
    let all = store.range(&KeyRange::all(), 0, None).await.unwrap().items;
    let leases = sorted(&store).await;
    for lease in &leases {
        let (_, keys) = store.time_to_live(*lease).await.unwrap();
        let expected = all.iter().filter(|kv| kv.lease == Some(*lease));
        assert_eq!(keys, expected.map(|kv| kv.key.clone()).collect::<Vec<_>>());
    }
    assert!(all.iter().filter_map(|kv| kv.lease).all(|lease| leases.contains(&lease)));
    (leases.len(), all.len())
}

/// Ends come in their order, each at its time, and the last keep-alive counts.
#[tokio::test(start_paused = true)]
async fn leases_end_in_time() {
    let store = Memory::new();
    tokio::spawn(store.expiry());
    let start = Instant::now();
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    for seconds in [500, 100, 300, 200] {
        store.grant(Duration::from_secs(seconds), Some(id(seconds))).await.unwrap();
        put_leased(&store, &seconds.to_string(), id(seconds)).await;
        watch.next().await.unwrap().unwrap();
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(99)).await;
    assert_eq!(store.keep_alive(id(200)).await.unwrap(), Duration::from_secs(200));
    for (key, seconds) in [("100", 100), ("200", 299), ("300", 300), ("500", 500)] {
        let batch = watch.next().await.unwrap().unwrap();
        assert_eq!(batch.events[0].key(), key);
        let late = start.elapsed().checked_sub(Duration::from_secs(seconds)).unwrap();
        assert!(late < Duration::from_secs(1), "{key}: {late:?}");
    }
    assert_eq!(sorted(&store).await, []);
}

/// Nobody ends leases in a store that was not asked to; and the future that does ends with the store.
#[tokio::test(start_paused = true)]
async fn expiry_belongs_to_the_store() {
    let store = Memory::new();
    store.grant(HOUR, Some(id(1))).await.unwrap();
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(sorted(&store).await, [id(1)]);
    assert_eq!(store.time_to_live(id(1)).await.unwrap().0.remaining, Duration::ZERO);
    store.keep_alive(id(1)).await.unwrap_err();
    store.grant(HOUR, Some(id(2))).await.unwrap();
    let expiry = tokio::spawn(store.expiry());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sorted(&store).await, [id(2)]);
    drop(store);
    tokio::time::timeout(Duration::from_secs(1), expiry).await.unwrap().unwrap();
}

#[tokio::test]
async fn expiry_does_not_hold_an_embedded_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.grant(HOUR, None).await.unwrap();
    let expiry = tokio::spawn(store.expiry());
    store.close().await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), expiry).await.unwrap().unwrap();
    drop(store);
    let store = open(dir.path());
    let expiry = tokio::spawn(store.expiry());
    tokio::task::yield_now().await;
    drop(store);
    tokio::time::timeout(Duration::from_secs(10), expiry).await.unwrap().unwrap();
}

/// Gives a file the header that version 1 wrote.
fn make_old(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
    let sum = crc32fast::hash(&bytes[..28]);
    bytes[28..32].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

fn version(path: &Path) -> u8 {
    std::fs::read(path).unwrap()[8]
}

/// A log of version 1 is read, and leases go into a file of the new version.
#[tokio::test]
async fn a_log_without_leases_is_read() {
    for commits in [0, 3] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let lease = store.grant(HOUR, None).await.unwrap().id;
        drop(store);
        if commits > 0 {
            std::fs::remove_file(files(dir.path(), ".wal").pop().unwrap()).unwrap();
            let store = open(dir.path());
            for i in 0..commits {
                put(&store, "a", &i.to_string()).await.unwrap();
            }
        }
        make_old(&files(dir.path(), ".wal")[0]);
        let store = open(dir.path());
        store.grant(HOUR, Some(id(5))).await.unwrap();
        put_leased(&store, "b", id(5)).await;
        drop(store);
        let versions: Vec<u8> = files(dir.path(), ".wal").iter().map(|p| version(p)).collect();
        assert_eq!(versions, if commits > 0 { vec![1, 2] } else { vec![2] });
        let store = open(dir.path());
        assert_eq!(store.current_revision().await.unwrap(), commits + 2);
        assert_eq!(store.time_to_live(id(5)).await.unwrap().1, ["b"]);
        assert!(store.time_to_live(lease).await.is_err());
    }
}

/// The bytes of one frame with the salt 0.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut padded = payload.to_vec();
    padded.resize(payload.len().next_multiple_of(8), 0);
    let mut head = b"WFRM".to_vec();
    head.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    head.extend(0u64.to_le_bytes());
    head.extend(crc32fast::hash(&padded).to_le_bytes());
    head.extend(crc32fast::hash(&head).to_le_bytes());
    [head, padded].concat()
}

/// A snapshot of version 1 is read.
#[tokio::test]
async fn a_snapshot_without_leases_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut header = b"wndl-snp".to_vec();
    header.extend(1u32.to_le_bytes());
    header.extend(0u32.to_le_bytes());
    header.extend(9u64.to_le_bytes());
    header.extend(0u32.to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    let mut key = Vec::new();
    key.extend(1u32.to_le_bytes());
    key.extend(2u32.to_le_bytes());
    [3u64, 8, 4].iter().for_each(|n| key.extend(n.to_le_bytes()));
    key.extend(b"kvv");
    let file = [header, frame(&key), frame(&[])].concat();
    let options = EmbeddedOptions::new(dir.path().join("store"));
    std::fs::create_dir(&options.dir).unwrap();
    std::fs::write(options.dir.join("snapshot-00000000000000000009.snap"), &file).unwrap();
    let store = Embedded::open(options).unwrap();
    let kv = store.get(b"k", None).await.unwrap().unwrap();
    assert_eq!((&kv.value[..], kv.lease), (&b"vv"[..], None));
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (3, 8, 4));
    assert_eq!(put(&store, "k", "").await.unwrap(), 10);
    let path = dir.path().join("copy");
    std::fs::write(&path, &file).unwrap();
    let to = dir.path().join("restored");
    assert_eq!(windlass_store::backup::restore(&path, &to).unwrap(), 9);
    assert_eq!(open(&to).get(b"k", None).await.unwrap().unwrap().version, 4);
}
