//! How an etcd cluster is reached.

use crate::Limits;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Where and how to reach the etcd cluster of an [`crate::Etcd`] store.
#[derive(Clone)]
pub struct EtcdOptions {
    /// URLs of its members' client ports, `https://ADDRESS:PORT` with TLS and `http://ADDRESS:PORT` without.
    /// Requests take turns on them, and leave out for a while one that does not answer.
    pub endpoints: Vec<String>,
    /// Certificates; needed for `https` endpoints.
    pub tls: Option<EtcdTls>,
    /// Name and password of etcd's own authentication. The user needs a role for all keys.
    pub user: Option<(String, String)>,
    /// How long a call may take. Reads are retried for so long.
    pub deadline: Duration,
    /// A connection with open calls is asked for a sign of life so often. etcd hangs up on those who ask more
    /// often than every five seconds.
    pub keep_alive: Duration,
    /// A connection that gives none for so long is given up.
    pub keep_alive_timeout: Duration,
    /// What is refused because it is too much. etcd has limits of its own besides.
    pub limits: Limits,
}

/// Certificates for an etcd cluster, as PEM. `Debug` does not show them.
#[derive(Clone)]
pub struct EtcdTls {
    /// Who may sign the members' certificates.
    pub ca: Vec<u8>,
    /// The client's certificate and its private key, when the cluster asks for one.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

// === impl EtcdOptions ===

impl EtcdOptions {
    /// The defaults: no TLS, no user, ten seconds for a call, values of at most 1.5 MiB.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            tls: None,
            user: None,
            deadline: Duration::from_secs(10),
            keep_alive: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(5),
            limits: Limits { value_bytes: 3 << 19, ..Limits::default() },
        }
    }
}

impl fmt::Debug for EtcdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdOptions")
            .field("endpoints", &self.endpoints)
            .field("tls", &self.tls)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("deadline", &self.deadline)
            .field("keep_alive", &self.keep_alive)
            .field("keep_alive_timeout", &self.keep_alive_timeout)
            .field("limits", &self.limits)
            .finish()
    }
}

// === impl EtcdTls ===

impl EtcdTls {
    /// Reads the certificates from PEM files.
    ///
    /// # Errors
    /// The first file that can't be read, with its name.
    pub fn from_files(ca: &Path, identity: Option<(&Path, &Path)>) -> io::Result<Self> {
        let identity = match identity {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        Ok(Self { ca: read(ca)?, identity })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdTls")
            .field("identity", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}
