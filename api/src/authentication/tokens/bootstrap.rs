//! Bootstrap tokens: by them new nodes enter a cluster (reference: "Authenticating with Bootstrap Tokens").

use super::{Recognized, TokenAuthenticator};
use crate::authentication::{User, unauthorized};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::client::{Key, Reader};
use windlass_core::clock::Clock;
use windlass_core::meta::Status;
use windlass_core::scheme;

const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";
const GROUP: &str = "system:bootstrappers";

/// Recognizes tokens `ID.SECRET` by Secrets `kube-system/bootstrap-token-ID`.
pub struct BootstrapTokens {
    objects: Arc<dyn Reader>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct SecretView {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

// === impl BootstrapTokens ===

impl BootstrapTokens {
    /// Reads Secrets through `objects`.
    #[must_use]
    pub fn new(objects: Arc<dyn Reader>, clock: Arc<dyn Clock>) -> Self {
        Self { objects, clock }
    }
}

#[async_trait]
impl TokenAuthenticator for BootstrapTokens {
    async fn authenticate(&self, token: &str, _: &[&str]) -> Result<Option<Recognized>, Status> {
        let Some((id, secret)) = parts(token) else { return Ok(None) };
        let key = Key::new(scheme::SECRETS, NAMESPACE, format!("bootstrap-token-{id}"));
        let object = match self.objects.get(&key).await {
            Ok(object) if !object.header().deleting => object,
            Ok(_) => return Err(unauthorized()),
            Err(error) if error.is_not_found() => return Err(unauthorized()),
            Err(error) => return Err(Status::internal(error)),
        };
        let view: SecretView = object.view().map_err(Status::internal)?;
        let user = user(&view, (id, secret), self.clock.now()).ok_or_else(unauthorized)?;
        Ok(Some(Recognized { user, audiences: Vec::new() }))
    }
}

/// Id and secret, if a token is of this kind.
fn parts(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (id.len() == 6 && secret.len() == 16 && plain(id) && plain(secret)).then_some((id, secret))
}

fn user(view: &SecretView, (id, secret): (&str, &str), now: Timestamp) -> Option<User> {
    let text = |key: &str| {
        let bytes = STANDARD.decode(view.data.as_ref()?.get(key)?).ok()?;
        String::from_utf8(bytes).ok()
    };
    // Digests are compared: where they differ says nothing of the secret.
    let same = |kept: String| Sha256::digest(kept) == Sha256::digest(secret);
    let good = view.kind == TYPE
        && text("token-id")? == id
        && same(text("token-secret")?)
        && text("usage-bootstrap-authentication")? == "true";
    let holds = match text("expiration").filter(|time| !time.is_empty()) {
        Some(time) => now < time.parse::<Timestamp>().ok()?,
        None => true,
    };
    let extra = text("auth-extra-groups").unwrap_or_default();
    let extra: Vec<&str> = extra.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    let groups_good = extra.iter().all(|group| is_group(group));
    let groups = std::iter::once(GROUP).chain(extra.iter().copied());
    (good && holds && groups_good).then(|| User::new(format!("system:bootstrap:{id}"), groups))
}

/// A token gives no groups but those below its own.
fn is_group(name: &str) -> bool {
    let Some(own) = name.strip_prefix(GROUP).and_then(|rest| rest.strip_prefix(':')) else {
        return false;
    };
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inner = |b: u8| word(b) || b == b':' || b == b'-';
    own.len() <= 256 && own.bytes().all(inner) && own.bytes().last().is_some_and(word)
}
