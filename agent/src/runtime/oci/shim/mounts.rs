//! A mount namespace that has only what a container needs. Who makes a container copies all mounts that it sees, and
//! reads their list many times: with those of all pods of the node, that takes the longer the more there are.

use crate::volumes::mounts::mount_points;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::pivot_root;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What all containers are made with.
const ALWAYS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The way back to the namespace where the shim was.
pub(super) struct Home {
    namespace: File,
    folder: PathBuf,
}

/// Leaves the mounts that the container in the current folder does not need; none when it needs all.
///
/// # Errors
/// When that can't be: then the shim is where it was.
pub(super) fn leave() -> io::Result<Option<Home>> {
    let config: Value = serde_json::from_slice(&fs::read("config.json")?)?;
    // What is mounted in such a container is to be seen on the node, so it must come from there.
    if config["linux"]["rootfsPropagation"] == "shared" {
        return Ok(None);
    }
    let folder = std::env::current_dir()?;
    let needs = needs(&config, &folder);
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let all: Vec<_> = mount_points(&table, Path::new("/")).into_iter().map(PathBuf::from).collect();
    let kept = kept(&all, &needs);
    let home = Home { namespace: File::open("/proc/self/ns/mnt")?, folder };
    unshare(CloneFlags::CLONE_NEWNS)?;
    match home.furnish(&kept).and_then(|()| complete(&needs)) {
        Ok(()) => Ok(Some(home)),
        Err(error) => home.back().and(Err(error)),
    }
}

// === impl Home ===

impl Home {
    /// Goes back, to all mounts that the node has by now.
    pub(super) fn back(&self) -> io::Result<()> {
        setns(&self.namespace, CloneFlags::CLONE_NEWNS)?;
        std::env::set_current_dir(&self.folder)
    }

    /// Puts a root with these mounts alone in the place of the one with all. Nothing of it reaches the node.
    fn furnish(&self, kept: &[PathBuf]) -> io::Result<()> {
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
        let root = self.folder.join("rootfs");
        mount_bind("/", &root)?;
        for point in kept {
            match mount_bind(point, root.join(point.strip_prefix("/").unwrap_or(point))) {
                // Another one lies over it.
                Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        std::env::set_current_dir(&root)?;
        // The old root lies over the new one then, until it is taken away with all that is below.
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        std::env::set_current_dir(&self.folder)
    }
}

/// The paths that a container is made from: sources and layers of its mounts, its namespaces, its folder. Links count
/// with what they lead to.
fn needs(config: &Value, folder: &Path) -> Vec<PathBuf> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut texts: Vec<Value> = ALWAYS.map(Value::from).into();
    for mount in list(&config["mounts"]) {
        texts.push(mount["source"].clone());
        let values = list(&mount["options"]).into_iter().filter_map(|option| {
            option.as_str().and_then(|option| option.split_once('=')).map(|(_, value)| value.into())
        });
        texts.extend(values);
    }
    texts.extend(list(&config["linux"]["namespaces"]).into_iter().map(|one| one["path"].clone()));
    let paths = texts.iter().filter_map(Value::as_str).map(PathBuf::from);
    let paths = paths.filter(|path| path.is_absolute()).chain([folder.to_path_buf()]);
    paths.filter_map(|path| Some([fs::canonicalize(&path).ok()?, path])).flatten().collect()
}

/// The mounts on the way to a need or below one, outer ones first; of several at one place the last, which is seen.
fn kept(all: &[PathBuf], needs: &[PathBuf]) -> Vec<PathBuf> {
    let needed = |point: &&PathBuf| {
        needs.iter().any(|need| need.starts_with(point) || point.starts_with(need))
    };
    let inner = all.iter().filter(|point| *point != Path::new("/")).filter(needed);
    let sorted: BTreeMap<_, _> =
        inner.map(|point| ((point.components().count(), point), point.clone())).collect();
    sorted.into_values().collect()
}

/// Whether all that was there is there.
fn complete(needs: &[PathBuf]) -> io::Result<()> {
    needs.iter().try_for_each(|need| fs::metadata(need).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_container_needs_is_kept_and_nothing_else() {
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect::<Vec<_>>();
        let all = paths(&[
            "/",
            "/sys",
            "/sys/fs/cgroup",
            "/data",
            "/run/w/other/net",
            "/run/w/own/shm",
            "/run/w/own/net",
            "/data/pods/1/volatile",
            "/data/pods/10/volatile",
            "/data",
            "/mnt/host/inner",
            "/mnt",
        ]);
        let needs = paths(&[
            "/sys",
            "/data/pods/1/volatile/token",
            "/run/w/own/net",
            "/run/w/own/shm",
            "/mnt/host",
        ]);
        let wanted = paths(&[
            "/data",
            "/mnt",
            "/sys",
            "/mnt/host/inner",
            "/sys/fs/cgroup",
            "/data/pods/1/volatile",
            "/run/w/own/net",
            "/run/w/own/shm",
        ]);
        assert_eq!(kept(&all, &needs), wanted);
    }

    #[test]
    fn needs_are_sources_layers_and_namespaces() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().join("real");
        fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(&real, folder.path().join("link")).expect("linked");
        let at = |name: &str| folder.path().join(name);
        let config = json!({
            "mounts": [{"source": at("link"), "options": ["rbind"]}, {"source": "tmpfs", "options": ["size=1k"]},
                {"source": "overlay", "options": [format!("upperdir={}", real.display())]}],
            "linux": {"namespaces": [{"type": "mount"}, {"type": "network", "path": at("missing")}]},
        });
        let needs = needs(&config, folder.path());
        for wanted in
            [at("link"), real.clone(), PathBuf::from("/proc"), folder.path().to_path_buf()]
        {
            assert!(needs.contains(&wanted), "{wanted:?} of {needs:?}");
        }
        assert!(needs.iter().all(|need| need.is_absolute() && need.exists()), "{needs:?}");
    }
}
