//! Paths inside an image, followed as the container would follow them: a symbolic link, absolute
//! or not, never leads out of the root.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Longest chain of links that is followed, as the kernel's.
const MAX_LINKS: usize = 40;

/// What to do about folders that are missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Make them.
    Create,
    /// Leave them.
    Keep,
}

/// Where `path` lies under `root`, all links of its folders and of itself followed inside `root`.
pub(crate) fn resolve_in(root: &Path, path: &Path, missing: Missing) -> io::Result<PathBuf> {
    let mut todo: Vec<OsString> = parts(path).collect();
    todo.reverse();
    let mut done: Vec<OsString> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        let here = root.join(done.iter().collect::<PathBuf>()).join(&part);
        match std::fs::symlink_metadata(&here) {
            Ok(meta) if meta.file_type().is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::other("too many levels of symbolic links"));
                }
                let target = std::fs::read_link(&here)?;
                if target.is_absolute() {
                    done.clear();
                }
                let mut more: Vec<OsString> = parts(&target).collect();
                more.reverse();
                todo.extend(more);
            }
            Ok(_) => done.push(part),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if missing == Missing::Create {
                    std::fs::create_dir(&here)?;
                }
                done.push(part);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(root.join(done.iter().collect::<PathBuf>()))
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|c| match c {
        Component::Normal(p) => Some(p.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("run")).unwrap();
        std::fs::create_dir_all(root.join("var")).unwrap();
        symlink("/run", root.join("var/run")).unwrap();
        symlink("../../../../etc", root.join("out")).unwrap();
        let at = |p: &str| resolve_in(root, Path::new(p), Missing::Keep).unwrap();
        assert_eq!(at("var/run/x"), root.join("run/x"));
        assert_eq!(at("/out/passwd"), root.join("etc/passwd"));
        assert_eq!(at("../../x"), root.join("x"));
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert!(resolve_in(dir.path(), Path::new("a/x"), Missing::Keep).is_err());
    }
}
