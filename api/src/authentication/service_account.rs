//! Service account tokens: JWTs that the API server signs and recognizes (KEP-1205).

mod legacy;

use super::{AUTHENTICATED, Authenticator, User, bearer};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use windlass_core::client::{Key, Reader};
use windlass_core::clock::Clock;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme;

/// No header of a request is longer; neither is a token.
const LONGEST: usize = 16 << 10;

/// An uncompressed point of P-256: a byte that says so, and two coordinates of 32 bytes.
const POINT: usize = 65;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// For whom it is meant.
    pub aud: Vec<String>,
    /// Until when it holds, in seconds since 1970.
    pub exp: i64,
    /// Since when.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Who signed it.
    pub iss: String,
    /// Its own id.
    pub jti: String,
    /// The service account and what the token is bound to.
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: Private,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub sub: String,
}

/// The claims that are Kubernetes' own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Private {
    /// The namespace.
    pub namespace: String,
    /// The node of the pod it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Bound>,
    /// The pod it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Bound>,
    /// The secret it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Bound>,
    /// The service account.
    pub serviceaccount: Bound,
}

/// An object a token is bound to: with it the token ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bound {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Signs tokens and reads its own. `Debug` shows no key.
pub struct TokenKeys {
    issuer: String,
    /// Names the key in the head of each token and among the published ones.
    id: String,
    /// The public half, as a point of the curve.
    point: [u8; POINT],
    signing: EncodingKey,
    reading: DecodingKey,
}

/// Recognizes service accounts by their tokens, and looks whether what a token is bound to is still there.
pub struct ServiceAccountTokens {
    keys: Arc<TokenKeys>,
    objects: Arc<dyn Reader>,
    clock: Arc<dyn Clock>,
}

/// The forms of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// With an end, and bound to objects.
    Bound,
    /// Kept in a Secret.
    Legacy,
}

#[derive(Deserialize)]
struct Issued {
    iss: String,
}

// === impl TokenKeys ===

