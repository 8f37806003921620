//! The cluster DNS address, made this node's own.

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;

use rtnetlink::{Handle, new_connection};

/// An address on the loopback interface, for as long as this lives; packets of pods reach it as they reach
/// any address of their node.
#[derive(Debug)]
pub(super) struct LocalAddress {
    address: IpAddr,
}

// === impl LocalAddress ===

impl LocalAddress {
    /// Puts it there, unless it is there from an earlier run. Whether it could be bound tells nothing: where
    /// `ip_nonlocal_bind` is set, any address can.
    ///
    /// # Errors
    /// When the process may not change interfaces.
    pub(super) async fn take(address: IpAddr) -> io::Result<Self> {
        let added = change(async |handle, loopback| {
            let prefix = if address.is_ipv4() { 32 } else { 128 };
            handle.address().add(loopback, address, prefix).execute().await
        });
        match added.await {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Self { address }),
        }
    }

    /// Takes it away again, also one that an earlier run left.
    ///
    /// # Errors
    /// As [`LocalAddress::take`].
    pub(super) async fn give_back(self) -> io::Result<()> {
        change(async |handle, loopback| {
            use futures::TryStreamExt;
            let filter = handle.address().get().set_address_filter(self.address);
            let mut found = filter.set_link_index_filter(loopback).execute();
            while let Some(address) = found.try_next().await? {
                handle.address().del(address).execute().await?;
            }
            Ok(())
        })
        .await
    }
}

async fn change(
    work: impl AsyncFnOnce(&Handle, u32) -> Result<(), rtnetlink::Error>,
) -> io::Result<()> {
    let (connection, handle, _) = new_connection()?;
    let connection = tokio::spawn(connection);
    // The loopback interface is the first of every network namespace.
    let done = work(&handle, 1).await;
    connection.abort();
    done.map_err(|error| match &error {
        rtnetlink::Error::NetlinkError(answer) => io::Error::from_raw_os_error(-answer.raw_code()),
        _ => io::Error::other(error),
    })
}
