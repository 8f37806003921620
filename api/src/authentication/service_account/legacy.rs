//! Tokens that are kept in Secrets of type `kubernetes.io/service-account-token`: without an end of their
//! own, good as long as their Secret holds them.

use super::uses::is_marked_invalid;
use super::{Bound, ServiceAccountTokens, TokenKeys, User, account};
use crate::authentication::unauthorized;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::Object;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme;

/// Who signs them, in their own words.
pub(super) const ISSUER: &str = "kubernetes/serviceaccount";

/// The label of a Secret whose token counts no more: the controller that cleans up puts it there.
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

/// What such a token says.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(rename = "kubernetes.io/serviceaccount/namespace")]
    namespace: String,
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name")]
    name: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid")]
    uid: String,
}

#[derive(Deserialize)]
struct SecretView {
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

// === impl TokenKeys ===

impl TokenKeys {
    fn read_legacy(&self, token: &str) -> Result<Claims, Status> {
        let claims: Claims = self.verified(token, |rules| {
            rules.set_issuer(&[ISSUER]);
            rules.set_required_spec_claims(&["iss", "sub"]);
            rules.validate_aud = false;
        })?;
        let named = format!("system:serviceaccount:{}:{}", claims.namespace, claims.name);
        if claims.sub == named { Ok(claims) } else { Err(unauthorized()) }
    }
}

// === impl ServiceAccountTokens ===

impl ServiceAccountTokens {
    /// Who such a token stands for. It is meant for this server only.
    pub(super) async fn legacy_user(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<(User, Vec<String>), Status> {
        let own = self.keys.audiences().iter().filter(|own| audiences.contains(&own.as_str()));
        let own: Vec<String> = own.cloned().collect();
        if own.is_empty() {
            return Err(unauthorized());
        }
        let Claims { sub, namespace, secret, name, uid } = self.keys.read_legacy(token)?;
        let bound = Bound { name, uid };
        self.check(scheme::SERVICEACCOUNTS, &namespace, &bound).await?;
        self.check_secret(token, &namespace, &secret).await?;
        Ok((account(&sub, &namespace, &bound.uid), own))
    }

    /// Whether the Secret is still there, and has this very token.
    async fn check_secret(&self, token: &str, namespace: &str, name: &str) -> Result<(), Status> {
        let secret = match self.objects.get(&Key::new(scheme::SECRETS, namespace, name)).await {
            Ok(secret) if !secret.header().deleting && !is_invalid(&secret) => secret,
            Ok(_) => return Err(unauthorized()),
            Err(error) if error.is_not_found() => return Err(unauthorized()),
            Err(error) => return Err(Status::internal(error)),
        };
        let SecretView { data } = secret.view().map_err(Status::internal)?;
        let kept = data.as_ref().and_then(|data| data.get("token"));
        let kept = kept.and_then(|kept| STANDARD.decode(kept).ok());
        if kept.is_none_or(|kept| kept != token.as_bytes()) {
            return Err(unauthorized());
        }
        // Also of one that is good no longer: somebody still relies on it.
        self.uses.note(&secret, self.clock.now());
        if is_marked_invalid(&secret) { Err(unauthorized()) } else { Ok(()) }
    }
}

/// Whether a Secret was found unused for so long that its token is refused, whatever the label says.
fn is_invalid(secret: &Object) -> bool {
    secret.header().labels.iter().any(|(key, _)| &**key == INVALID_SINCE)
}
