//! Files that hold secrets.

use super::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file that only its owner can read (mode 0600), whole or not at all.
///
/// # Errors
/// When the system refuses.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    replace(path, content).map_err(|source| Error::Io { path: path.into(), source })
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = path.with_added_extension("part");
    // What an interrupted write left goes, a link that somebody put there too: it is not followed.
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}
