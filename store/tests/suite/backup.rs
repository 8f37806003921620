//! Copies of a running store, and stores made from them.

use crate::common::{files, open, put};
use crate::contract::{block_on, small};
use crate::steps::steps;
use bytes::Bytes;
use futures::StreamExt;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windlass_store::testing::model::{self, Model};
use windlass_store::{
    Backend, Commit, Embedded, Error, Event, KeyRange, KeyValue, Lease, LeaseId, Memory, Read,
    Revision, Txn, Watch, backup,
};

fn id(id: u64) -> LeaseId {
    LeaseId::new(id).unwrap()
}

async fn all(store: &impl Read) -> (Revision, Vec<KeyValue>) {
    let all = store.range(&KeyRange::all(), 0, None).await.unwrap();
    (all.revision, all.items)
}

/// Opens what is restored from a file.
fn restored(file: &Path, dir: &Path, revision: Revision) -> Embedded {
    assert_eq!(backup::restore(file, dir).unwrap(), revision);
    open(dir)
}

async fn leases(store: &impl Lease) -> Vec<(LeaseId, Vec<Bytes>)> {
    let mut ids = store.leases().await.unwrap();
    ids.sort();
    let mut leases = Vec::new();
    for id in ids {
        let (status, keys) = store.time_to_live(id).await.unwrap();
        assert!(status.remaining + Duration::from_secs(10) > status.granted, "{status:?}");
        leases.push((id, keys));
    }
    leases
}

async fn save_and_restore(store: &(impl Backend + 'static), dir: &Path, model: &Model) {
    std::fs::create_dir(dir).unwrap();
    let file = dir.join("copy.db");
    let saved = backup::save(store, &file).await.unwrap();
    assert_eq!(saved.bytes, std::fs::metadata(&file).unwrap().len());
    let copy = restored(&file, &dir.join("restored"), saved.revision);
    assert_eq!(all(&copy).await, (saved.revision, model.keys_at(saved.revision)));
    assert_eq!(leases(&copy).await, model.leases());
    assert_eq!(put(&copy, "next", "").await.unwrap(), saved.revision + 1);
    copy.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_restored_is_what_was_saved(steps in steps()) {
        block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let (store, mut model) = (Memory::new(), Model::default());
            model::run(&store, &mut model, &steps).await;
            save_and_restore(&store, &dir.path().join("memory"), &model).await;
            let (path, mut model) = (dir.path().join("store"), Model::default());
            let store = Embedded::open(small(&path)).unwrap();
            model::run(&store, &mut model, &steps).await;
            save_and_restore(&store, &dir.path().join("embedded"), &model).await;
        });
    }
}

/// Writes until it is told to stop: many keys, some on leases that come and go.
async fn write(store: Arc<Embedded>, writer: u64, over: Arc<AtomicBool>) {
    for i in 0u64.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("{writer}/{:04}", i * 7 % 900);
        let lease = id(writer * 1_000_000 + i / 50 + 1);
        match i % 50 {
            0 => drop(store.grant(Duration::from_secs(900), Some(lease)).await.unwrap()),
            49 if i % 4 > 0 => drop(store.revoke(lease).await.unwrap()),
            n if n % 5 == 0 => {
                store.commit(Txn::new().put_leased(key, i.to_string(), lease)).await.unwrap();
            }
            n if n % 7 == 0 => drop(store.commit(Txn::new().delete(key)).await.unwrap()),
            _ => drop(put(&*store, &key, &i.to_string()).await.unwrap()),
        }
    }
}

/// The keys at a revision, from all that was ever watched.
async fn keys_at(store: &Embedded, revision: Revision) -> Vec<KeyValue> {
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut keys = BTreeMap::new();
    for expected in 2..=revision {
        let batch = watch.next().await.unwrap().unwrap();
        assert_eq!(batch.revision, expected);
        for event in batch.events.iter() {
            match event {
                Event::Put { now, .. } => drop(keys.insert(now.key.clone(), now.clone())),
                Event::Delete { previous } => drop(keys.remove(&previous.key)),
            }
        }
    }
    keys.into_values().collect()
}

/// Whoever writes meanwhile, a copy is one moment of the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&dir.path().join("store")));
    let over = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|writer| tokio::spawn(write(store.clone(), writer, over.clone())));
    let writers: Vec<_> = writers.collect();
    let mut seen = store.watch(KeyRange::all(), 1).await.unwrap();
    for round in 0..6u64 {
        while seen.next().await.unwrap().unwrap().revision < round * 300 {}
        let file = dir.path().join(format!("{round}.db"));
        let saved = backup::save(&*store, &file).await.unwrap();
        let to = dir.path().join(format!("restored-{round}"));
        let copy = restored(&file, &to, saved.revision);
        let (revision, keys) = all(&copy).await;
        assert_eq!(revision, saved.revision);
        assert_eq!(keys, keys_at(&store, revision).await);
        for kv in keys {
            let Some(lease) = kv.lease else { continue };
            assert!(copy.time_to_live(lease).await.unwrap().1.contains(&kv.key));
        }
    }
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}

