//! Service account tokens: asked for by the pod, bound to it, renewed before they expire (TokenRequest API).

use super::payload::Payload;
use super::{Setup, VolumeError, ownership};
use crate::pod::PodExt;
use crate::references::renewal;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use windlass_core::apis::authentication::v1::{
    BoundObjectReference, TokenRequest, TokenRequestSpec,
};
use windlass_core::apis::core::v1::{Pod, ServiceAccountTokenProjection};
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme::SERVICEACCOUNTS;

/// What Kubernetes gives a token that does not say.
const DEFAULT_SECONDS: i64 = 3600;

/// The tokens that pods have now, so that a volume can be made anew without asking for new ones.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<Place, Token>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    uid: String,
    volume: String,
    path: String,
}

/// A token as it was given.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) renew_at: Timestamp,
    #[cfg_attr(not(feature = "plugins"), expect(dead_code, reason = "told to plugins only"))]
    pub(super) expires: Timestamp,
}

impl Tokens {
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().retain(|place, _| place.uid != uid);
    }
}

/// Adds a token as a file.
pub(super) async fn add(
    setup: &Setup<'_>,
    wanted: &ServiceAccountTokenProjection,
    mode: Option<i32>,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    let token = current(setup, wanted).await?;
    payload.renew_at = Some(payload.renew_at.map_or(token.renew_at, |at| at.min(token.renew_at)));
    let owner = only_user(setup.pod);
    let narrow = owner.is_some() || ownership::fs_group(setup.pod).is_some();
    payload.add(&wanted.path, token.text.into_bytes(), if narrow { Some(0o600) } else { mode })?;
    if let Some(file) = payload.files.get_mut(std::path::Path::new(&wanted.path)) {
        file.owner = owner;
    }
    Ok(())
}

/// The token that the volume has for a path: a new one when it has none, or it is time.
pub(super) async fn current(
    setup: &Setup<'_>,
    wanted: &ServiceAccountTokenProjection,
) -> Result<Token, VolumeError> {
    let place = Place {
        uid: setup.pod.uid().to_owned(),
        volume: setup.volume.name.clone(),
        path: wanted.path.clone(),
    };
    let now = setup.host.env.clock.now();
    let known = setup.host.tokens.0.lock().get(&place).cloned();
    let token = match known.filter(|token| token.renew_at > now) {
        Some(token) => token,
        None => request(setup, wanted, now).await?,
    };
    setup.host.tokens.0.lock().insert(place, token.clone());
    Ok(token)
}

async fn request(
    setup: &Setup<'_>,
    wanted: &ServiceAccountTokenProjection,
    now: Timestamp,
) -> Result<Token, VolumeError> {
    let pod = setup.pod;
    let account = pod.pod_spec().service_account_name.as_deref().unwrap_or("default");
    let body = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: wanted.audience.clone().filter(|a| !a.is_empty()).map(|a| vec![a]),
            expiration_seconds: Some(wanted.expiration_seconds.unwrap_or(DEFAULT_SECONDS)),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(pod.name().to_owned()),
                uid: Some(pod.uid().to_owned()),
            }),
        }),
        ..TokenRequest::default()
    };
    let key = Key::new(SERVICEACCOUNTS, pod.namespace(), account).subresource("token");
    let answer = setup.host.client.create_from(&key, &body).await?.view::<TokenRequest>()?;
    let status = answer.status.ok_or_else(|| {
        VolumeError::Unmet(format!("no token for service account \"{account}\" was given"))
    })?;
    let (Some(text), Some(expires)) = (status.token, status.expiration_timestamp) else {
        return Err(VolumeError::Unmet("the token given is incomplete".into()));
    };
    Ok(Token { text, renew_at: renewal(now, expires.0), expires: expires.0 })
}

/// The user that all containers run as, if they all run as the same.
fn only_user(pod: &Pod) -> Option<u32> {
    let of_pod = pod.pod_spec().security_context.as_ref().and_then(|c| c.run_as_user);
    let containers = pod.containers();
    let mut users = containers.iter().map(|(_, container)| {
        container.security_context.as_ref().and_then(|c| c.run_as_user).or(of_pod)
    });
    let first = users.next()??;
    users.all(|user| user == Some(first)).then(|| u32::try_from(first).ok())?
}
