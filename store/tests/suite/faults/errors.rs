//! The disk refuses an operation, or has no room for a while, and the process goes on.

use super::check::{Loss, check, compare};
use super::disk::{Disk, Fault};
use super::history::History;
use super::workload::Workload;
use super::{rng, sample};
use rand::Rng;
use std::path::Path;
use std::sync::Arc;
use windlass_store::{Durability, Embedded, Result};

/// A run with a fault in it.
async fn run(dir: &Path, fault: Fault, at: usize) -> (Workload<'_>, Result<Embedded>) {
    let disk = Arc::new(Disk::new(dir, fault, rng(at)));
    let (durability, history) = (Durability::Fsync, History::default());
    let mut workload = Workload { dir, disk, durability, rng: rng(usize::MAX), history };
    let _refused = workload.run().await;
    let store = workload.open();
    if let Ok(store) = &store {
        workload.write(store, 12).await;
    }
    (workload, store)
}

async fn operations() -> usize {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), Fault::Nothing, 0).await.0.disk.count()
}

/// Nothing is shown of what was refused, nothing is lost of what was not, in this process, in the next,
/// and after the power went.
async fn survives(mut workload: Workload<'_>, store: Result<Embedded>, what: &str) {
    if let Ok(store) = store {
        compare(&store, &workload.history, Loss::None, what).await;
    }
    workload.disk.mend();
    let store = workload.open().unwrap_or_else(|error| panic!("{what}: {error}"));
    let commits = compare(&store, &workload.history, Loss::None, what).await;
    let refused = workload.history.asked.len();
    workload.history.adopt(&store, commits).await;
    workload.write(&store, 3).await;
    assert!(workload.history.asked.is_empty(), "{what}: refused after {refused} were refused");
    let images = workload.disk.images(2);
    drop(store);
    for (index, image) in images.iter().enumerate() {
        let what = format!("{what}, image {index}");
        check(image.path(), &workload.history, Loss::None, &what).await;
    }
}

/// After a failed sync of the log nothing is written until the store is opened again.
#[tokio::test]
async fn an_operation_is_refused() {
    for at in sample(operations().await) {
        let dir = tempfile::tempdir().unwrap();
        let (workload, store) = run(dir.path(), Fault::Refuse(at), at).await;
        let what = format!("operation {at}: {:?}", workload.disk.refused());
        survives(workload, store, &what).await;
    }
}

/// While there is no room commits are refused, reads and watches go on; then writing goes on as well, without
/// anybody's doing.
#[tokio::test]
async fn the_disk_is_full_for_a_while() {
    for at in sample(operations().await) {
        let dir = tempfile::tempdir().unwrap();
        let lasts = rng(at).random_range(1..20);
        let (workload, store) = run(dir.path(), Fault::Full(at, at + lasts), at).await;
        let what = format!("operations {at} to {}: {:?}", at + lasts, workload.disk.refused());
        survives(workload, store, &what).await;
    }
}
