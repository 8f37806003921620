//! Reads a log, and goes on as it grows, until its container has ended.

use super::{Line, LogOptions, tail};
use crate::changes::Changes;
use bytes::Bytes;
use rustix::fs::inotify::WatchFlags;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio::sync::mpsc;

const BLOCK: usize = 32 * 1024;

/// Reads the log into `out` until its end, or, when following, until `ended` completes and all is read. Stops
/// when nobody listens any more.
pub(crate) async fn stream(
    path: PathBuf,
    options: LogOptions,
    ended: impl Future<Output = ()>,
    out: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut reader = match Reader::open(&path, &options).await {
        Ok(reader) => reader,
        Err(error) => {
            // Nobody listens: nothing to tell.
            out.send(Err(error)).await.ok();
            return;
        }
    };
    let result = tokio::select! {
        result = reader.run(&path, &options, ended, &out) => result,
        () = out.closed() => Ok(()),
    };
    if let Err(error) = result {
        out.send(Err(error)).await.ok();
    }
}

struct Reader {
    file: File,
    partial: Vec<u8>,
    left: Option<u64>,
    /// The output line that goes on has its time already.
    inside: bool,
}

impl Reader {
    async fn open(path: &Path, options: &LogOptions) -> io::Result<Self> {
        let mut file = File::open(path).await?;
        if let Some(lines) = options.tail {
            let start = tail::start(&mut file, lines).await?;
            file.seek(SeekFrom::Start(start)).await?;
        }
        Ok(Self { file, partial: Vec::new(), left: options.limit, inside: false })
    }

    async fn run(
        &mut self,
        path: &Path,
        options: &LogOptions,
        ended: impl Future<Output = ()>,
        out: &mpsc::Sender<io::Result<Bytes>>,
    ) -> io::Result<()> {
        if !options.follow {
            return self.drain(options, out).await.map(drop);
        }
        // Watched before it is read: what comes in between is not missed.
        let mut changes = near(path)?;
        tokio::pin!(ended);
        while self.drain_all(path, options, out).await? {
            tokio::select! {
                changed = changes.wait() => changed?,
                () = &mut ended => return self.drain_all(path, options, out).await.map(drop),
            }
        }
        Ok(())
    }

    /// Sends what there is, of the file that took the place of the log too; whether more is wanted.
    async fn drain_all(
        &mut self,
        path: &Path,
        options: &LogOptions,
        out: &mpsc::Sender<io::Result<Bytes>>,
    ) -> io::Result<bool> {
        loop {
            let next = self.successor(path).await?;
            // Nothing is written any more to a file that has a successor.
            if !self.drain(options, out).await? {
                return Ok(false);
            }
            let Some(next) = next else { return Ok(true) };
            self.file = next;
        }
    }

    /// The file that stands at the log's path now, if it is another: the log was put aside. Which one follows
    /// when that happened twice meanwhile can't be told: what was between is skipped.
    async fn successor(&self, path: &Path) -> io::Result<Option<File>> {
        let next = match File::open(path).await {
            // Put aside, and not yet there again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            next => next?,
        };
        let same = next.metadata().await?.ino() == self.file.metadata().await?.ino();
        Ok((!same).then_some(next))
    }

    /// Sends what there is; whether more is wanted.
    async fn drain(
        &mut self,
        options: &LogOptions,
        out: &mpsc::Sender<io::Result<Bytes>>,
    ) -> io::Result<bool> {
        let mut block = vec![0; BLOCK];
        loop {
            let read = self.file.read(&mut block).await?;
            if read == 0 {
                return Ok(true);
            }
            self.partial.extend_from_slice(&block[..read]);
            let mut chunk = self.take_lines(options);
            let more = self.cut(&mut chunk);
            if !chunk.is_empty() && out.send(Ok(chunk.into())).await.is_err() || !more {
                return Ok(false);
            }
        }
    }

    fn take_lines(&mut self, options: &LogOptions) -> Vec<u8> {
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        let mut chunk = Vec::new();
        for line in whole.split_inclusive(|byte| *byte == b'\n').filter_map(Line::parse) {
            if options.since.is_some_and(|since| line.time().is_some_and(|time| time < since)) {
                continue;
            }
            let timed = options.timestamps && !self.inside;
            chunk.extend(if timed { line.with_time() } else { line.content() });
            self.inside = !line.is_full();
        }
        chunk
    }

    /// Cuts to the limit; whether it leaves room for more.
    fn cut(&mut self, chunk: &mut Vec<u8>) -> bool {
        let Some(left) = &mut self.left else { return true };
        chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= chunk.len() as u64;
        *left > 0
    }
}

/// Tells when a file, or one beside it, is written to, or takes another's place.
fn near(path: &Path) -> io::Result<Changes> {
    let folder = path.parent().unwrap_or(path);
    Changes::of(folder, WatchFlags::MODIFY | WatchFlags::CREATE)
}

#[cfg(test)]
mod tests;
