//! Who is who: the authority, the certificates it gives out, the way in for people.

use super::node::agent::API_SERVER;
use super::{Error, Options, ServiceAccountKeys};
use jiff::Timestamp;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_api::authentication::{MASTERS, TokenKeys};
use windlass_api::bootstrap::Authorities;
use windlass_api::pki::{self, Authority, KeyedCertificate};

/// Who signs service account tokens, and for whom they are meant when nobody is named.
pub(super) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The API server among front proxies.
pub(super) const FRONT_PROXY: &str = "front-proxy-client";

/// The authority and the keys of a cluster.
pub(super) struct Identity {
    pub(super) authority: Arc<Authority>,
    /// Signs for the server itself where it speaks for users, and for nobody else.
    pub(super) proxies: Arc<Authority>,
    pub(super) tokens: Arc<TokenKeys>,
    /// Its folder, if there is one.
    data_dir: Option<PathBuf>,
}

/// Makes a certificate that holds from a time on.
pub(super) trait Issue:
    Fn(Timestamp) -> pki::Result<KeyedCertificate> + Send + Sync + 'static
{
}

impl<F: Fn(Timestamp) -> pki::Result<KeyedCertificate> + Send + Sync + 'static> Issue for F {}

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
        let proxies = Arc::new(match &dir {
            Some(dir) => Authority::open(dir, "front-proxy-ca", now)?,
            None => Authority::ephemeral("front-proxy-ca", now)?,
        });
        let tokens = Arc::new(token_keys(&options.access.service_accounts, dir.as_deref())?);
        Ok(Self { authority, proxies, tokens, data_dir: options.data_dir.clone() })
    }

    /// The API server's certificate.
    pub(super) fn server(&self, addresses: &[IpAddr]) -> impl Issue + use<> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let names = names.into_iter().chain(["kubernetes.default.svc.cluster.local"]);
        let addresses = addresses.iter().chain([&IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let hosts: Vec<_> =
            names.map(str::to_owned).chain(addresses.map(IpAddr::to_string)).collect();
        let authority = self.authority.clone();
        move |now: Timestamp| authority.server("kube-apiserver", &hosts, now)
    }

    /// An agent's serving certificate.
    pub(super) fn agent(&self, name: &str, address: IpAddr) -> impl Issue + use<> {
        let (hosts, authority) = ([name.to_owned(), address.to_string()], self.authority.clone());
        let name = format!("system:node:{name}");
        move |now: Timestamp| authority.server(&name, &hosts, now)
    }

    /// The certificate by which the API server enters agents.
    pub(super) fn agent_client(&self) -> impl Issue + use<> {
        let authority = self.authority.clone();
        move |now: Timestamp| authority.client(API_SERVER, &[MASTERS], now)
    }

    /// The certificate by which the servers behind it know the API server.
    pub(super) fn front_proxy(&self) -> impl Issue + use<> {
        let proxies = self.proxies.clone();
        move |now: Timestamp| proxies.client(FRONT_PROXY, &[], now)
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

    /// Where `admin.kubeconfig` is, and what writes it: anew at each start, and when its certificate is renewed.
    pub(super) fn admin(&self, listen: SocketAddr) -> Option<(PathBuf, impl Issue + use<>)> {
        let path = self.data_dir.as_ref()?.join("admin.kubeconfig");
        let host = match listen.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let server = format!("https://{}", SocketAddr::new(host, listen.port()));
        let (authority, to) = (self.authority.clone(), path.clone());
        let write = move |now: Timestamp| {
            let admin = authority.client("kubernetes-admin", &[MASTERS], now)?;
            let own = authority.certificate();
            let text = pki::kubeconfig(&server, own, "kubernetes-admin", &admin);
            pki::write_private(&to, text.as_bytes())?;
            Ok(admin)
        };
        Some((path, write))
    }
}

/// The keys of service account tokens: those that are given, or one of the folder.
fn token_keys(given: &ServiceAccountKeys, dir: Option<&Path>) -> Result<TokenKeys, Error> {
    let (private, public) = match &given.signing {
        Some(private) => (private.clone(), pki::public_half(private)?),
        None => pki::token_key(dir)?,
    };
    let issuer = given.issuers.first().map_or(ISSUER, String::as_str);
    let mut keys = TokenKeys::new(issuer, &private, &public)?;
    for public in &given.accepted {
        keys = keys.accept(public)?;
    }
    keys = given.issuers.iter().skip(1).fold(keys, |keys, issuer| keys.accept_issuer(issuer));
    Ok(keys.for_audiences(given.own_audiences()))
}

/// Makes a folder that only its owner can enter; one that is there is closed to others.
pub(crate) fn make_private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mut permissions = std::fs::metadata(path)?.permissions();
    if permissions.mode() & 0o1000 != 0 {
        // /tmp and the like.
        return Err(std::io::Error::other(
            "others keep things there: it takes a folder of its own",
        ));
    }
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o700);
        std::fs::set_permissions(path, permissions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_closed_to_others() {
        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let own = root.path().join("a/b");
        make_private_dir(&own).unwrap();
        assert_eq!(mode(&own), 0o700);
        set(&own, 0o755);
        make_private_dir(&own).unwrap();
        assert_eq!(mode(&own), 0o700, "one that was there");
        set(&own, 0o1777);
        assert!(make_private_dir(&own).is_err());
        assert_eq!(mode(&own), 0o1777);
    }
}
