//! Puts a full log aside, and forgets the oldest (as the kubelet does: `containerLogMaxSize`,
//! `containerLogMaxFiles`).

use jiff::Timestamp;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Renames the log to `<name>.<time>`, and keeps the `keep` newest of those.
pub(super) fn rotate(path: &Path, keep: usize, now: Timestamp) -> io::Result<()> {
    let mut aside = OsString::from(path);
    aside.push(format!(".{}", now.strftime("%Y%m%d-%H%M%S%.9f")));
    std::fs::rename(path, &aside)?;
    let mut old = aside_of(path)?;
    old.sort();
    let surplus = old.len().saturating_sub(keep);
    old[..surplus].iter().try_for_each(std::fs::remove_file)
}

/// The logs that were put aside.
fn aside_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let rest = entry.file_name().into_encoded_bytes();
        let rest = rest.strip_prefix(name.as_encoded_bytes());
        if rest.is_some_and(|rest| rest.starts_with(b".")) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
