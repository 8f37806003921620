//! Which servers are asked for which names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use hickory_proto::rr::Name;
use parking_lot::Mutex;
use windlass_core::component::BoxError;

/// The port of DNS.
const PORT: u16 = 53;

/// Whom names outside the cluster are asked of.
#[derive(Debug)]
pub struct Forward {
    /// Asked for what no stub domain has.
    pub servers: Servers,
    /// Domains with servers of their own; the most specific counts.
    pub stubs: Vec<(Name, Vec<SocketAddr>)>,
}

/// Where servers are known from.
#[derive(Debug)]
pub enum Servers {
    /// These.
    Fixed(Vec<SocketAddr>),
    /// Those that a file in the format of `resolv.conf(5)` names; it is read again when it changed.
    File(ResolvConf),
}

/// A `resolv.conf` file.
#[derive(Debug)]
pub struct ResolvConf {
    path: PathBuf,
    read: Mutex<(Option<SystemTime>, Vec<SocketAddr>)>,
}

// === impl Forward ===

impl Default for Forward {
    fn default() -> Self {
        Self { servers: Servers::file("/etc/resolv.conf"), stubs: Vec::new() }
    }
}

impl Forward {
    /// Adds a stub domain: `example.org=192.0.2.1,192.0.2.2`.
    ///
    /// # Errors
    /// When the text is not such.
    pub fn add_stub(&mut self, text: &str) -> Result<(), BoxError> {
        let wrong =
            || format!("{text:?} is no stub domain such as example.org=192.0.2.1,192.0.2.2");
        let (domain, servers) = text.split_once('=').ok_or_else(wrong)?;
        let mut domain = Name::from_ascii(domain).map_err(|_| wrong())?;
        domain.set_fqdn(true);
        let servers = servers.split(',').map(|server| server.trim().parse::<IpAddr>());
        let servers: Vec<_> = servers.collect::<Result<_, _>>().map_err(|_| wrong())?;
        let servers = servers.into_iter().map(|server| SocketAddr::new(server, PORT)).collect();
        self.stubs.push((domain, servers));
        Ok(())
    }

    pub(super) async fn servers_for(&self, name: &Name) -> Vec<SocketAddr> {
        let stubs = self.stubs.iter().filter(|(domain, _)| domain.zone_of(name));
        if let Some((_, servers)) = stubs.max_by_key(|(domain, _)| domain.num_labels()) {
            return servers.clone();
        }
        match &self.servers {
            Servers::Fixed(servers) => servers.clone(),
            Servers::File(file) => file.servers().await,
        }
    }
}

// === impl Servers ===

impl Servers {
    /// The servers of a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(ResolvConf { path: path.into(), read: Mutex::default() })
    }
}

// === impl ResolvConf ===

impl ResolvConf {
    async fn servers(&self) -> Vec<SocketAddr> {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, path = %self.path.display(), "name servers can't be read");
        }
        self.read.lock().1.clone()
    }

    async fn refresh(&self) -> io::Result<()> {
        let modified = tokio::fs::metadata(&self.path).await?.modified()?;
        if self.read.lock().0 == Some(modified) {
            return Ok(());
        }
        let text = tokio::fs::read_to_string(&self.path).await?;
        *self.read.lock() = (Some(modified), parse(&text));
        Ok(())
    }
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = (words.next()? == "nameserver").then(|| words.next())??;
        address.parse::<IpAddr>().ok()
    });
    addresses.map(|address| SocketAddr::new(address, PORT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stub_domains_come_first() {
        let [all, corp, lab] = [1, 2, 3].map(|n| SocketAddr::from(([192, 0, 2, n], 53)));
        let domain = |name: &str| Name::from_ascii(name).unwrap();
        let forward = Forward {
            servers: Servers::Fixed(vec![all]),
            stubs: vec![(domain("corp."), vec![corp]), (domain("lab.corp."), vec![lab])],
        };
        for (name, server) in
            [("example.org.", all), ("db.corp.", corp), ("x.lab.corp.", lab), ("xcorp.", all)]
        {
            assert_eq!(forward.servers_for(&domain(name)).await, [server], "{name}");
        }
    }

    #[tokio::test]
    async fn stub_domains_can_be_written_down() {
        let mut forward = Forward::default();
        forward.add_stub("corp.example=192.0.2.1, 2001:db8::1").unwrap();
        let name = Name::from_ascii("db.corp.example.").unwrap();
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53"].map(|text| text.parse().unwrap());
        assert_eq!(forward.servers_for(&name).await, expected);
        for wrong in ["corp.example", "corp.example=", "corp.example=dns", "a..b=192.0.2.1"] {
            assert!(forward.add_stub(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_again_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let forward = Forward { servers: Servers::file(&path), stubs: Vec::new() };
        let name = Name::from_ascii("example.org.").unwrap();
        assert!(forward.servers_for(&name).await.is_empty(), "a file that is not there");
        for (number, text) in
            ["# none\nnameserver 192.0.2.1\n", "nameserver 2001:db8::1 # x\nsearch a b"]
                .iter()
                .enumerate()
        {
            std::fs::write(&path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            assert_eq!(forward.servers_for(&name).await.len(), 1, "{text}");
        }
        assert_eq!(
            forward.servers_for(&name).await,
            [SocketAddr::new("2001:db8::1".parse().unwrap(), 53)]
        );
    }
}
