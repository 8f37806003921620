//! Files that say something else than what was written.

use super::check::{Loss, check, compare};
use super::disk::{Disk, Fault};
use super::history::History;
use super::workload::Workload;
use super::{rng, sample, tiny};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_store::{Durability, Embedded, Error};

/// The most commits that one frame of the workload has.
const GROUP: u64 = 3;

/// A store with several segments and a snapshot.
async fn written(dir: &Path, cleanly: bool) -> History {
    let disk = Arc::new(Disk::new(dir, Fault::Nothing, rng(0)));
    let (durability, history) = (Durability::Fsync, History::default());
    let mut workload = Workload { dir, disk, durability, rng: rng(usize::MAX), history };
    workload.run().await.unwrap();
    let store = workload.open().unwrap();
    workload.write(&store, 9).await;
    if cleanly {
        store.close().await.unwrap();
    } else {
        let image = workload.disk.images(0).remove(1);
        drop(store);
        copy(image.path(), dir);
    }
    workload.history
}

/// Makes one directory hold what the other does.
fn copy(from: &Path, to: &Path) {
    files(to).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    for path in files(from) {
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    crate::common::files(dir, "")
}

/// Up to where a file was written.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
}

/// A flipped bit is reported with its file and not after its place; or it was in the last frame, of which
/// nobody can say that it was on disk once, and only that is lost.
async fn any_bit_is_flipped(cleanly: bool) {
    let dir = tempfile::tempdir().unwrap();
    let history = written(dir.path(), cleanly).await;
    let last_log = crate::common::files(dir.path(), ".wal").pop().unwrap();
    let tried = tempfile::tempdir().unwrap();
    let mut reported = 0;
    for path in files(dir.path()) {
        let sound = std::fs::read(&path).unwrap();
        for byte in sample(used(&sound)) {
            let what = format!("{path:?}, byte {}", byte - 1);
            let mut bytes = sound.clone();
            bytes[byte - 1] ^= 1 << (byte % 8);
            copy(dir.path(), tried.path());
            std::fs::write(tried.path().join(path.file_name().unwrap()), bytes).unwrap();
            match Embedded::open(tiny(tried.path())) {
                Err(Error::Corrupt { file, offset, .. }) => {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    assert!(file.ends_with(name), "{what}: {file}");
                    assert!(offset <= byte.max(28) as u64, "{what}: {offset}");
                    reported += 1;
                }
                Err(error) => panic!("{what}: {error}"),
                Ok(store) => {
                    assert!(path == last_log, "{what}: was not noticed");
                    let commits = compare(&store, &history, Loss::Tail, &what).await;
                    let lost = history.last() - commits.last_key_value().map_or(1, |(r, _)| *r);
                    // After a clean end the last frame is the mark of that, and has no commits.
                    assert!(lost <= if cleanly { 0 } else { GROUP }, "{what}: lost {lost}");
                }
            }
        }
    }
    assert!(reported > 20, "{reported}");
}

#[tokio::test]
async fn a_bit_is_flipped_after_a_clean_end() {
    any_bit_is_flipped(true).await;
}

#[tokio::test]
async fn a_bit_is_flipped_after_a_crash() {
    any_bit_is_flipped(false).await;
}

/// A file that is cut short is reported; but the last of the log may end anywhere, as a crash leaves it.
#[tokio::test]
async fn a_file_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let history = written(dir.path(), false).await;
    let last_log = crate::common::files(dir.path(), ".wal").pop().unwrap();
    let tried = tempfile::tempdir().unwrap();
    for path in files(dir.path()) {
        let sound = std::fs::read(&path).unwrap();
        for len in sample(used(&sound)).into_iter().map(|len| len - 1) {
            let what = format!("{path:?}, cut to {len}");
            copy(dir.path(), tried.path());
            let cut = tried.path().join(path.file_name().unwrap());
            std::fs::write(cut, &sound[..len]).unwrap();
            if path == last_log && len >= 32 {
                check(tried.path(), &history, Loss::Tail, &what).await;
            } else {
                match Embedded::open(tiny(tried.path())).map(drop) {
                    Err(Error::Corrupt { .. }) => {}
                    // A snapshot may hold all that is missing.
                    Ok(()) => check(tried.path(), &history, Loss::None, &what).await,
                    Err(error) => panic!("{what}: {error}"),
                }
            }
        }
    }
}
