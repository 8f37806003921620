//! `subPath`: a place in a volume, found without being led out of it by a link.

use super::{VolumeError, at, mounts};
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use rustix::io::Errno;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use windlass_core::apis::core::v1::VolumeMount;

/// A name for the place where a container's mount with a subPath is bound.
pub(super) fn place(container: &str, mount: &VolumeMount) -> PathBuf {
    let path: String = mount.mount_path.chars().map(|c| if c == '/' { '~' } else { c }).collect();
    Path::new(&mount.name).join(container).join(path)
}

/// Binds the place `sub_path` of the volume in `root` to `target`, making folders that are missing, and returns
/// where it is to be seen. Without `bind` that is the place itself.
pub(super) fn resolve(
    root: &Path,
    sub_path: &Path,
    target: &Path,
    bind: bool,
) -> Result<PathBuf, VolumeError> {
    let found = open(root, sub_path)?;
    let by_fd = by_fd(&found);
    if !bind {
        return fs::read_link(&by_fd).map_err(at(&by_fd));
    }
    let is_dir = fs::metadata(&by_fd).map_err(at(&by_fd))?.is_dir();
    if fs::symlink_metadata(target).is_ok() {
        mounts::remove_tree_or_file(target)?;
    }
    let parent = if is_dir { Some(target) } else { target.parent() };
    parent.map(mounts::make_dir).transpose()?;
    if !is_dir {
        fs::File::create(target).map_err(at(target))?;
    }
    mounts::bind(&by_fd, target)?;
    Ok(target.to_path_buf())
}

/// Another name for what is open.
fn by_fd(open: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()))
}

fn open(root: &Path, sub_path: &Path) -> Result<OwnedFd, VolumeError> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let fail = |path: &Path, error: Errno| at(&root.join(path))(error.into());
    let root_fd = openat(rustix::fs::CWD, root, flags | OFlags::DIRECTORY, Mode::empty())
        .map_err(|e| fail(Path::new(""), e))?;
    // Links that stay inside are followed, the kernel refuses all others.
    let within = |path: &Path| {
        openat2(
            &root_fd,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )
    };
    if sub_path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(VolumeError::Unmet(format!("invalid subPath \"{}\"", sub_path.display())));
    }
    match within(sub_path) {
        Ok(found) => return Ok(found),
        Err(Errno::NOENT) => {}
        Err(error) => return Err(fail(sub_path, error)),
    }
    let mut made = PathBuf::new();
    let mut parent = within(Path::new(".")).map_err(|e| fail(Path::new("."), e))?;
    let mode = fs::metadata(by_fd(&root_fd)).map_err(at(root))?.permissions();
    for part in sub_path.components() {
        made.push(part);
        let fresh = match mkdirat(&parent, Path::new(part.as_os_str()), Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(fail(&made, error)),
        };
        parent = within(&made).map_err(|e| fail(&made, e))?;
        // Whoever may use the volume may use what is made in it, whatever the umask says.
        if fresh {
            fs::set_permissions(by_fd(&parent), mode.clone()).map_err(at(&root.join(&made)))?;
        }
    }
    Ok(parent)
}
