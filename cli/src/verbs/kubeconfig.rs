//! `windlass kubeconfig`

use crate::standalone::DATA_DIR;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_api::pki::{self, Authority, KeyedCertificate};
use windlass_core::clock::Env;
use windlass_core::component::BoxError;
use windlass_core::meta::parse_duration;

/// Make a kubeconfig for a person: a client certificate of the cluster's authority
///
/// Whoever has it is the user, in all of the groups, until the certificate ends: it can't be called back before. What he
/// may do is said by role bindings.
#[derive(Args)]
#[command(after_help = "Examples:
  windlass kubeconfig --user ann --group devs --group ops -o ann.kubeconfig
  windlass kubeconfig --user ci --duration 1h --server https://10.0.0.5:6443")]
pub(super) struct KubeconfigFor {
    /// Who it is for
    #[arg(long, value_name = "NAME")]
    user: String,
    /// A group he is of; may be given several times
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// How long it holds
    #[arg(long, default_value = "8760h0m0s", value_name = "DURATION", value_parser = parse_duration)]
    duration: Duration,
    /// Where the cluster keeps its data
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// The API server's address [default: that of admin.kubeconfig]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Where it is written, for its owner only [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl KubeconfigFor {
    pub(super) fn run(&self) -> Result<(), BoxError> {
        let text = self.make(Env::system().clock.now())?;
        match &self.output {
            Some(path) => pki::write_private(path, text.as_bytes())?,
            None => print!("{text}"),
        }
        Ok(())
    }

    fn make(&self, now: Timestamp) -> Result<String, BoxError> {
        if self.user.is_empty() || self.group.iter().any(String::is_empty) {
            return Err("names of users and groups are not empty".into());
        }
        let folder = self.data_dir.join("pki");
        // Never makes an authority: one that no server knows helps nobody.
        let pem = KeyedCertificate {
            certificate: read(&folder.join("ca.crt"))?,
            key: read(&folder.join("ca.key"))?,
        };
        let authority = Authority::from_pem("ca", pem)?;
        let server = self.server.clone().map_or_else(|| self.server_of_admin(), Ok)?;
        let until = now + SignedDuration::try_from(self.duration)?;
        let groups: Vec<&str> = self.group.iter().map(String::as_str).collect();
        let own = authority.client_until(&self.user, &groups, (now, until))?;
        Ok(pki::kubeconfig(&server, authority.certificate(), &self.user, &own))
    }

    fn server_of_admin(&self) -> Result<String, BoxError> {
        let path = self.data_dir.join("admin.kubeconfig");
        let config = kube::config::Kubeconfig::read_from(&path)
            .map_err(|error| format!("{error}. Name the server with --server"))?;
        let cluster = config.clusters.into_iter().find_map(|one| one.cluster?.server);
        cluster.ok_or_else(|| format!("{} names no server", path.display()).into())
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| {
        format!("{}: {error}. Name the cluster's folder with --data-dir", path.display())
    })
}
