//! The documents by which others check service account tokens by themselves (OpenID Connect
//! Discovery 1.0, RFC 7517; Kubernetes' ServiceAccountIssuerDiscovery, KEP-1393).

use super::TokenKeys;
use bytes::Bytes;
use serde_json::json;

/// What is served below `/.well-known` and `/openid`.
pub(crate) struct OpenId {
    /// Who issues tokens, and where the keys are.
    pub(crate) configuration: Bytes,
    /// The public keys.
    pub(crate) keys: Bytes,
}

// === impl OpenId ===

impl OpenId {
    /// For tokens of `keys`, served at `address`.
    pub(crate) fn new(keys: &TokenKeys, address: &str) -> Self {
        let configuration = json!({
            "issuer": keys.issuer(),
            "jwks_uri": format!("https://{address}/openid/v1/jwks"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": keys.algorithms(),
        });
        let keys = json!({ "keys": keys.published() });
        Self { configuration: configuration.to_string().into(), keys: keys.to_string().into() }
    }
}
