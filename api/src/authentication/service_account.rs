//! Service account tokens: JWTs that the API server signs and recognizes (KEP-1205).

mod keys;
mod legacy;
mod uses;

pub use keys::TokenKeys;
pub use uses::TokenUses;

use super::tokens::{Recognized, TokenAuthenticator};
use super::{AUTHENTICATED, User, unauthorized};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use keys::Form;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{Key, Reader};
use windlass_core::clock::Clock;
use windlass_core::meta::Status;
use windlass_core::scheme;

/// What is being deleted still counts for so long after its time: clocks differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

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

/// Recognizes service accounts by their tokens, and looks whether what a token is bound to is still there.
pub struct ServiceAccountTokens {
    keys: Arc<TokenKeys>,
    objects: Arc<dyn Reader>,
    clock: Arc<dyn Clock>,
    uses: Arc<TokenUses>,
}

#[derive(Deserialize)]
struct DeletedView {
    metadata: DeletedMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletedMeta {
    deletion_timestamp: Option<Timestamp>,
}

// === impl ServiceAccountTokens ===

impl ServiceAccountTokens {
    /// Reads tokens with `keys`, objects through `objects`.
    #[must_use]
    pub fn new(keys: Arc<TokenKeys>, objects: Arc<dyn Reader>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, objects, clock, uses: Arc::default() }
    }

    /// Notes there when tokens that are kept in Secrets are used.
    #[must_use]
    pub fn noting(self, uses: Arc<TokenUses>) -> Self {
        Self { uses, ..self }
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
        let own: Vec<&str> = self.keys.audiences().iter().map(String::as_str).collect();
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
        // The node of a pod is only told; a token may also be bound to a node itself.
        if let (Some(node), None, None) = (&private.node, &private.pod, &private.secret) {
            self.check(scheme::NODES, "", node).await?;
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
        let key = match namespace {
            "" => Key::cluster(resource, &bound.name),
            namespace => Key::new(resource, namespace, &bound.name),
        };
        match self.objects.get(&key).await {
            Ok(object) if *object.header().uid == *bound.uid && self.stays(&object)? => Ok(()),
            Ok(_) => Err(unauthorized()),
            Err(error) if error.is_not_found() => Err(unauthorized()),
            Err(error) => Err(Status::internal(error)),
        }
    }
}

impl ServiceAccountTokens {
    /// Whether an object is not being deleted, or has some of its time left.
    fn stays(&self, object: &Object) -> Result<bool, Status> {
        if !object.header().deleting {
            return Ok(true);
        }
        let view: DeletedView = object.view().map_err(Status::internal)?;
        let end = view.metadata.deletion_timestamp;
        Ok(end.is_none_or(|end| end + LEEWAY > self.clock.now()))
    }
}

#[async_trait]
impl TokenAuthenticator for ServiceAccountTokens {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<Option<Recognized>, Status> {
        if self.keys.form(token).is_none() {
            return Ok(None);
        }
        let (user, audiences) = self.user(token, audiences).await?;
        Ok(Some(Recognized { user, audiences }))
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

#[cfg(test)]
mod tests;
