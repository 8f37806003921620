//! One extender's server, with the connections to it kept open.

use crate::config::{ConfigError, Extender};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::meta::parse_duration;

/// Longer answers are not read: all of 100,000 nodes may be in one.
const MAX_ANSWER: usize = 1 << 30;
/// How long an answer may take when the configuration does not say.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Caller {
    client: kube::Client,
    url: String,
    timeout: Duration,
}

impl Caller {
    pub(super) async fn new(config: &Extender) -> Result<Self, ConfigError> {
        let bad = |why: &dyn std::fmt::Display| {
            ConfigError::Invalid(format!("extender {:?}: {why}", config.url_prefix))
        };
        let timeout = config.http_timeout.as_deref().map(parse_duration).transpose();
        let timeout = timeout.map_err(|error| bad(&error))?.filter(|given| !given.is_zero());
        let file: Kubeconfig =
            serde_json::from_value(connection(config)).map_err(|error| bad(&error))?;
        let options = KubeConfigOptions::default();
        let connection = kube::Config::from_custom_kubeconfig(file, &options).await;
        let client = kube::Client::try_from(connection.map_err(|error| bad(&error))?);
        let client = client.map_err(|error| bad(&error))?;
        let url = config.url_prefix.trim_end_matches('/').to_owned();
        Ok(Self { client, url, timeout: timeout.unwrap_or(TIMEOUT) })
    }

    /// Posts JSON, and reads the answer.
    pub(super) async fn post(&self, verb: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let url = format!("{}/{verb}", self.url);
        match tokio::time::timeout(self.timeout, self.exchange(verb, body)).await {
            Ok(answered) => answered.map_err(|why| format!("Post {url:?}: {why}")),
            Err(_) => Err(format!("Post {url:?}: context deadline exceeded")),
        }
    }

    async fn exchange(&self, verb: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let request = Request::post(format!("/{verb}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(kube::client::Body::from(body));
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("code {}", answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok(body.map_err(|error| error.to_string())?.to_bytes().into())
    }
}

/// How it is reached, in the one format that has all there is to say about TLS.
fn connection(config: &Extender) -> Value {
    let tls = config.tls_config.clone().unwrap_or_default();
    let has_ca = !tls.ca_file.is_empty() || !tls.ca_data.is_empty();
    // As in Kubernetes: without authorities nobody is checked.
    let unchecked = tls.insecure || (config.enable_https && !has_ca);
    if unchecked && config.url_prefix.starts_with("https:") {
        tracing::warn!(url = %config.url_prefix, "the extender's certificate is not checked");
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    json!({
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {
            "server": config.url_prefix,
            "insecure-skip-tls-verify": unchecked,
            "tls-server-name": given(tls.server_name),
            "certificate-authority": given(tls.ca_file),
            "certificate-authority-data": given(tls.ca_data),
        }}],
        "users": [{"name": "it", "user": {
            "client-certificate": given(tls.cert_file),
            "client-certificate-data": given(tls.cert_data),
            "client-key": given(tls.key_file),
            "client-key-data": given(tls.key_data),
        }}],
    })
}
