//! Events in a file, a line each, rotated by size and kept for so many files and days.

use super::AuditSink;
use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use windlass_core::clock::Clock;

/// Events, and bytes of them, that may wait to be written.
const EVENTS: usize = 10_000;
const BYTES: usize = 64 << 20;
/// How a file that was closed is named: as Kubernetes does.
const NAME: &str = "%Y-%m-%dT%H-%M-%S.%3f";

/// Where events are written, and how much is kept. Zeros: without a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The file; `-`: standard output.
    pub path: PathBuf,
    /// A file that would grow beyond so many bytes is closed, and renamed.
    pub max_size: u64,
    /// Closed files that are kept.
    pub max_backups: usize,
    /// How long they are.
    pub max_age: Duration,
}

/// Writes events on a thread of its own. What was taken is written before it is gone.
pub struct AuditLog {
    queue: Option<SyncSender<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
    writer: Option<JoinHandle<()>>,
}

struct Writer {
    options: LogOptions,
    clock: Arc<dyn Clock>,
    /// None for standard output.
    file: Option<File>,
    size: u64,
}

// === impl AuditLog ===

impl AuditLog {
    /// Opens the file, or makes it (0600); its folder is made too.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn open(options: LogOptions, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let mut writer = Writer { options, clock, file: None, size: 0 };
        writer.open()?;
        let (queue, events) = sync_channel(EVENTS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = waiting.clone();
        let thread = std::thread::Builder::new().name("audit".into());
        let writer = thread.spawn(move || writer.run(&events, &written))?;
        Ok(Self { queue: Some(queue), waiting, writer: Some(writer) })
    }
}

impl AuditSink for AuditLog {
    fn take(&self, event: Vec<u8>) -> bool {
        let length = event.len();
        let Some(queue) = &self.queue else { return false };
        if self.waiting.fetch_add(length, Ordering::AcqRel) < BYTES && queue.try_send(event).is_ok()
        {
            return true;
        }
        self.waiting.fetch_sub(length, Ordering::AcqRel);
        false
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(Err(_)) = self.writer.take().map(JoinHandle::join) {
            tracing::error!("the audit log's thread panicked");
        }
    }
}

// === impl Writer ===

impl Writer {
    fn run(mut self, events: &Receiver<Vec<u8>>, waiting: &AtomicUsize) {
        let mut failed = false;
        while let Ok(mut event) = events.recv() {
            let length = event.len();
            event.push(b'\n');
            match self.write(&event) {
                Ok(()) => failed = false,
                // Once is enough to say it.
                Err(error) if !failed => {
                    failed = true;
                    tracing::error!(%error, path = %self.options.path.display(), "audit events are lost");
                }
                Err(_) => {}
            }
            waiting.fetch_sub(length, Ordering::AcqRel);
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let limit = self.options.max_size;
        if limit > 0 && self.size > 0 && self.size + line.len() as u64 > limit {
            self.rotate()?;
        }
        self.size += line.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(line),
            None => io::stdout().lock().write_all(line),
        }
    }

    fn open(&mut self) -> io::Result<()> {
        let path = &self.options.path;
        if path == Path::new("-") {
            // It can't be rotated.
            self.options.max_size = 0;
            return Ok(());
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        let (prefix, suffix) = self.affixes();
        let mut closed =
            self.options.path.with_file_name(format!("{prefix}{}{suffix}", now.strftime(NAME)));
        let mut more = 0;
        while closed.exists() {
            more += 1;
            let name = format!("{prefix}{}-{more}{suffix}", now.strftime(NAME));
            closed = self.options.path.with_file_name(name);
        }
        fs::rename(&self.options.path, &closed)?;
        self.open()?;
        self.tidy(now)
    }

    /// What stands before and after the time in the name of a closed file.
    fn affixes(&self) -> (String, String) {
        let part = |text: Option<&std::ffi::OsStr>| {
            text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let path = &self.options.path;
        let extension = path.extension().map(|_| format!(".{}", part(path.extension())));
        (format!("{}-", part(path.file_stem())), extension.unwrap_or_default())
    }

    /// Removes closed files that are too many or too old.
    fn tidy(&self, now: Timestamp) -> io::Result<()> {
        let (prefix, suffix) = self.affixes();
        let folder = self.options.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut closed: Vec<String> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let time = name.strip_prefix(&prefix).and_then(|name| name.strip_suffix(&suffix));
            if time.is_some_and(is_time) {
                closed.push(name);
            }
        }
        // Newest first.
        closed.sort_unstable_by(|a, b| b.cmp(a));
        let LogOptions { max_backups, max_age, .. } = self.options;
        let age = jiff::SignedDuration::try_from(max_age).unwrap_or(jiff::SignedDuration::MAX);
        let oldest = now.checked_sub(age).unwrap_or(Timestamp::MIN).strftime(NAME).to_string();
        let oldest = format!("{prefix}{oldest}");
        for (at, name) in closed.iter().enumerate() {
            let many = max_backups > 0 && at >= max_backups;
            if many || (!max_age.is_zero() && *name < oldest) {
                fs::remove_file(folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// Whether it begins as a time does: `2026-01-02T03-04-05.678`.
fn is_time(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00-00-00.000";
    let text = text.as_bytes();
    text.len() >= SHAPE.len()
        && text.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
}
