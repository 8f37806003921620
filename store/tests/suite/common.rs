//! What the tests on disk share.

use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_store::{Commit, Embedded, EmbeddedOptions, KeyRange, Read, Result, Revision, Txn};

/// The only file of a log, as it is on disk at some moment.
pub(crate) struct Copy {
    name: String,
    bytes: Vec<u8>,
}

impl Copy {
    pub(crate) fn of(dir: &Path) -> Self {
        let Some(path) = files(dir, ".wal").pop() else {
            return Self { name: String::new(), bytes: vec![0; 32] };
        };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut copy = Self { name, bytes: std::fs::read(path).unwrap() };
        copy.bytes.truncate(copy.used());
        copy
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Up to where the file was written: frames end at multiples of 8, and begin after the header.
    pub(crate) fn used(&self) -> usize {
        let last = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        last.next_multiple_of(8).max(32)
    }

    /// Puts a changed copy into another directory.
    pub(crate) fn write(&self, dir: &Path, bytes: &[u8]) {
        std::fs::write(dir.join(&self.name), bytes).unwrap();
    }
}

pub(crate) fn open(dir: &Path) -> Embedded {
    Embedded::open(EmbeddedOptions::new(dir)).unwrap()
}

/// Paths of the files with an ending, in order.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    paths.sort();
    paths
}

pub(crate) async fn put(store: &impl Commit, key: &str, value: &str) -> Result<Revision> {
    let txn = Txn::new().put(key.to_owned(), value.to_owned());
    Ok(store.commit(txn).await?.revision)
}

/// All keys.
pub(crate) async fn keys(store: &impl Read) -> Vec<String> {
    let all = store.range(&KeyRange::all(), 0, None).await.unwrap();
    all.items.iter().map(|kv| String::from_utf8(kv.key.to_vec()).unwrap()).collect()
}

/// Small segments, early snapshots.
pub(crate) fn small(dir: &Path) -> EmbeddedOptions {
    let options = EmbeddedOptions::new(dir);
    EmbeddedOptions { segment_bytes: 4000, snapshot_after_bytes: 10_000, ..options }
}

/// Writes until there is a snapshot and the log was shortened. How often it wrote.
pub(crate) async fn write_until_snapshot(dir: &Path) -> u64 {
    let store = Embedded::open(small(dir)).unwrap();
    for i in 0..20_000u64 {
        put(&store, &format!("key-{}", i % 50), &format!("{i:0100}")).await.unwrap();
        let begins = files(dir, ".wal")[0].to_str().unwrap().ends_with("0002.wal");
        if !begins && !files(dir, ".snap").is_empty() {
            store.close().await.unwrap();
            return i + 1;
        }
    }
    panic!("no snapshot after 20,000 commits");
}

/// What comes, if it comes in time.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it comes in time")
}
