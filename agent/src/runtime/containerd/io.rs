//! The streams of programs: named pipes between containerd's shims and the agent.

use crate::runtime::linux::log::{Log, Stream};
use crate::runtime::linux::state::{io_error, remove};
use crate::runtime::{ContainerConfig, LogLimits, Result};
use parking_lot::Mutex;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;
use windlass_core::clock::Clock;

/// Bytes that may wait between the agent and who attached.
const BUFFER: usize = 64 * 1024;
/// Most bytes read at once.
const CHUNK: usize = 16 * 1024;
/// How long somebody attached may take to read what a container wrote, before he is let go of.
const PATIENCE: Duration = Duration::from_secs(10);

/// The names of a program's pipes.
#[derive(Clone, Default)]
pub(super) struct Names {
    pub(super) stdin: Option<PathBuf>,
    pub(super) stdout: PathBuf,
    pub(super) stderr: Option<PathBuf>,
}

/// The agent's ends of a program's pipes.
pub(super) struct Ends {
    pub(super) stdin: Option<pipe::Sender>,
    pub(super) stdout: pipe::Receiver,
    pub(super) stderr: Option<pipe::Receiver>,
}

/// What becomes of a container's streams: its log, and who attached.
pub(super) struct Hub {
    /// Where the log goes, and how much of it is kept.
    place: (PathBuf, LogLimits),
    /// Opened when the container starts: also one that says nothing has a log.
    log: Mutex<Option<Log>>,
    listeners: tokio::sync::Mutex<Vec<Listener>>,
    pub(super) input: tokio::sync::Mutex<Option<pipe::Sender>>,
    /// The container has ended.
    over: CancellationToken,
    clock: Arc<dyn Clock>,
}

/// Somebody attached.
struct Listener {
    stream: Stream,
    to: DuplexStream,
}

// === impl Names ===

impl Names {
    /// Pipes of a program, in its container's folder.
    pub(super) fn new(folder: &Path, prefix: &str, stdin: bool, tty: bool) -> Self {
        let name = |n: &str| folder.join(format!("{prefix}{n}"));
        Self {
            stdin: stdin.then(|| name("in")),
            stdout: name("out"),
            stderr: (!tty).then(|| name("err")),
        }
    }

    /// Makes the pipes that are not there.
    pub(super) fn make(&self) -> Result<()> {
        for path in self.all() {
            match mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(io_error(path, e)),
            }
        }
        Ok(())
    }

    /// Opens the agent's ends. The program's need not be open.
    pub(super) fn open(&self) -> Result<Ends> {
        let read = |path: &Path| {
            pipe::OpenOptions::new().open_receiver(path).map_err(|e| io_error(path, e))
        };
        let write = |path: &PathBuf| {
            let open = pipe::OpenOptions::new().read_write(true).open_sender(path);
            open.map_err(|e| io_error(path, e))
        };
        Ok(Ends {
            stdin: self.stdin.as_ref().map(write).transpose()?,
            stdout: read(&self.stdout)?,
            stderr: self.stderr.as_deref().map(read).transpose()?,
        })
    }

    pub(super) fn remove(&self) -> Result<()> {
        self.all().try_for_each(remove)
    }

    /// As containerd takes them: empty for none.
    pub(super) fn words(&self) -> [String; 3] {
        let word = |p: Option<&PathBuf>| p.map_or_else(String::new, |p| p.display().to_string());
        [word(self.stdin.as_ref()), word(Some(&self.stdout)), word(self.stderr.as_ref())]
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        let optional = self.stdin.iter().chain(&self.stderr);
        optional.chain([&self.stdout]).map(PathBuf::as_path)
    }
}

// === impl Hub ===

impl Hub {
    pub(super) fn new(config: &ContainerConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            place: (config.log_path.clone(), config.log_limits),
            log: Mutex::default(),
            listeners: tokio::sync::Mutex::default(),
            input: tokio::sync::Mutex::default(),
            over: CancellationToken::new(),
            clock,
        }
    }

    /// Opens the log.
    pub(super) fn open_log(&self) {
        *self.log.lock() = Some(Log::open(&self.place.0, self.place.1));
    }

    /// Reads a stream to its end.
    pub(super) async fn pump(self: Arc<Self>, stream: Stream, from: pipe::Receiver) {
        loop {
            if let Err(error) = from.readable().await {
                tracing::warn!(%error, "a container's output can't be read");
                return;
            }
            // Only for as long as there is something: most containers say nothing most of the time.
            let mut chunk = vec![0; CHUNK];
            match from.try_read(&mut chunk) {
                Ok(0) => return,
                Ok(n) => self.take(stream, &chunk[..n]).await,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!(%error, "a container's output can't be read");
                    return;
                }
            }
        }
    }

    async fn take(&self, stream: Stream, data: &[u8]) {
        if let Some(log) = self.log.lock().as_mut() {
            log.append(stream, data, self.clock.now());
        }
        let mut listeners = self.listeners.lock().await;
        let mut kept = Vec::with_capacity(listeners.len());
        for mut listener in listeners.drain(..) {
            let heard = listener.stream != stream
                || matches!(
                    tokio::time::timeout(PATIENCE, listener.to.write_all(data)).await,
                    Ok(Ok(()))
                );
            if heard {
                kept.push(listener);
            }
        }
        *listeners = kept;
    }

    /// What a stream says from now on.
    pub(super) async fn listen(&self, stream: Stream) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        self.listeners.lock().await.push(Listener { stream, to: ours });
        theirs
    }

    /// Hands what comes from one who attached to the container, until he or the container ends.
    pub(super) async fn feed(&self, mut from: DuplexStream) {
        let mut chunk = vec![0; CHUNK];
        let copy = async {
            while let Ok(n @ 1..) = from.read(&mut chunk).await {
                let mut input = self.input.lock().await;
                let Some(input) = input.as_mut() else { return };
                if let Err(error) = input.write_all(&chunk[..n]).await {
                    tracing::debug!(%error, "a container takes no more input");
                    return;
                }
            }
        };
        self.over.run_until_cancelled(copy).await;
    }

    /// The container has ended.
    pub(super) async fn finish(&self) {
        self.over.cancel();
        if let Some(mut log) = self.log.lock().take() {
            log.finish(self.clock.now());
        }
        self.listeners.lock().await.clear();
        self.input.lock().await.take();
    }
}

/// An input, and what is written to it.
pub(super) fn input() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(BUFFER)
}

/// Copies until `from` ends or the program does.
pub(super) async fn copy(mut from: DuplexStream, to: &mut pipe::Sender) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        if let Err(error) = to.write_all(&chunk[..n]).await {
            tracing::debug!(%error, "a program takes no more input");
            return;
        }
    }
}
