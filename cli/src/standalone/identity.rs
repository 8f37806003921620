//! Who is who: the authority, the certificates it gives out, the way in for people.

use super::node::agent::API_SERVER;
use super::{Error, Options};
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_api::authentication::{MASTERS, TokenKeys};
use windlass_api::bootstrap::Authorities;
use windlass_api::pki::{self, Authority, KeyedCertificate};

/// Who signs service account tokens, and for whom they are meant when nobody is named.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The API server among front proxies.
pub(super) const FRONT_PROXY: &str = "front-proxy-client";

/// The authority and the keys of a cluster.
pub(super) struct Identity {
    pub(super) authority: Arc<Authority>,
    /// Signs for the server itself where it speaks for users, and for nobody else.
    pub(super) proxies: Authority,
    pub(super) tokens: Arc<TokenKeys>,
    /// Its folder, if there is one.
    data_dir: Option<PathBuf>,
    now: Timestamp,
}

impl Identity {
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        let now = options.env.clock.now();
        let dir = options.data_dir.as_ref().map(|dir| dir.join("pki"));
        if let Some(path) = &dir {
            make_private_dir(path)
                .map_err(|source| Error::DataDir { path: path.clone(), source })?;
        }
        let authority = Arc::new(match &dir {
            Some(dir) => Authority::open(dir, "ca", now)?,
            None => Authority::ephemeral("windlass-ca", now)?,
        });
        let proxies = match &dir {
            Some(dir) => Authority::open(dir, "front-proxy-ca", now)?,
            None => Authority::ephemeral("front-proxy-ca", now)?,
        };
        let (private, public) = pki::token_key(dir.as_deref())?;
        let tokens = Arc::new(TokenKeys::new(ISSUER, &private, &public)?);
        Ok(Self { authority, proxies, tokens, data_dir: options.data_dir.clone(), now })
    }

    /// The API server's certificate.
    pub(super) fn server(&self, addresses: &[IpAddr]) -> Result<KeyedCertificate, Error> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let names = names.into_iter().chain(["kubernetes.default.svc.cluster.local"]);
        let addresses = addresses.iter().chain([&IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let hosts: Vec<_> =
            names.map(str::to_owned).chain(addresses.map(IpAddr::to_string)).collect();
        Ok(self.authority.server("kube-apiserver", &hosts, self.now)?)
    }

    /// An agent's serving certificate.
    pub(super) fn agent(&self, name: &str, address: IpAddr) -> Result<KeyedCertificate, Error> {
        let hosts = [name.to_owned(), address.to_string()];
        Ok(self.authority.server(&format!("system:node:{name}"), &hosts, self.now)?)
    }

    /// The certificate by which the API server enters agents.
    pub(super) fn agent_client(&self) -> Result<KeyedCertificate, Error> {
        Ok(self.authority.client(API_SERVER, &[MASTERS], self.now)?)
    }

    /// The certificate by which the servers behind it know the API server.
    pub(super) fn front_proxy(&self) -> Result<KeyedCertificate, Error> {
        Ok(self.proxies.client(FRONT_PROXY, &[], self.now)?)
    }

    /// By which authorities users and front proxies are recognized.
    pub(super) fn authorities(&self) -> Authorities<'_> {
        let (clients, proxies) = (self.authority.certificate(), self.proxies.certificate());
        Authorities { clients, proxies, proxy: FRONT_PROXY }
    }

    /// Both of them (PEM): whose certificates the server takes.
    pub(super) fn trusted(&self) -> String {
        format!("{}{}", self.authority.certificate(), self.proxies.certificate())
    }

    /// Writes `admin.kubeconfig`, anew at each start: its certificate never runs out.
    pub(super) fn write_kubeconfig(&self, listen: SocketAddr) -> Result<Option<PathBuf>, Error> {
        let Some(dir) = &self.data_dir else { return Ok(None) };
        let host = match listen.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let server = format!("https://{}", SocketAddr::new(host, listen.port()));
        let admin = self.authority.client("kubernetes-admin", &[MASTERS], self.now)?;
        let text =
            pki::kubeconfig(&server, self.authority.certificate(), "kubernetes-admin", &admin);
        let path = dir.join("admin.kubeconfig");
        pki::write_private(&path, text.as_bytes())?;
        Ok(Some(path))
    }
}

/// Makes a folder that only its owner can enter.
pub(super) fn make_private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
