//! Another server that is asked by posting reviews to it: who has a token, who may do what. A kubeconfig says where it
//! is, by which authority it is known, and how one shows who asks.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::component::BoxError;

/// Longer answers are not read.
const LONGEST: usize = 3 << 20;
/// How often it is asked before it counts as gone, and how long one waits before the second time; then twice as long.
const ATTEMPTS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How much of a refusal is shown.
const SHOWN: usize = 512;

/// Asks one server, over connections that are kept. May be used from many tasks.
#[derive(Clone)]
pub(crate) struct Reviewer {
    client: kube::Client,
    path: String,
    within: Duration,
}

/// Why there is no answer. All but the first may be better later.
#[derive(Debug, thiserror::Error)]
pub enum ReviewerError {
    /// It is described in a way that leads nowhere.
    #[error("{0}")]
    Config(BoxError),
    /// It can't be reached, or is not who it should be.
    #[error("{0}")]
    Connect(BoxError),
    /// It says nothing.
    #[error("context deadline exceeded")]
    Deadline,
    /// It answers with an error.
    #[error("the server answered {0}: {1:?}")]
    Refused(StatusCode, String),
    /// What it says is too long, or not what was asked for.
    #[error("its answer can't be read: {0}")]
    Answer(BoxError),
}

// === impl Reviewer ===

impl Reviewer {
    /// The server of a kubeconfig's current context.
    pub(crate) async fn from_kubeconfig(
        text: &str,
        within: Duration,
    ) -> Result<Self, ReviewerError> {
        let config = Kubeconfig::from_yaml(text).map_err(|e| ReviewerError::Config(e.into()))?;
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await;
        Self::new(config.map_err(|e| ReviewerError::Config(e.into()))?, within)
    }

    /// The server that a configuration names.
    pub(crate) fn new(mut config: kube::Config, within: Duration) -> Result<Self, ReviewerError> {
        // What is asked for is the very path of the URL.
        let path = config.cluster_url.path().to_owned();
        let mut parts = config.cluster_url.into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        let root = http::Uri::from_parts(parts).map_err(|e| ReviewerError::Config(e.into()))?;
        config.cluster_url = root;
        (config.connect_timeout, config.read_timeout) = (Some(within), Some(within));
        let client = kube::Client::try_from(config).map_err(|e| ReviewerError::Config(e.into()))?;
        Ok(Self { client, path, within })
    }

    /// Posts a review of a kind (`authorization.k8s.io/v1`, `SubjectAccessReview`) and returns its status.
    pub(crate) async fn ask<T: DeserializeOwned + Default>(
        &self,
        (version, kind): (&str, &str),
        spec: &Value,
    ) -> Result<T, ReviewerError> {
        let review = json!({"apiVersion": version, "kind": kind, "metadata": {}, "spec": spec});
        match self.review(&review).await?["status"].take() {
            Value::Null => Ok(T::default()),
            status => serde_json::from_value(status).map_err(|e| ReviewerError::Answer(e.into())),
        }
    }

    /// Posts a review and returns it with its status. Tries again when the server can't be reached or has an error.
    async fn review(&self, review: &Value) -> Result<Value, ReviewerError> {
        let body = Bytes::from(review.to_string());
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            match self.send("POST", &self.path, body.clone()).await {
                Err(error) if error.may_pass() => tokio::time::sleep(wait).await,
                other => return other,
            }
            wait *= 2;
        }
        self.send("POST", &self.path, body).await
    }

    /// The document under a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ReviewerError> {
        self.send("GET", path, Bytes::new()).await
    }

    async fn send(&self, method: &str, path: &str, body: Bytes) -> Result<Value, ReviewerError> {
        let asked = tokio::time::timeout(self.within, self.exchange(method, path, body));
        asked.await.map_err(|_| ReviewerError::Deadline)?
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Value, ReviewerError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json")
            .body(kube::client::Body::from(body))
            .map_err(|e| ReviewerError::Config(e.into()))?;
        let answer =
            self.client.send(request).await.map_err(|e| ReviewerError::Connect(e.into()))?;
        let (head, body) = answer.into_parts();
        let read = Limited::new(body, LONGEST).collect().await.map_err(ReviewerError::Answer)?;
        let read = read.to_bytes();
        if !head.status.is_success() {
            let text = String::from_utf8_lossy(&read[..read.len().min(SHOWN)]).into_owned();
            return Err(ReviewerError::Refused(head.status, text));
        }
        serde_json::from_slice(&read).map_err(|e| ReviewerError::Answer(e.into()))
    }
}

// === impl ReviewerError ===

impl ReviewerError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Deadline => true,
            Self::Refused(code, _) => code.is_server_error() || *code == 429,
            Self::Config(_) | Self::Answer(_) => false,
        }
    }
}
