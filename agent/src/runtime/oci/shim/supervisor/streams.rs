//! What flows between the container and those who are attached to it.

use super::Supervisor;
use crate::runtime::oci::shim::clients::Role;
use crate::runtime::oci::shim::log::Stream;
use jiff::Timestamp;
use rustix::event::PollFlags;
use rustix::termios::{Winsize, tcsetwinsize};

impl Supervisor {
    /// Takes what the streams still hold.
    pub(super) fn drain(&mut self) {
        for n in 0..self.main.outputs.len() {
            while self.read_one(n).is_some_and(|n| n > 0) {}
        }
        while self.main.terminal.is_some() && self.read_master().is_some_and(|n| n > 0) {}
        self.main.outputs.clear();
        self.main.terminal = None;
        self.main.stdin = None;
        self.input.clear();
    }

    pub(super) fn read_output(&mut self, n: usize) {
        if self.read_one(n) == Some(0) {
            // Its place stays, so that the others of this round keep their numbers.
            self.main.outputs[n].1 = None;
        }
    }

    /// Reads a stream once: `None` when there is nothing now.
    fn read_one(&mut self, n: usize) -> Option<usize> {
        let (stream, fd) = self.main.outputs.get(n)?;
        let (stream, fd) = (*stream, fd.as_ref()?);
        let got = match rustix::io::read(fd, &mut self.chunk[..]) {
            Ok(got) => got,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            Err(_) => 0,
        };
        self.publish(stream, got);
        Some(got)
    }

    pub(super) fn read_terminal(&mut self) {
        if self.main.terminal.is_some() && self.read_master() == Some(0) {
            self.main.terminal = None;
        }
    }

    fn read_master(&mut self) -> Option<usize> {
        let fd = self.main.terminal.as_ref()?;
        let got = match rustix::io::read(fd, &mut self.chunk[..]) {
            Ok(got) => got,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            // A terminal nobody has open any more says EIO.
            Err(_) => 0,
        };
        self.publish(Stream::Stdout, got);
        Some(got)
    }

    fn publish(&mut self, stream: Stream, length: usize) {
        let data = &self.chunk[..length];
        if data.is_empty() {
            return;
        }
        self.log.append(stream, data, Timestamp::now());
        for client in &mut self.clients {
            let Role::Attach(attached) = &mut client.role else { continue };
            attached.outputs.retain_mut(|o| o.stream != stream || o.push(data));
        }
    }

    pub(super) fn write_input(&mut self) {
        let Some(fd) = self.main.terminal.as_ref().or(self.main.stdin.as_ref()) else {
            self.input.clear();
            return;
        };
        let written =
            if self.input.is_empty() { Ok(0) } else { rustix::io::write(fd, &self.input) };
        match written {
            Ok(n) => drop(self.input.drain(..n)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => {
                self.input.clear();
                self.main.stdin = None;
            }
        }
        if self.input_ends && self.input.is_empty() {
            self.main.stdin = None;
        }
    }

    pub(super) fn read_attached(&mut self, n: usize) {
        let Role::Attach(attached) = &mut self.clients[n].role else { return };
        let Some(fd) = &attached.stdin else { return };
        match rustix::io::read(fd, &mut self.chunk[..]) {
            Ok(0) => {
                attached.stdin = None;
                self.end_input();
            }
            Ok(got) => {
                self.input.extend_from_slice(&self.chunk[..got]);
                self.write_input();
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => attached.stdin = None,
        }
    }

    /// The first session that gave input has ended: the container's input ends with what waits.
    pub(super) fn end_input(&mut self) {
        self.input_ends |= self.launch.stdin_once;
        self.write_input();
    }

    pub(super) fn flush_attached(&mut self, n: usize, m: usize, flags: PollFlags) {
        let Role::Attach(attached) = &mut self.clients[n].role else { return };
        let Some(output) = attached.outputs.get_mut(m) else { return };
        if flags.contains(PollFlags::ERR) || !output.push(&[]) {
            output.pending.clear();
            attached.outputs.remove(m);
        }
    }

    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        if let Some(Err(e)) = self.main.terminal.as_ref().map(|t| tcsetwinsize(t, size)) {
            eprintln!("oci-shim: resize: {e}");
        }
    }
}