impl TokenKeys {
    /// With an ECDSA P-256 key (PKCS #8, PEM) and its public half.
    ///
    /// # Errors
    /// When one is no such key.
    pub fn new(issuer: &str, private: &str, public: &str) -> Result<Self, crate::pki::Error> {
        let signing = EncodingKey::from_ec_pem(private.as_bytes()).map_err(broken)?;
        let reading = DecodingKey::from_ec_pem(public.as_bytes()).map_err(broken)?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(public.as_bytes()).map_err(broken)?;
        let point = *pem.contents.last_chunk().ok_or_else(|| broken("it is too short"))?;
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(&pem.contents));
        Ok(Self { issuer: issuer.into(), id, point, signing, reading })
    }

    /// The public half as a JSON Web Key (RFC 7517).
    pub(super) fn public(&self) -> serde_json::Value {
        let (x, y) = self.point[1..].split_at(POINT / 2);
        serde_json::json!({
            "use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    /// Who signs.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token that says this: [`Claims`], or those of a token that is kept in a Secret.
    ///
    /// # Errors
    /// When the key can't sign.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, Status> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.signing).map_err(Status::internal)
    }

    /// What a token says, if it is ours and holds for one of `audiences` now.
    ///
    /// # Errors
    /// `Unauthorized` when it is expired, not yet valid, meant for others, tampered with or signed by another.
    pub fn read(&self, token: &str, audiences: &[&str], now: Timestamp) -> Result<Claims, Status> {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(audiences);
        // Time is injected: compared below.
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        let read = jsonwebtoken::decode::<Claims>(token, &self.reading, &rules);
        let claims = read.map_err(|_| unauthorized())?.claims;
        let now = now.as_second();
        if now < claims.nbf || now >= claims.exp { Err(unauthorized()) } else { Ok(claims) }
    }

    /// What a token claims to be; none when it names another issuer and is not ours to judge.
    fn form(&self, token: &str) -> Option<Form> {
        let token = jsonwebtoken::dangerous::insecure_decode::<Issued>(token).ok()?;
        match token.claims.iss {
            iss if iss == self.issuer => Some(Form::Bound),
            iss if iss == legacy::ISSUER => Some(Form::Legacy),
            _ => None,
        }
    }
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

// === impl ServiceAccountTokens ===

impl ServiceAccountTokens {
    /// Reads tokens with `keys`, objects through `objects`.
    #[must_use]
    pub fn new(keys: Arc<TokenKeys>, objects: Arc<dyn Reader>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, objects, clock }
    }

    /// Who a token stands for, if it is meant for one of `audiences` (this server when empty), and for
    /// which of them it is meant.
    ///
    /// # Errors
    /// `Unauthorized` when it stands for nobody any more.
    pub async fn user(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<(User, Vec<String>), Status> {
        let own = [self.keys.issuer()];
        let audiences = if audiences.is_empty() { &own[..] } else { audiences };
        if self.keys.form(token) == Some(Form::Legacy) {
            return self.legacy_user(token, audiences).await;
        }
        let claims = self.keys.read(token, audiences, self.clock.now())?;
        let (namespace, private) = (&claims.kubernetes.namespace, &claims.kubernetes);
        self.check(scheme::SERVICEACCOUNTS, namespace, &private.serviceaccount).await?;
        for (resource, bound) in [(scheme::PODS, &private.pod), (scheme::SECRETS, &private.secret)]
        {
            if let Some(bound) = bound {
                self.check(resource, namespace, bound).await?;
            }
        }
        let meant = audiences.iter().filter(|one| claims.aud.iter().any(|aud| aud == *one));
        Ok((user(&claims), meant.map(|one| (*one).to_owned()).collect()))
    }

    /// Whether this very object is still there.
    async fn check(
        &self,
        resource: scheme::GroupVersionResource,
        namespace: &str,
        bound: &Bound,
    ) -> Result<(), Status> {
        let key = Key::new(resource, namespace, &bound.name);
        match self.objects.get(&key).await {
            Ok(object) if *object.header().uid == *bound.uid => Ok(()),
            Ok(_) => Err(unauthorized()),
            Err(error) if error.is_not_found() => Err(unauthorized()),
            Err(error) => Err(Status::internal(error)),
        }
    }
}

#[async_trait]
impl Authenticator for ServiceAccountTokens {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        match bearer::token(request) {
            Some(token) if token.len() > LONGEST => Err(unauthorized()),
            Some(token) if self.keys.form(token).is_some() => {
                self.user(token, &[]).await.map(|(user, _)| Some(user))
            }
            _ => Ok(None),
        }
    }
}

fn broken(reason: impl std::fmt::Display) -> crate::pki::Error {
    crate::pki::Error::Invalid { what: "service account key".into(), reason: reason.to_string() }
}

fn user(claims: &Claims) -> User {
    let private = &claims.kubernetes;
    let mut user = account(&claims.sub, &private.namespace, &private.serviceaccount.uid);
    let prefix = "authentication.kubernetes.io/";
    let mut say = |name: &str, value: &str| {
        user.extra.insert(format!("{prefix}{name}"), vec![value.to_owned()]);
    };
    say("credential-id", &format!("JTI={}", claims.jti));
    for (kind, bound) in [("pod", &private.pod), ("node", &private.node)] {
        if let Some(bound) = bound {
            say(&format!("{kind}-name"), &bound.name);
            say(&format!("{kind}-uid"), &bound.uid);
        }
    }
    user
}

/// A service account as a user.
fn account(name: &str, namespace: &str, uid: &str) -> User {
    let own = format!("system:serviceaccounts:{namespace}");
    let groups = ["system:serviceaccounts".to_owned(), own, AUTHENTICATED.to_owned()];
    User { name: name.into(), uid: uid.into(), groups: groups.into(), ..User::default() }
}

fn unauthorized() -> Status {
    Status::failure(Reason::Unauthorized, "Unauthorized")
}

#[cfg(test)]
mod tests;
