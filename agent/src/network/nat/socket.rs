//! Hands a batch to the kernel.

use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};
use std::io;

const HEADER: usize = 16;
const ERROR: u16 = 2;

/// Sends a batch and reads the answer. The kernel works while the batch is sent, so the answer is
/// there when that returns.
pub(super) fn transact(batch: &[u8]) -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(NETFILTER),
    )?;
    sendto(&socket, batch, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut answered = false;
    loop {
        let length = match recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::AGAIN) if answered => return Ok(()),
            Err(rustix::io::Errno::AGAIN) => {
                return Err(io::Error::other("nf_tables did not answer"));
            }
            Err(e) => return Err(e.into()),
        };
        check(&buffer[..length])?;
        answered = true;
    }
}

fn check(mut rest: &[u8]) -> io::Result<()> {
    while let Some(header) = rest.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let body = rest.get(HEADER..length).unwrap_or_default();
        let code = body.first_chunk::<4>().map_or(0, |c| i32::from_ne_bytes(*c));
        if kind == ERROR && code != 0 {
            let error = io::Error::from_raw_os_error(-code);
            return Err(io::Error::new(error.kind(), format!("nf_tables: {error}")));
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}
