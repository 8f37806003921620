//! How an agent enters the cluster: by a kubeconfig, which a bootstrap token gets it when there is none; its certificate is
//! renewed while it runs.

use super::certificates::{For, NodeCertificate, ask};
use base64::prelude::{BASE64_STANDARD, Engine};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceBuilder;
use windlass_api::pki::{self, CertificateResolver, KeyedCertificate, renew_at};
use windlass_core::client::Client;
use windlass_core::client::remote::RemoteClient;
use windlass_core::clock::Clock;
use windlass_core::component::BoxError;

/// A connection on which nothing comes is asked whether the other side is there after so long.
const ALIVE: Duration = Duration::from_secs(30);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes `kubeconfig` when it is not there, by the credentials of another.
pub(super) async fn bootstrap(kubeconfig: &Path, by: &Path, node: &str) -> Result<(), BoxError> {
    if kubeconfig.exists() {
        return Ok(());
    }
    let client = RemoteClient::from_kubeconfig(by).await?;
    let own = ask(&client, node, &For::Client).await?;
    let (server, authority) = cluster(by)?;
    write(kubeconfig, &server, &authority, node, &own)
}

/// A client that shows the certificate of a kubeconfig, and what renews it; without one in it, a plain client.
pub(super) async fn connect(
    path: &Path,
    node: &str,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<dyn Client>, Option<NodeCertificate>), BoxError> {
    let named = |error: &dyn std::fmt::Display| format!("kubeconfig {}: {error}", path.display());
    let file = Kubeconfig::read_from(path).map_err(|error| named(&error))?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    let config = config.map_err(|error| named(&error))?;
    let Some(own) = embedded(&parse(path)?)? else {
        return Ok((Arc::new(RemoteClient::from_kubeconfig(path).await?), None));
    };
    let due = renew_at(&own.certificate)?;
    let shown = CertificateResolver::new(&own)?;
    let client: Arc<dyn Client> = Arc::new(RemoteClient::new(rotating(&config, &shown)?));
    let (server, authority) = cluster(path)?;
    let (path, name) = (path.to_owned(), node.to_owned());
    let keep = move |own: &KeyedCertificate| write(&path, &server, &authority, &name, own);
    let certificate = NodeCertificate {
        node: node.to_owned(),
        what: For::Client,
        client: client.clone(),
        clock,
        shown,
        due: Some(due),
        keep: Box::new(keep),
    };
    Ok((client, Some(certificate)))
}

/// The certificate and key that stand in a kubeconfig itself.
fn embedded(file: &Value) -> Result<Option<KeyedCertificate>, BoxError> {
    let user = &current(file, "users", "user");
    let (certificate, key) = (&user["client-certificate-data"], &user["client-key-data"]);
    match (certificate.as_str(), key.as_str()) {
        (Some(certificate), Some(key)) => {
            Ok(Some(KeyedCertificate { certificate: decoded(certificate)?, key: decoded(key)? }))
        }
        _ => Ok(None),
    }
}

/// The cluster or user of the current context.
fn current(file: &Value, list: &str, kind: &str) -> Value {
    let find = |list: &str, name: &Value| {
        let all = file[list].as_array().into_iter().flatten();
        all.into_iter().find(|one| one["name"] == *name).cloned().unwrap_or_default()
    };
    let context = find("contexts", &file["current-context"]);
    find(list, &context["context"][kind])[kind].clone()
}

fn parse(path: &Path) -> Result<Value, BoxError> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    Ok(yaml_serde::from_str(&text).map_err(|error| named(&error))?)
}

fn decoded(text: &str) -> Result<String, BoxError> {
    Ok(String::from_utf8(BASE64_STANDARD.decode(text)?)?)
}

/// A client whose certificate can be replaced.
fn rotating(config: &kube::Config, own: &CertificateResolver) -> Result<kube::Client, BoxError> {
    let mut tls = config.rustls_client_config()?;
    tls.client_auth_cert_resolver = own.for_clients();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // A server that is gone without a word is noticed: watches have no end of their own.
    tcp.set_keepalive(Some(ALIVE));
    tcp.set_connect_timeout(Some(CONNECT));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .wrap_connector(tcp);
    let http = Http::builder(TokioExecutor::new()).build(https);
    let service =
        ServiceBuilder::new().layer(config.base_uri_layer()).map_err(BoxError::from).service(http);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

/// Address and authority (PEM) of the cluster of a kubeconfig's current context.
fn cluster(path: &Path) -> Result<(String, String), BoxError> {
    let cluster = current(&parse(path)?, "clusters", "cluster");
    let text = |field: &str| cluster[field].as_str();
    let server = text("server").ok_or_else(|| format!("{} names no server", path.display()))?;
    let authority = match (text("certificate-authority-data"), text("certificate-authority")) {
        (Some(data), _) => decoded(data)?,
        (None, Some(file)) => {
            // Relative to the kubeconfig, as kubectl has it.
            let file = path.parent().unwrap_or(Path::new("")).join(file);
            std::fs::read_to_string(&file)
                .map_err(|error| format!("{}: {error}", file.display()))?
        }
        (None, None) => return Err(format!("{} names no authority", path.display()).into()),
    };
    Ok((server.to_owned(), authority))
}

fn write(
    path: &Path,
    server: &str,
    authority: &str,
    node: &str,
    own: &KeyedCertificate,
) -> Result<(), BoxError> {
    let text = pki::kubeconfig(server, authority, &format!("system:node:{node}"), own);
    Ok(pki::write_private(path, text.as_bytes())?)
}
