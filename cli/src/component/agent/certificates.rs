//! An agent's certificates through CertificateSigningRequests: the first by a bootstrap token, the next by the one before
//! (reference: "TLS bootstrapping").

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine};
use futures::StreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::pki::{
    CertificateResolver, KeyedCertificate, RequestFor, certificate_request, renew_at, write_private,
};
use windlass_core::client::{Client, ClientExt, Key, ListOptions, Scope, WatchEvent};
use windlass_core::clock::Clock;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::{Object, scheme};

const CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const SERVING: &str = "kubernetes.io/kubelet-serving";
/// After a refusal it is asked again after so long.
const AGAIN: Duration = Duration::from_secs(600);
/// A machine that slept has timers that are behind its clock.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What a certificate is for.
#[derive(Clone)]
pub(super) enum For {
    /// To enter the API server.
    Client,
    /// To be known by at these.
    Serving { name: String, address: IpAddr },
}

/// Keeps a certificate for the next start.
pub(super) type Keep = Box<dyn Fn(&KeyedCertificate) -> Result<(), BoxError> + Send + Sync>;

/// A certificate of a node that is asked for again before it ends.
pub(super) struct NodeCertificate {
    pub(super) node: String,
    pub(super) what: For,
    pub(super) client: Arc<dyn Client>,
    pub(super) clock: Arc<dyn Clock>,
    /// Shows it.
    pub(super) shown: CertificateResolver,
    /// When it is to be replaced; at once when `None`.
    pub(super) due: Option<Timestamp>,
    /// Keeps it.
    pub(super) keep: Keep,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CsrView {
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    certificate: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

/// Asks for a certificate and waits until it is signed: for a person's approval, if need be.
pub(super) async fn ask(
    client: &dyn Client,
    node: &str,
    what: &For,
) -> Result<KeyedCertificate, BoxError> {
    let user = format!("system:node:{node}");
    let (names, addresses) = match what {
        For::Client => (vec![], vec![]),
        For::Serving { name, address } => (vec![name.clone()], vec![*address]),
    };
    let (signer, purpose) = match what {
        For::Client => (CLIENT, "client auth"),
        For::Serving { .. } => (SERVING, "server auth"),
    };
    let wanted =
        RequestFor { user: &user, group: "system:nodes", names: &names, addresses: &addresses };
    let (key, request) = certificate_request(wanted)?;
    let csr = json!({"metadata": {"generateName": "csr-"}, "spec": {
        "request": BASE64_STANDARD.encode(request), "signerName": signer,
        "usages": ["digital signature", purpose]}});
    let at = Key::cluster(scheme::CERTIFICATESIGNINGREQUESTS, "");
    let made = client.create_from(&at, &csr).await?;
    tracing::info!(name = made.name(), signer, "asked for a certificate");
    let certificate = signed(client, &made).await?;
    Ok(KeyedCertificate { certificate, key })
}

/// The certificate, once it is there.
async fn signed(client: &dyn Client, request: &Object) -> Result<String, BoxError> {
    let scope = Scope::all(scheme::CERTIFICATESIGNINGREQUESTS);
    loop {
        let options = ListOptions {
            field_selector: format!("metadata.name={}", request.name()),
            ..ListOptions::default()
        };
        let mut events = client.watch(&scope, &options).await?;
        while let Some(batch) = events.next().await {
            for event in batch? {
                match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        if let Some(certificate) = outcome(&object)? {
                            return Ok(certificate);
                        }
                    }
                    WatchEvent::Deleted(_) => return Err("the request was deleted".into()),
                    WatchEvent::Bookmark { .. } => {}
                }
            }
        }
    }
}

fn outcome(object: &Object) -> Result<Option<String>, BoxError> {
    let CsrView { status } = object.view()?;
    let refused = |one: &&Condition| matches!(one.kind.as_str(), "Denied" | "Failed");
    if let Some(refusal) = status.conditions.iter().find(refused) {
        return Err(format!("{}: {}", refusal.kind, refusal.message).into());
    }
    let Some(certificate) = status.certificate.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(String::from_utf8(BASE64_STANDARD.decode(certificate)?)?))
}

// === impl NodeCertificate ===

impl NodeCertificate {
    async fn renew(&mut self) -> Result<(), BoxError> {
        let new = ask(&*self.client, &self.node, &self.what).await?;
        self.shown.replace(&new)?;
        (self.keep)(&new)?;
        self.due = Some(renew_at(&new.certificate)?);
        Ok(())
    }

    /// Waits until its time comes, then renews.
    async fn step(&mut self) {
        let now = self.clock.now();
        let left = self.due.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
        match left.filter(|left| !left.is_zero()) {
            Some(left) => tokio::time::sleep(left.min(LONGEST)).await,
            None => {
                if let Err(error) = self.renew().await {
                    tracing::error!(%error, "no certificate; asking again in ten minutes");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

#[async_trait]
impl Component for NodeCertificate {
    fn name(&self) -> &str {
        match self.what {
            For::Client => "client certificate",
            For::Serving { .. } => "serving certificate",
        }
    }

    async fn run(mut self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        ready.set();
        let renewing = async {
            loop {
                self.step().await;
            }
        };
        // Ends by the shutdown only.
        shutdown.run_until_cancelled(renewing).await;
        Ok(())
    }
}

/// A certificate and its key as one file (PEM), for its owner only.
pub(super) fn write(path: &Path, own: &KeyedCertificate) -> Result<(), BoxError> {
    Ok(write_private(path, format!("{}{}", own.certificate, own.key).as_bytes())?)
}

/// What [`write`] wrote, if it is there and has time left.
pub(super) fn read(path: &PathBuf, now: Timestamp) -> Option<(KeyedCertificate, Timestamp)> {
    let text = std::fs::read_to_string(path).ok()?;
    let at = text.find("-----BEGIN PRIVATE KEY-----")?;
    let (certificate, key) = text.split_at(at);
    let own = KeyedCertificate { certificate: certificate.to_owned(), key: key.to_owned() };
    let due = renew_at(&own.certificate).ok().filter(|due| now < *due)?;
    Some((own, due))
}
