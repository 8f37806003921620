//! `fsGroup`: who owns what is in a volume. Pods may change it meanwhile, so no name is followed twice: what was looked
//! at is what is given away, and no link leads out of the volume.

use super::{VolumeError, at};
use crate::pod::PodExt;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags};
use rustix::fs::{chmod, chownat, fstat, openat};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use windlass_core::apis::core::v1::Pod;

/// How many folders may lie in one another.
const DEEPEST: usize = 1_000;
/// What a folder's group may do besides: go into it, and have what is made there.
const FOLDER: u32 = 0o2110;
/// Neither reads what it opens nor follows it, should it be a link.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const LIST: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The group that owns the pod's volumes.
pub(super) fn fs_group(pod: &Pod) -> Option<u32> {
    let group = pod.pod_spec().security_context.as_ref()?.fs_group?;
    u32::try_from(group).ok()
}

/// Gives a tree to a group, which may read and, if `write`, write it. New files in it are the group's too.
pub(super) fn give(path: &Path, group: u32, write: bool) -> Result<(), VolumeError> {
    let gift = Gift::new(group, write);
    let all = openat(CWD, path, LOOK, Mode::empty()).map_err(io::Error::from);
    all.and_then(|root| gift.give(&root, 0)).map_err(at(path))
}

/// The same for a volume that other pods have had before. One whose root the group has already stays as it is, if the
/// pod wants that (`fsGroupChangePolicy: OnRootMismatch`).
pub(super) fn give_lasting(path: &Path, group: u32, pod: &Pod) -> Result<(), VolumeError> {
    let context = pod.pod_spec().security_context.as_ref();
    let policy = context.and_then(|context| context.fs_group_change_policy.as_deref());
    if policy == Some("OnRootMismatch")
        && Gift::new(group, true).has_root(path).map_err(at(path))?
    {
        return Ok(());
    }
    give(path, group, true)
}

/// To whom, and what it may do.
struct Gift {
    group: Gid,
    rights: u32,
}

// === impl Gift ===

impl Gift {
    fn new(group: u32, write: bool) -> Self {
        Self { group: Gid::from_raw(group), rights: if write { 0o660 } else { 0o440 } }
    }

    fn has_root(&self, path: &Path) -> io::Result<bool> {
        let stat = fstat(openat(CWD, path, LOOK, Mode::empty())?)?;
        let rights = self.rights | FOLDER;
        Ok(stat.st_gid == self.group.as_raw() && stat.st_mode & rights == rights)
    }

    fn give(&self, file: &OwnedFd, depth: usize) -> io::Result<()> {
        let stat = fstat(file)?;
        let mut rights = self.rights;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => return Ok(()),
            FileType::Directory => {
                rights |= FOLDER;
                self.give_entries(file, depth)?;
            }
            _ => {}
        }
        let given = stat.st_gid != self.group.as_raw();
        if given {
            chownat(file, "", None, Some(self.group), AtFlags::EMPTY_PATH)?;
        }
        let mode = stat.st_mode & 0o7777;
        if given || mode | rights != mode {
            // The kernel takes no mode by a descriptor of this kind, but leads from here to just this file.
            let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
            chmod(itself, Mode::from_raw_mode(mode | rights))?;
        }
        Ok(())
    }

    fn give_entries(&self, folder: &OwnedFd, depth: usize) -> io::Result<()> {
        if depth == DEEPEST {
            return Err(io::Error::other(format!(
                "more than {DEEPEST} folders lie in one another"
            )));
        }
        // What was opened only to be looked at lists nothing.
        for entry in Dir::new(openat(folder, ".", LIST, Mode::empty())?)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            match openat(folder, entry.file_name(), LOOK, Mode::empty()) {
                // Somebody took it away.
                Err(Errno::NOENT) => {}
                file => self.give(&file?, depth + 1)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
    }

    fn file(path: &Path) {
        fs::write(path, "").expect("written");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("set");
    }

    #[test]
    fn links_of_a_volume_lead_nowhere() {
        let root = tempfile::tempdir().expect("a folder");
        let (volume, outside) = (root.path().join("volume/deep"), root.path().join("outside"));
        fs::create_dir_all(&volume).expect("made");
        file(&outside);
        file(&volume.join("inside"));
        symlink(&outside, volume.join("link")).expect("linked");
        symlink(root.path(), volume.join("folder")).expect("linked");
        let group = fs::metadata(&outside).expect("it is there").gid();
        give(&root.path().join("volume"), group, false).expect("given");
        assert_eq!((mode(&volume.join("inside")), mode(&outside)), (0o640, 0o600));
        assert_eq!(mode(&volume) & 0o2550, 0o2550);
        assert_eq!(mode(root.path()) & 0o2000, 0);
    }

    #[test]
    fn a_root_tells_enough_if_the_pod_says_so() {
        let root = tempfile::tempdir().expect("a folder");
        let inside = root.path().join("inside");
        let group = fs::metadata(root.path()).expect("it is there").gid();
        let pod = |policy: &str| -> Pod {
            let context = json!({"fsGroup": group, "fsGroupChangePolicy": policy});
            serde_json::from_value(json!({"spec": {"containers": [], "securityContext": context}}))
                .expect("a pod")
        };
        let given = |policy| give_lasting(root.path(), group, &pod(policy)).expect("given");
        given("OnRootMismatch");
        file(&inside);
        given("OnRootMismatch");
        assert_eq!(mode(&inside), 0o600);
        given("Always");
        assert_eq!(mode(&inside), 0o660);
    }

    #[test]
    fn folders_in_one_another_have_an_end() {
        let root = tempfile::tempdir().expect("a folder");
        let mut folder = openat(CWD, root.path(), LOOK, Mode::empty()).expect("opened");
        for _ in 0..=DEEPEST {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).expect("made");
            folder = openat(&folder, "d", LOOK, Mode::empty()).expect("opened");
        }
        let group = fs::metadata(root.path()).expect("it is there").gid();
        let error = give(root.path(), group, true).expect_err("too deep").to_string();
        assert!(error.contains("lie in one another"), "{error}");
    }
}
