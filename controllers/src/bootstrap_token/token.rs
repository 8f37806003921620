//! What a token's Secret says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::{Object, Result};

pub(super) const TYPE: &str = "bootstrap.kubernetes.io/token";
pub(super) const NAMESPACE: &str = "kube-system";
const PREFIX: &str = "bootstrap-token-";

#[derive(Deserialize)]
struct SecretView {
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

/// A bootstrap token. Kept only while something is done with it.
pub(super) struct Token {
    pub(super) id: String,
    pub(super) secret: String,
    /// Whether its Secret has the name it must have.
    named: bool,
    signs: bool,
    /// `Err` when nobody can read it: such a token holds no longer.
    expires: std::result::Result<Option<Timestamp>, ()>,
}

// === impl Token ===

impl Token {
    pub(super) fn of(object: &Object) -> Result<Self> {
        let data = object.view::<SecretView>()?.data.unwrap_or_default();
        let text = |key: &str| {
            let bytes = STANDARD.decode(data.get(key)?).ok()?;
            String::from_utf8(bytes).ok()
        };
        let id = text("token-id").unwrap_or_default();
        let expires = text("expiration").filter(|time| !time.is_empty());
        Ok(Self {
            named: !id.is_empty() && object.name().strip_prefix(PREFIX) == Some(id.as_str()),
            secret: text("token-secret").unwrap_or_default(),
            signs: text("usage-bootstrap-signing").as_deref() == Some("true"),
            expires: expires.map(|time| time.parse().map_err(|_| ())).transpose(),
            id,
        })
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        match self.expires {
            Ok(expires) => expires.is_some_and(|at| at <= now),
            Err(()) => true,
        }
    }

    /// When its time will be over, if ever.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.expires.ok().flatten()
    }

    /// Whether it signs now.
    pub(super) fn signs(&self, now: Timestamp) -> bool {
        self.named && self.signs && !self.secret.is_empty() && !self.is_over(now)
    }
}
