//! IPv4 networks.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network, `10.244.1.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    address: Ipv4Addr,
    prefix: u8,
}

/// It isn't a network.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not an IPv4 network (like 10.244.1.0/24)")]
pub struct NotACidr(String);

// === impl Cidr ===

impl Cidr {
    /// The network that has `address` and this length of prefix; more than 32 bits count as 32.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Self {
        let this = Self { address, prefix: prefix.min(32) };
        Self { address: this.first(), ..this }
    }

    /// The mask, as a number.
    pub fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// The first address.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask())
    }

    /// The last address.
    pub fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// Whether the address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.first().to_bits()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let read = || {
            let (address, prefix) = text.split_once('/')?;
            let prefix = prefix.parse().ok().filter(|p| *p <= 32)?;
            Some(Self::new(address.parse().ok()?, prefix))
        };
        read().ok_or_else(|| NotACidr(text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        let net: Cidr = "10.1.2.130/25".parse().unwrap();
        assert_eq!(net.to_string(), "10.1.2.128/25");
        assert_eq!(net.last(), Ipv4Addr::new(10, 1, 2, 255));
        assert!(net.contains(Ipv4Addr::new(10, 1, 2, 200)));
        assert!(!net.contains(Ipv4Addr::new(10, 1, 2, 127)));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains(Ipv4Addr::BROADCAST));
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "x/8", "fd00::/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
