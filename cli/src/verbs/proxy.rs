//! `windlass proxy`

use super::connect::plain;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::time::Duration;
use windlass_core::component::BoxError;

const DEADLINE: Duration = Duration::from_secs(10);

/// The service proxy of this node
#[derive(Args)]
#[command(after_help = "Examples:
  windlass proxy dump                  all Services, and the pods that NetworkPolicies isolate
  windlass proxy dump default/web      where packets to a Service go, and what its pods let in")]
pub(super) struct Proxy {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what is programmed, in words
    Dump {
        /// One Service [default: all]
        #[arg(value_name = "NAMESPACE/SERVICE", value_parser = full_name)]
        service: Option<String>,
        /// Where the proxy answers
        #[arg(long, default_value = "127.0.0.1:31080", value_name = "ADDR:PORT")]
        address: SocketAddr,
    },
}

impl Proxy {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let Verb::Dump { service, address } = self.verb;
        let path = service.map(|service| format!("/{service}")).unwrap_or_default();
        print!("{}", get(address, &format!("/dump{path}")).await?);
        Ok(())
    }
}

async fn get(address: SocketAddr, path: &str) -> Result<String, BoxError> {
    let mut config = kube::Config::new(format!("http://{address}").parse()?);
    (config.connect_timeout, config.read_timeout) = (Some(DEADLINE), Some(DEADLINE));
    let client = kube::Client::try_from(config)?;
    let request = http::Request::get(path).body(Vec::new())?;
    match client.request_text(request).await {
        Ok(text) => Ok(text),
        Err(error @ kube::Error::Api(_)) => Err(plain(error)),
        Err(error) => Err(format!(
            "no proxy answers at {address}: {error}. Is it another address? Then say --address"
        )
        .into()),
    }
}

fn full_name(text: &str) -> Result<String, String> {
    let name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    };
    match text.split_once('/') {
        Some((namespace, service)) if name(namespace) && name(service) => Ok(text.to_owned()),
        _ => Err("a namespace and a Service, as default/web".to_owned()),
    }
}
