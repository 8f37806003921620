//! Which pod has which address.

use super::Cidr;
use crate::images::store::write_atomically;
use crate::network::nat::HostPort;
use crate::runtime::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Addresses in use, kept in a file.
pub(super) struct Addresses {
    path: PathBuf,
    cidr: Cidr,
    kept: Kept,
}

/// What one pod has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) address: Ipv4Addr,
    pub(super) ports: Vec<HostPort>,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    leases: BTreeMap<String, Lease>,
    /// The address given last: the next one is looked for behind it, so that one given back rests.
    last: Option<Ipv4Addr>,
}

// === impl Addresses ===

impl Addresses {
    pub(super) fn open(folder: &Path, cidr: Cidr) -> Result<Self> {
        let path = folder.join("addresses.json");
        let io_error = |source| Error::Io { context: path.display().to_string(), source };
        std::fs::create_dir_all(folder).map_err(io_error)?;
        let kept = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| Error::Failed(format!("{}: {e}", path.display())))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(e) => return Err(io_error(e)),
        };
        Ok(Self { path, cidr, kept })
    }

    /// The pod's lease; a new one when it has none.
    pub(super) fn take(&mut self, pod: &str, mut ports: Vec<HostPort>) -> Result<Lease> {
        if let Some(lease) = self.kept.leases.get(pod) {
            return Ok(lease.clone());
        }
        if let Some(port) = ports.iter().find(|p| self.is_taken(p)) {
            return Err(Error::Failed(format!(
                "port {} of the node is in use by another pod",
                port.host_port
            )));
        }
        let address = self.free()?;
        ports.iter_mut().for_each(|p| p.pod = address);
        let lease = Lease { address, ports };
        self.kept.leases.insert(pod.to_string(), lease.clone());
        self.kept.last = Some(address);
        self.save()?;
        Ok(lease)
    }

    /// Takes a pod's lease back; `None` when it has none.
    pub(super) fn give_back(&mut self, pod: &str) -> Result<Option<Lease>> {
        let lease = self.kept.leases.remove(pod);
        if lease.is_some() {
            self.save()?;
        }
        Ok(lease)
    }

    /// All node ports in use.
    pub(super) fn ports(&self) -> Vec<HostPort> {
        self.kept.leases.values().flat_map(|l| l.ports.clone()).collect()
    }

    fn is_taken(&self, port: &HostPort) -> bool {
        let clash = |other: &HostPort| {
            other.host_port == port.host_port
                && other.protocol == port.protocol
                && (other.host_ip.is_none()
                    || port.host_ip.is_none()
                    || other.host_ip == port.host_ip)
        };
        self.kept.leases.values().any(|l| l.ports.iter().any(clash))
    }

    /// The next address that is free. The first one of the network, its number, and the last, its broadcast, are left out.
    fn free(&self) -> Result<Ipv4Addr> {
        let used: BTreeSet<u32> = self.kept.leases.values().map(|l| l.address.to_bits()).collect();
        let (first, last) =
            (self.cidr.first().to_bits() + 1, self.cidr.last().to_bits().saturating_sub(1));
        let after = self.kept.last.map_or(first, |l| l.to_bits() + 1).clamp(first, last.max(first));
        let mut candidates = (after..=last).chain(first..after);
        candidates
            .find(|a| !used.contains(a) && *a <= last)
            .map(Ipv4Addr::from_bits)
            .ok_or_else(|| Error::Failed(format!("no address of {} is free", self.cidr)))
    }

    fn save(&self) -> Result<()> {
        let bytes = serde_json::to_vec(&self.kept)
            .map_err(|e| Error::Failed(format!("{}: {e}", self.path.display())))?;
        write_atomically(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Addresses {
        Addresses::open(folder, "10.9.0.0/29".parse().unwrap()).unwrap()
    }

    #[test]
    fn addresses_rest_and_come_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut all = open(dir.path());
        let first = all.take("a", vec![]).unwrap().address;
        assert_eq!(first, Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(all.take("a", vec![]).unwrap().address, first, "the same pod, the same address");
        all.give_back("a").unwrap();
        assert_ne!(all.take("b", vec![]).unwrap().address, first);
        for pod in ["c", "d", "e", "f"] {
            all.take(pod, vec![]).unwrap();
        }
        assert_eq!(all.take("g", vec![]).unwrap().address, first);
        assert!(all.take("h", vec![]).is_err(), "six addresses, six pods");
    }

    #[test]
    fn a_restart_remembers() {
        let dir = tempfile::tempdir().unwrap();
        let before = open(dir.path()).take("a", vec![]).unwrap();
        let mut all = open(dir.path());
        assert_ne!(all.take("b", vec![]).unwrap().address, before.address);
        assert_eq!(all.take("a", vec![]).unwrap(), before);
    }

    #[test]
    fn a_port_is_given_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut all = open(dir.path());
        let port = HostPort {
            host_ip: None,
            host_port: 80,
            protocol: 6,
            pod: Ipv4Addr::UNSPECIFIED,
            pod_port: 8080,
        };
        let lease = all.take("a", vec![port.clone()]).unwrap();
        assert_eq!(lease.ports[0].pod, lease.address);
        assert!(all.take("b", vec![port.clone()]).is_err());
        let udp = HostPort { protocol: 17, ..port };
        assert!(all.take("b", vec![udp]).is_ok());
    }
}
