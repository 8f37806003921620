//! What is left after a crash, and after damage.

use crate::common::{Copy, files, keys, open, put, write_until_snapshot};
use std::path::Path;
use windlass_store::{Embedded, EmbeddedOptions, Error, Read};

/// Writes a few keys, and tells the length of the log after each. The store was not closed.
async fn written(dir: &Path, count: usize) -> (Copy, Vec<usize>) {
    let store = open(dir);
    let mut ends = vec![Copy::of(dir).used()];
    for i in 0..count {
        put(&store, &format!("key-{i}"), &"v".repeat(i * 3 % 17)).await.unwrap();
        ends.push(Copy::of(dir).used());
    }
    let copy = Copy::of(dir);
    assert_eq!(copy.used(), ends[count]);
    (copy, ends)
}

async fn expect_keys(dir: &Path, count: usize, what: &str) {
    let store = open(dir);
    let expected: Vec<String> = (0..count).map(|i| format!("key-{i}")).collect();
    assert_eq!(keys(&store).await, expected, "{what}");
    assert_eq!(store.current_revision().await.unwrap(), count as u64 + 1, "{what}");
    assert_eq!(put(&store, "next", "").await.unwrap(), count as u64 + 2, "{what}");
    drop(store);
    assert_eq!(keys(&open(dir)).await.len(), count + 1, "{what}");
}

/// At whatever byte the log breaks off: what was written before is there, and writing goes on.
#[tokio::test]
async fn a_torn_end_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (log, ends) = written(dir.path(), 6).await;
    for cut in ends[3]..=ends[6] {
        for (padding, what) in [(0, "cut"), (5000, "followed by space never written")] {
            let torn = tempfile::tempdir().unwrap();
            let mut bytes = log.bytes()[..cut].to_vec();
            bytes.resize(cut + padding, 0);
            // Only zeros of a frame may be missing: then it is whole again.
            let is_whole = |end: &&usize| bytes.get(..**end) == Some(&log.bytes()[..**end]);
            let whole = ends.iter().filter(is_whole).count() - 1;
            log.write(torn.path(), &bytes);
            expect_keys(torn.path(), whole, &format!("at byte {cut}, {what}")).await;
        }
    }
}

/// A frame of which only a part reached the disk, though what is behind it did, is torn as well.
#[tokio::test]
async fn a_hole_in_the_last_frame_is_a_torn_end() {
    let dir = tempfile::tempdir().unwrap();
    let (log, ends) = written(dir.path(), 4).await;
    for hole in ends[3]..ends[4] {
        let torn = tempfile::tempdir().unwrap();
        let mut bytes = log.bytes().to_vec();
        bytes[hole] ^= 0x55;
        log.write(torn.path(), &bytes);
        expect_keys(torn.path(), 3, &format!("at byte {hole}")).await;
    }
}

/// A flipped byte anywhere but in the last frame is reported with file and place.
#[tokio::test]
async fn damage_in_the_middle_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (log, ends) = written(dir.path(), 4).await;
    for flipped in 0..ends[3] {
        let damaged = tempfile::tempdir().unwrap();
        let mut bytes = log.bytes().to_vec();
        bytes[flipped] ^= 0x01;
        log.write(damaged.path(), &bytes);
        let frame = ends.iter().rev().find(|end| **end <= flipped);
        expect_corrupt(damaged.path(), log.name(), frame.map(|at| *at as u64), flipped);
    }
}

fn expect_corrupt(dir: &Path, name: &str, at: Option<u64>, flipped: usize) {
    match Embedded::open(EmbeddedOptions::new(dir)).err() {
        Some(Error::Corrupt { file, offset, .. }) => {
            assert!(file.ends_with(name), "{file}");
            assert!(at.is_none_or(|at| at == offset), "byte {flipped}: said {offset}");
        }
        other => panic!("byte {flipped}: {other:?}"),
    }
}

/// After a clean end even damage to the last frame is no torn write.
#[tokio::test]
async fn damage_after_a_clean_end_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (_, ends) = written(dir.path(), 3).await;
    let log = Copy::of(dir.path());
    for flipped in ends[2]..ends[3] {
        let damaged = tempfile::tempdir().unwrap();
        let mut bytes = log.bytes().to_vec();
        bytes[flipped] ^= 0x80;
        log.write(damaged.path(), &bytes);
        expect_corrupt(damaged.path(), log.name(), Some(ends[2] as u64), flipped);
    }
}

/// A file of the log that is missing, or shorter than it was, is noticed.
#[tokio::test]
async fn a_missing_segment_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let options = || EmbeddedOptions { segment_bytes: 200, ..EmbeddedOptions::new(dir.path()) };
    let store = Embedded::open(options()).unwrap();
    for i in 0..20 {
        put(&store, &format!("key-{i}"), "value").await.unwrap();
    }
    store.close().await.unwrap();
    let logs = files(dir.path(), ".wal");
    assert!(logs.len() > 4, "{logs:?}");
    let expect = |what: &str| match Embedded::open(options()).err() {
        Some(Error::Corrupt { .. }) => {}
        other => panic!("{what}: {other:?}"),
    };
    let middle = std::fs::read(&logs[2]).unwrap();
    std::fs::remove_file(&logs[2]).unwrap();
    expect("a segment is missing");
    std::fs::write(&logs[2], &middle[..middle.len() - 8]).unwrap();
    expect("a segment is cut off");
    std::fs::write(&logs[2], &middle[..40]).unwrap();
    expect("a segment is nearly empty");
    std::fs::write(&logs[2], &middle).unwrap();
    let first = std::fs::read(&logs[0]).unwrap();
    std::fs::remove_file(&logs[0]).unwrap();
    expect("the first segment is missing");
    std::fs::write(&logs[0], &first).unwrap();
    assert_eq!(keys(&Embedded::open(options()).unwrap()).await.len(), 20);
}

/// A damaged snapshot is reported, wherever the damage is.
#[tokio::test]
async fn a_damaged_snapshot_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    write_until_snapshot(dir.path()).await;
    let path = files(dir.path(), ".snap").pop().unwrap();
    let sound = std::fs::read(&path).unwrap();
    for flipped in (0..sound.len()).step_by(7) {
        let mut bytes = sound.clone();
        bytes[flipped] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        expect_corrupt(dir.path(), ".snap", None, flipped);
    }
    for len in (0..sound.len()).step_by(97) {
        std::fs::write(&path, &sound[..len]).unwrap();
        expect_corrupt(dir.path(), ".snap", None, usize::MAX);
    }
    std::fs::write(&path, &sound).unwrap();
    drop(open(dir.path()));
}
