//! The power goes, or the process ends, in the middle of any operation.

use super::check::{Loss, check, compare};
use super::disk::{Disk, Fault};
use super::history::History;
use super::workload::Workload;
use super::{rng, sample};
use rand::Rng;
use std::path::Path;
use std::sync::Arc;
use windlass_store::Durability;

/// How many random images of a disk are looked at for each crash, besides none and all of what was not synced.
const IMAGES: usize = 3;

fn workload(dir: &Path, durability: Durability, fault: Fault, place: usize) -> Workload<'_> {
    let disk = Arc::new(Disk::new(dir, fault, rng(place)));
    Workload { dir, disk, durability, rng: rng(usize::MAX), history: History::default() }
}

/// How many operations a run has. Threads may order them in different ways, which changes little.
async fn operations(durability: Durability) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut workload = workload(dir.path(), durability, Fault::Nothing, 0);
    workload.run().await.unwrap();
    let history = workload.history;
    check(dir.path(), &history, Loss::None, "without a fault").await;
    assert!(history.last() > 40, "{}", history.last());
    workload.disk.count()
}

async fn power_goes_at_any_operation(durability: Durability) {
    let loss = match durability {
        Durability::Fsync => Loss::None,
        Durability::Buffered => Loss::Tail,
    };
    for at in sample(operations(durability).await) {
        let dir = tempfile::tempdir().unwrap();
        let mut workload = workload(dir.path(), durability, Fault::Stop(at), at);
        let _stopped = workload.run().await;
        for (index, image) in workload.disk.images(IMAGES).iter().enumerate() {
            let what = format!("{durability:?}, operation {at}, image {index}");
            let twice = image_of_a_second_crash(image.path(), at, index);
            check(image.path(), &workload.history, loss, &what).await;
            for image in twice {
                let what = format!("{what}, and then once more");
                check(image.path(), &workload.history, loss, &what).await;
            }
        }
        // The process ended, and the system went on.
        let what = format!("{durability:?}, operation {at}, killed");
        check(dir.path(), &workload.history, Loss::None, &what).await;
    }
}

/// The power goes again while the store is opened.
fn image_of_a_second_crash(image: &Path, at: usize, index: usize) -> Vec<tempfile::TempDir> {
    let mut rng = rng(at * 100 + index);
    let copy = Disk::new(image, Fault::Nothing, rng.clone()).images(0).remove(0);
    let fault = Fault::Stop(rng.random_range(1..8));
    let disk = Arc::new(Disk::new(copy.path(), fault, rng));
    drop(windlass_store::Embedded::open_on(super::tiny(copy.path()), disk.clone()));
    disk.images(1)
}

#[tokio::test]
async fn power_goes_with_fsync() {
    power_goes_at_any_operation(Durability::Fsync).await;
}

#[tokio::test]
async fn power_goes_when_buffered() {
    power_goes_at_any_operation(Durability::Buffered).await;
}

/// The process ends in the middle of an operation; the next one writes on top of what it finds, not all of
/// which is on disk; then the power goes.
#[tokio::test]
async fn power_goes_after_a_kill() {
    for at in sample(operations(Durability::Fsync).await) {
        let dir = tempfile::tempdir().unwrap();
        let mut workload = workload(dir.path(), Durability::Fsync, Fault::Stop(at), at);
        let _stopped = workload.run().await;
        workload.disk.mend();
        let what = format!("operation {at}");
        let store = workload.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        let commits = compare(&store, &workload.history, Loss::None, &what).await;
        workload.history.adopt(&store, commits).await;
        workload.write(&store, 5).await;
        let images = workload.disk.images(IMAGES);
        drop(store);
        for (index, image) in images.iter().enumerate() {
            let what = format!("{what}, image {index}");
            check(image.path(), &workload.history, Loss::None, &what).await;
        }
    }
}