/// A copy that is overtaken by compaction says so; saving begins again by itself.
#[tokio::test]
async fn compaction_overtakes_a_copy() {
    let store: Arc<dyn Backend> = Arc::new(Memory::new());
    let many = (0..600).fold(Txn::new(), |txn, i| txn.put(format!("k/{i:03}"), "v"));
    store.commit(many).await.unwrap();
    let mut pieces = backup::stream(store.clone());
    let header = pieces.next().await.unwrap().unwrap();
    assert_eq!(header.len(), 32);
    store.commit(Txn::new().put("a", "1")).await.unwrap();
    store.compact(2).await.unwrap();
    let overtaken = pieces.next().await;
    assert!(matches!(overtaken, Some(Err(Error::Compacted { .. }))), "{overtaken:?}");
    assert!(pieces.next().await.is_none());
    let dir = tempfile::tempdir().unwrap();
    let saved = backup::save(&*store, &dir.path().join("copy")).await.unwrap();
    assert_eq!(saved.revision, 3);
}

/// A small copy with a lease, and its bytes.
async fn small_copy(dir: &Path) -> (PathBuf, Vec<u8>) {
    let store = Memory::new();
    store.grant(Duration::from_secs(100), Some(id(7))).await.unwrap();
    store.commit(Txn::new().put_leased("a", "1", id(7)).put("b", "2")).await.unwrap();
    let path = dir.join("copy.db");
    backup::save(&store, &path).await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

fn expect_corrupt(file: &Path, bytes: &[u8], to: &Path, what: &str) {
    std::fs::write(file, bytes).unwrap();
    let refused = backup::restore(file, to);
    let name = file.display().to_string();
    let named = matches!(&refused, Err(Error::Corrupt { file, .. }) if *file == name);
    assert!(named, "{what}: {refused:?}");
    let left = if to.exists() { files(to, "") } else { Vec::new() };
    assert!(left.iter().all(|path| path.ends_with("LOCK")), "{what}: {left:?}");
}

/// A changed or missing byte anywhere is found, with the checksum of etcd's client or without.
#[tokio::test]
async fn a_damaged_copy_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (file, plain) = small_copy(dir.path()).await;
    let to = dir.path().join("to");
    let summed = [&plain[..], &Sha256::digest(&plain)[..]].concat();
    for sound in [&plain, &summed] {
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x20;
            expect_corrupt(&file, &bytes, &to, &format!("byte {at} is changed"));
        }
        for len in (0..sound.len()).filter(|len| *len != plain.len()) {
            expect_corrupt(&file, &sound[..len], &to, &format!("all from byte {len} is missing"));
        }
        let longer = [&sound[..], &[0; 8]].concat();
        expect_corrupt(&file, &longer, &to, "there is more");
    }
    for (sound, to) in [(&plain, "plain"), (&summed, "summed")] {
        std::fs::write(&file, sound).unwrap();
        let store = restored(&file, &dir.path().join(to), 2);
        assert_eq!(leases(&store).await, [(id(7), vec!["a".into()])]);
    }
}

/// Nothing is restored over what is there, and nothing there is touched.
#[tokio::test]
async fn a_used_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = small_copy(dir.path()).await;
    let used = dir.path().join("used");
    std::fs::create_dir(&used).unwrap();
    std::fs::write(used.join("letter.tmp"), "dear").unwrap();
    let refused = backup::restore(&file, &used);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(files(&used, ""), [used.join("letter.tmp")]);
    let twice = dir.path().join("twice");
    drop(restored(&file, &twice, 2));
    let refused = backup::restore(&file, &twice);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let missing = backup::restore(&dir.path().join("nowhere"), &dir.path().join("to"));
    assert!(matches!(missing, Err(Error::Io { .. })), "{missing:?}");
    assert!(!dir.path().join("to").exists());
}

/// A copy is for its owner only, replaces the one before it, and leaves nothing else behind.
#[tokio::test]
async fn a_copy_takes_the_place_of_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.db");
    let left = dir.path().join("copy.db.tmp");
    std::fs::write(&left, "x".repeat(5000)).unwrap();
    std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Memory::new();
    for revision in 2..4 {
        put(&store, "a", "1").await.unwrap();
        assert_eq!(backup::save(&store, &path).await.unwrap().revision, revision);
        assert_eq!(files(dir.path(), ""), [path.as_path()]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let nowhere = backup::save(&store, &dir.path().join("no/copy.db")).await;
    assert!(matches!(nowhere, Err(Error::Io { .. })), "{nowhere:?}");
    drop(restored(&path, &dir.path().join("to"), 3));
}
