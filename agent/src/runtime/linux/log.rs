//! The container's log, in the CRI format: `<RFC 3339 time> stdout|stderr F|P <text>`.

mod rotate;

use crate::runtime::LogLimits;
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Longest text of a line; a longer one is written in parts, all but the last tagged `P`.
const MAX_TEXT: usize = 16 * 1024;

/// Which stream a text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Stream {
    Stdout,
    Stderr,
}

/// Writes a log. A full disk loses text, and nothing else.
pub(in crate::runtime) struct Log {
    path: PathBuf,
    limits: LogLimits,
    file: Option<File>,
    /// How long the file is.
    length: u64,
    partial: [Vec<u8>; 2],
    out: Vec<u8>,
}

// === impl Log ===

impl Log {
    pub(in crate::runtime) fn open(path: &Path, limits: LogLimits) -> Self {
        let mut this = Self {
            path: path.to_path_buf(),
            limits,
            file: None,
            length: 0,
            partial: [Vec::new(), Vec::new()],
            out: Vec::new(),
        };
        if let Err(e) = this.reopen() {
            eprintln!("container log: {}: {e}", path.display());
        }
        this
    }

    /// Adds what was read from a stream.
    pub(in crate::runtime) fn append(&mut self, stream: Stream, mut data: &[u8], now: Timestamp) {
        let prefix = prefix(stream, now);
        let partial = &mut self.partial[stream as usize];
        while !data.is_empty() {
            let room = MAX_TEXT - partial.len();
            let window = &data[..data.len().min(room)];
            let (text, tag, used) = match window.iter().position(|b| *b == b'\n') {
                Some(end) => (&window[..end], b'F', end + 1),
                None if window.len() == room && data.get(room) != Some(&b'\n') => {
                    (window, b'P', room)
                }
                None if window.len() == room => (window, b'F', room + 1),
                None => {
                    partial.extend_from_slice(window);
                    break;
                }
            };
            partial.extend_from_slice(text);
            line(&mut self.out, &prefix, tag, partial);
            partial.clear();
            data = &data[used..];
        }
        self.flush(now);
    }

    /// Writes what came without a newline at the end.
    pub(in crate::runtime) fn finish(&mut self, now: Timestamp) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.partial[stream as usize]);
            if !rest.is_empty() {
                line(&mut self.out, &prefix(stream, now), b'P', &rest);
            }
        }
        self.flush(now);
    }

    fn flush(&mut self, now: Timestamp) {
        if self.out.is_empty() {
            return;
        }
        let length = self.length + self.out.len() as u64;
        if length > self.limits.max_bytes
            && self.length > 0
            && let Err(e) = self.rotate(now)
        {
            eprintln!("container log: {}: {e}", self.path.display());
        }
        if self.file.is_none() && self.reopen().is_err() {
            self.out.clear();
            return;
        }
        let file = self.file.as_mut().expect("opened just now");
        match file.write_all(&self.out) {
            Ok(()) => self.length += self.out.len() as u64,
            Err(e) => {
                eprintln!("container log: {}: {e}", self.path.display());
                self.file = None;
            }
        }
        self.out.clear();
        self.out.shrink_to(4 * MAX_TEXT);
    }

    /// Begins a new file.
    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        self.file = None;
        rotate::rotate(&self.path, self.limits.max_files.saturating_sub(1), now)?;
        self.reopen()
    }

    fn reopen(&mut self) -> io::Result<()> {
        if self.path.as_os_str().is_empty() {
            self.path = PathBuf::from("/dev/null");
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().append(true).create(true).open(&self.path)?;
        self.length = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }
}

fn prefix(stream: Stream, now: Timestamp) -> String {
    let name = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    format!("{now:.9} {name} ")
}

fn line(out: &mut Vec<u8>, prefix: &str, tag: u8, text: &[u8]) {
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&[tag, b' ']);
    out.extend_from_slice(text);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[(Stream, &[u8])]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/0.log");
        let mut log = Log::open(&path, LogLimits::default());
        for (stream, data) in parts {
            log.append(*stream, data, Timestamp::UNIX_EPOCH);
        }
        log.finish(Timestamp::UNIX_EPOCH);
        let text = std::fs::read_to_string(&path).unwrap();
        text.replace("1970-01-01T00:00:00.000000000Z ", "")
    }

    #[test]
    fn lines_come_whole_and_the_last_is_partial() {
        let text = written(&[
            (Stream::Stdout, b"one\ntw"),
            (Stream::Stderr, b"err\n"),
            (Stream::Stdout, b"o\n\nend"),
        ]);
        assert_eq!(text, "stdout F one\nstderr F err\nstdout F two\nstdout F \nstdout P end\n");
    }

    #[test]
    fn a_full_log_is_put_aside_and_the_oldest_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        std::fs::write(dir.path().join("10.log.other"), "another's").unwrap();
        let mut log = Log::open(&path, LogLimits { max_bytes: 100, max_files: 3 });
        for second in 0..9 {
            let line = format!("line {second}\n");
            log.append(Stream::Stdout, line.as_bytes(), Timestamp::from_second(second).unwrap());
        }
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name(), std::fs::read_to_string(entry.path()).unwrap())
        };
        let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(read).collect();
        files.sort();
        let last = |text: &str| text.trim_end().rsplit(' ').next().unwrap().to_owned();
        let ends: Vec<String> = files.iter().map(|(_, text)| last(text)).collect();
        assert_eq!(ends, ["8", "5", "7", "another's"].map(String::from));
        assert_eq!(files[1].0, "0.log.19700101-000006.000000000");
    }

    #[test]
    fn long_lines_are_cut() {
        let long = vec![b'x'; MAX_TEXT + 5];
        let mut data = long.clone();
        data.push(b'\n');
        let text = written(&[(Stream::Stdout, &data)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("stdout P xxx") && lines[0].len() == MAX_TEXT + 9);
        assert_eq!(lines[1], "stdout F xxxxx");
    }

    #[test]
    fn a_line_of_just_the_limit_is_whole() {
        let mut data = vec![b'x'; MAX_TEXT];
        data.extend_from_slice(b"\nnext\n");
        let text = written(&[(Stream::Stdout, &data)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("stdout F x"));
        assert_eq!(lines[1], "stdout F next");
    }
}
