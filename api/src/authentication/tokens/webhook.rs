//! Tokens that another server knows (TokenReview, `--authentication-token-webhook-config-file` of kube-apiserver).

use super::{Recognized, TokenAuthenticator};
use crate::authentication::{User, unauthorized};
use crate::webhook::{Reviewer, ReviewerError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::meta::Status;

/// How long the server may think.
const WITHIN: Duration = Duration::from_secs(10);

/// Asks a server whose token it is. Put a [`super::Cached`] around it.
pub struct WebhookTokens {
    server: Reviewer,
    /// For whom tokens are meant when nobody says so.
    audiences: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    authenticated: bool,
    user: UserInfo,
    audiences: Vec<String>,
    error: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    username: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

// === impl WebhookTokens ===

impl WebhookTokens {
    /// The server of a kubeconfig's current context. `audiences` are this server's own.
    ///
    /// # Errors
    /// When the kubeconfig can't be used.
    pub async fn from_kubeconfig(
        text: &str,
        audiences: Vec<String>,
    ) -> Result<Self, ReviewerError> {
        Ok(Self { server: Reviewer::from_kubeconfig(text, WITHIN).await?, audiences })
    }
}

#[async_trait]
impl TokenAuthenticator for WebhookTokens {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<Option<Recognized>, Status> {
        let own: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        let asked = if audiences.is_empty() { &own } else { audiences };
        let (kind, spec) = (
            ("authentication.k8s.io/v1", "TokenReview"),
            json!({"token": token, "audiences": asked}),
        );
        let status: Answer = self.server.ask(kind, &spec).await.map_err(Status::internal)?;
        if !status.authenticated {
            if !status.error.is_empty() {
                tracing::debug!(error = %status.error, "a webhook refused a token");
                return Err(unauthorized());
            }
            return Ok(None);
        }
        let UserInfo { username: name, uid, groups, extra } = status.user;
        // One that does not speak of audiences speaks for this server only.
        let told = if status.audiences.is_empty() { &self.audiences } else { &status.audiences };
        let meant: Vec<String> = asked
            .iter()
            .filter(|one| told.iter().any(|t| t == *one))
            .map(ToString::to_string)
            .collect();
        if name.is_empty() || (meant.is_empty() && !asked.is_empty()) {
            return Err(unauthorized());
        }
        Ok(Some(Recognized { user: User { name, uid, groups, extra }, audiences: meant }))
    }
}
