//! Which servers an image is asked of: the registry it names, and before that its mirrors.
//!
//! `hosts` reads what a folder says of them (containerd's `hosts.toml`); `source` asks one after the other.

mod hosts;
mod source;

pub(crate) use source::{Found, Source};

use super::Credentials;
use crate::runtime::{Error, Result};
use hosts::Host;
use oci_client::Reference;
use std::path::{Path, PathBuf};

/// What is said of registries in a folder, as containerd's `config_path` has it:
///
/// ```text
/// <folder>/docker.io/hosts.toml
/// <folder>/registry.example_5000_/hosts.toml     of registry.example:5000; or with the colon itself
/// <folder>/_default/hosts.toml                   of all others
/// ```
/// ```toml
/// server = "https://registry-1.docker.io"        # asked last; the registry itself when left out
/// [host."https://mirror.example"]                # asked before, in this order
/// capabilities = ["pull", "resolve"]
/// ca = "/etc/certs/mirror.pem"
/// skip_verify = false
/// [host."https://mirror.example".header]
/// authorization = "Basic bWU6c2VjcmV0"
/// ```
/// Files are read anew for each pull. Credentials of a pod are for the registry alone, and never go to mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    folder: Option<PathBuf>,
}

// === impl Registries ===

impl Registries {
    /// Those that a folder describes. It may be missing: then images come from where their names say.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    /// Where an image comes from.
    ///
    /// # Errors
    /// When a file can't be read or understood, or says what can't be done.
    pub(crate) async fn source(
        &self,
        image: &Reference,
        auth: Option<Credentials>,
    ) -> Result<Source> {
        let (folder, registry) = (self.folder.clone(), image.registry().to_owned());
        let read = move || match folder {
            Some(folder) => read(&folder, &registry),
            None => Ok(Vec::new()),
        };
        let hosts = tokio::task::spawn_blocking(read).await;
        let mut hosts = hosts.map_err(|e| Error::Failed(format!("registries: {e}")))??;
        if hosts.is_empty() {
            hosts.push(Host::server(image.resolve_registry()));
        }
        Source::new(image, hosts, auth)
    }
}

/// The hosts that the first file that is there names, the server itself last.
fn read(folder: &Path, registry: &str) -> Result<Vec<Host>> {
    for name in names(registry) {
        let folder = folder.join(name);
        let path = folder.join("hosts.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                return hosts::parse(&text, registry, &folder)
                    .map_err(|why| Error::Invalid(format!("{}: {why}", path.display())));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { context: path.display().to_string(), source }),
        }
    }
    Ok(Vec::new())
}

/// The names of a registry's folder, the first that is there counts.
fn names(registry: &str) -> Vec<String> {
    let with_port = registry.rsplit_once(':').map(|(host, port)| format!("{host}_{port}_"));
    with_port.into_iter().chain([registry.to_owned(), "_default".to_owned()]).collect()
}

/// A registry on the loopback address is spoken to without TLS, as other runtimes do.
fn is_local(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback())
}

#[cfg(test)]
mod tests;
