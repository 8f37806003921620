//! The first process of a shared process namespace: reaps, until it is killed.

use nix::sys::signal::{SigSet, Signal};
use rustix::process::{WaitOptions, wait};
use std::io;

pub(super) fn run() -> io::Result<()> {
    rustix::process::setsid()?;
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGCHLD);
    wanted.thread_block()?;
    loop {
        wanted.wait()?;
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
}
