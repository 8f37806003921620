//! The last words of containers (`terminationMessagePath`, `terminationMessagePolicy`).

use super::snapshot::{MESSAGE_PATH_ANNOTATION, MESSAGE_POLICY_ANNOTATION, ended};
use crate::runtime::ContainerStatus;
use crate::server::logs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A message is cut to this size.
const FILE_LIMIT: u64 = 4096;
/// What is taken from the log in the message's place.
const LOG_LIMIT: u64 = 2048;
const LOG_LINES: usize = 80;
/// So much of a log's end holds that.
const LOG_TAIL: u64 = 64 * 1024;

/// The last words of a container that ended.
pub(super) async fn last_words(container: &ContainerStatus) -> String {
    let path = container.annotations.get(MESSAGE_PATH_ANNOTATION).map(PathBuf::from);
    let policy = container.annotations.get(MESSAGE_POLICY_ANNOTATION).map(String::as_str);
    let failed = ended(container).is_some_and(|end| end.exit_code != 0);
    let from_log = policy == Some("FallbackToLogsOnError") && failed;
    let log = from_log.then(|| container.log_path.clone());
    let read = tokio::task::spawn_blocking(move || read(path.as_deref(), log.as_deref())).await;
    match read {
        Ok(Ok(words)) => words,
        Ok(Err(error)) => format!("Error on reading termination message: {error}"),
        Err(error) => format!("Error on reading termination message: {error}"),
    }
}

fn read(path: Option<&Path>, log: Option<&Path>) -> io::Result<String> {
    let words = path.map(file).transpose()?.unwrap_or_default();
    match log {
        Some(log) if words.is_empty() => log_tail(log),
        _ => Ok(words),
    }
}

fn file(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(FILE_LIMIT).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn log_tail(path: &Path) -> io::Result<String> {
    let mut file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    let lines: Vec<_> =
        bytes.split_inclusive(|b| *b == b'\n').filter_map(logs::Line::parse).collect();
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    let text: Vec<u8> = last.iter().flat_map(|line| line.content()).collect();
    let cut = text.len().saturating_sub(LOG_LIMIT as usize);
    Ok(String::from_utf8_lossy(&text[cut..]).into_owned())
}
