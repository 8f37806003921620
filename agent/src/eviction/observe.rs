//! Looks at the node and its disks.

use super::limits::Disk;
use super::plan::{Level, Levels};
use super::threshold::Signal;
use crate::node_status::{memory, nearest};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the node has left. What can't be seen is left out. Reads files, and so blocks.
pub(super) fn levels(root: &Path, images: Option<&Path>) -> Levels {
    let mut levels = Levels::new();
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    if let (Some(available), Some(capacity)) =
        (memory(&text, "MemAvailable:"), memory(&text, "MemTotal:"))
    {
        levels.insert(Signal::MemoryAvailable, Level { available, capacity });
    }
    let disks = [
        (Some(root), Signal::NodefsAvailable, Signal::NodefsInodesFree),
        (images, Signal::ImagefsAvailable, Signal::ImagefsInodesFree),
    ];
    for (path, bytes, inodes) in disks {
        let Some((space, files)) = path.and_then(disk_levels) else { continue };
        levels.insert(bytes, space);
        levels.extend(files.map(|level| (inodes, level)));
    }
    levels.extend(pids().map(|level| (Signal::PidAvailable, level)));
    levels
}

/// The bytes of the disk that a folder is on, and its inodes where it counts them.
pub(crate) fn disk_levels(path: &Path) -> Option<(Level, Option<Level>)> {
    let disk = rustix::fs::statvfs(nearest(path)?).ok()?;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    // Of what can be used at all: some blocks are kept back by the file system.
    let usable = disk.f_blocks.saturating_sub(disk.f_bfree).saturating_add(disk.f_bavail);
    let bytes = |blocks: u64| number(blocks.saturating_mul(disk.f_frsize));
    let space = Level { available: bytes(disk.f_bavail), capacity: bytes(usable) };
    // Some file systems make inodes as they are needed, and tell of none.
    let files = (disk.f_files > 0)
        .then(|| Level { available: number(disk.f_favail), capacity: number(disk.f_files) });
    Some((space, files))
}

/// Whether two folders are on one disk. So said when it can't be seen.
pub(super) fn same_disk(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| Some(fs::metadata(nearest(path)?).ok()?.dev());
    device(one) == device(other)
}

fn pids() -> Option<Level> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<i64>().ok();
    let capacity = number("/proc/sys/kernel/pid_max")?.min(number("/proc/sys/kernel/threads-max")?);
    // `0.00 0.01 0.05 1/234 5678`: of 234 threads one runs.
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    let threads: i64 = load.split(' ').nth(3)?.split_once('/')?.1.parse().ok()?;
    Some(Level { available: capacity - threads, capacity })
}

/// What a pod has on the node's disk. Walks through it, and so blocks.
pub(super) fn disk(pod: &Path, logs: &Path) -> Disk {
    let mut inodes = 0;
    let mut each = |folder: &Path| -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match tree(&entry.path()) {
                Ok((bytes, files)) => {
                    inodes += files;
                    all.insert(name, bytes);
                }
                // What goes while one looks is not there.
                Err(error) => {
                    tracing::debug!(path = %entry.path().display(), %error, "not measured")
                }
            }
        }
        all
    };
    let volumes = each(&pod.join("volumes/kubernetes.io~empty-dir"));
    Disk { volumes, logs: each(logs), inodes }
}

/// Bytes, and files and folders, of a tree on one file system; none of one that is another file system's root. A file
/// of many names counts once, and what goes while one looks does not count.
fn tree(path: &Path) -> io::Result<(i64, i64)> {
    let device =
        path.parent().map_or(Ok(None), |above| fs::metadata(above).map(|m| Some(m.dev())))?;
    let (mut bytes, mut files) = (0, 0);
    let mut linked = BTreeSet::new();
    let mut todo = vec![path.to_path_buf()];
    while let Some(path) = todo.pop() {
        let Some(meta) = still_there(fs::symlink_metadata(&path))? else { continue };
        if device.is_some_and(|device| device != meta.dev()) {
            continue;
        }
        let again = !meta.is_dir() && meta.nlink() > 1 && !linked.insert((meta.dev(), meta.ino()));
        if again {
            continue;
        }
        bytes += i64::try_from(meta.blocks().saturating_mul(512)).unwrap_or(i64::MAX);
        files += 1;
        if meta.is_dir() {
            for entry in still_there(fs::read_dir(&path))?.into_iter().flatten() {
                todo.extend(still_there(entry)?.map(|entry| entry.path()));
            }
        }
    }
    Ok((bytes, files))
}

/// None of what has gone, or has become something else than a folder.
fn still_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_node_has_something_left() {
        let levels = levels(Path::new("/no/such/folder"), Some(Path::new("/proc")));
        for signal in [Signal::MemoryAvailable, Signal::NodefsAvailable, Signal::PidAvailable] {
            let level = levels[&signal];
            assert!(
                level.available > 0 && level.available <= level.capacity,
                "{signal:?} {level:?}"
            );
        }
        assert_eq!(levels[&Signal::ImagefsAvailable], Level::default(), "a disk of its own");
        assert!(!same_disk(Path::new("/no/such/folder"), Path::new("/proc")));
    }

    #[test]
    fn what_goes_while_one_looks_is_no_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        assert!(still_there(fs::read_dir(&file)).expect("became a file").is_none());
        assert!(still_there(fs::read_dir(folder.path().join("no"))).expect("gone").is_none());
        assert!(still_there::<()>(Err(io::ErrorKind::PermissionDenied.into())).is_err());
    }

    #[test]
    fn volumes_and_logs_are_measured() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pod, logs) = (folder.path().join("pod"), folder.path().join("logs"));
        let volume = pod.join("volumes/kubernetes.io~empty-dir/v/deep");
        fs::create_dir_all(&volume).expect("made");
        fs::write(volume.join("file"), vec![1; 100_000]).expect("written");
        fs::hard_link(volume.join("file"), volume.join("again")).expect("a second name");
        std::os::unix::fs::symlink("/usr", volume.join("link")).expect("a link");
        fs::create_dir_all(logs.join("c")).expect("made");
        fs::write(logs.join("c/0.log"), vec![1; 50_000]).expect("written");
        let disk = disk(&pod, &logs);
        assert!((100_000..200_000).contains(&disk.volumes["v"]), "{disk:?}");
        assert!((50_000..100_000).contains(&disk.logs["c"]), "{disk:?}");
        assert_eq!(disk.inodes, 6);
    }
}
