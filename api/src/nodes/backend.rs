//! Where a connection goes.

use std::net::IpAddr;

/// A port of some machine, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) reach: Reach,
}

/// How both sides prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// They don't.
    Plain,
    /// Both by certificates of the cluster's authority.
    Agent,
    /// They don't, but what they say is encrypted.
    Unverified,
}

/// Which addresses may be dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All.
    Anywhere,
    /// None of the server's own machine or link: a user who chooses where to go must not get behind them.
    Routable,
}

// === impl Backend ===

impl Backend {
    /// `host:port`, as it stands in a URL.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

// === impl Reach ===

impl Reach {
    pub(crate) fn allows(self, address: IpAddr) -> bool {
        self == Self::Anywhere || is_routable(address.to_canonical())
    }
}

fn is_routable(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}
