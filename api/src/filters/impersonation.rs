//! Being somebody else for one request, if one may (API reference, "User impersonation").

use crate::authentication::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User};
use crate::authorization::{Attributes, Decision};
use crate::server::ApiServer;
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use windlass_core::meta::Status;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::GroupVersionResource;

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA: &str = "impersonate-extra-";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Why one may not be another.
pub(super) struct Refused {
    pub(super) status: Status,
    /// Whom he may not be, and why; none when it can't be read who is meant.
    pub(super) decided: Option<(User, String)>,
}

/// The user that the headers name, if they do and the one who sent them may be him.
pub(super) async fn apply(
    server: &ApiServer,
    user: &User,
    headers: &HeaderMap,
) -> Result<Option<User>, Refused> {
    let wanted = wanted(headers).map_err(|status| Refused { status, decided: None })?;
    let Some(wanted) = wanted else { return Ok(None) };
    for target in targets(&wanted) {
        let attributes = Attributes::of(user, "impersonate", &target);
        match server.handler.authorizer.authorize(&attributes).await {
            Decision::Allow(_) => {}
            Decision::Deny(why) | Decision::NoOpinion(why) => {
                let status = attributes.forbidden(&why);
                return Err(Refused { status, decided: Some((completed(wanted), why)) });
            }
        }
    }
    Ok(Some(completed(wanted)))
}

/// Who is named in the headers.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let one = |name: &str| headers.get(name).map_or(Ok(String::new()), text);
    let mut wanted = User { name: one(USER)?, uid: one(UID)?, ..User::default() };
    wanted.groups = headers.get_all(GROUP).iter().map(text).collect::<Result<_, _>>()?;
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(EXTRA) else { continue };
        let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
        wanted.extra.entry(key).or_default().push(text(value)?);
    }
    if !wanted.name.is_empty() {
        return Ok(Some(wanted));
    }
    if wanted != User::default() {
        let text = "requested impersonation of a group, a uid or extra values without a user";
        return Err(Status::bad_request(text));
    }
    Ok(None)
}

/// A header that can't be read must not leave the request to the one who sent it.
fn text(value: &HeaderValue) -> Result<String, Status> {
    let text = std::str::from_utf8(value.as_bytes()).map(str::to_owned);
    text.map_err(|_| Status::bad_request("an impersonation header is not valid UTF-8"))
}

/// What one must be allowed to impersonate to be this user.
fn targets(wanted: &User) -> Vec<ResourceTarget> {
    let mut targets = vec![match service_account(&wanted.name) {
        Some((namespace, name)) => {
            let mut target = target("", "serviceaccounts", name);
            target.namespace = Some(namespace.to_owned());
            target
        }
        None => target("", "users", &wanted.name),
    }];
    targets.extend(wanted.groups.iter().map(|group| target("", "groups", group)));
    if !wanted.uid.is_empty() {
        targets.push(target(AUTHENTICATION, "uids", &wanted.uid));
    }
    for (key, values) in &wanted.extra {
        targets.extend(values.iter().map(|value| {
            let mut target = target(AUTHENTICATION, "userextras", value);
            target.subresource = Some(key.clone());
            target
        }));
    }
    targets
}

fn target(group: &'static str, resource: &'static str, name: &str) -> ResourceTarget {
    ResourceTarget {
        resource: GroupVersionResource::new(group, "v1", resource),
        namespace: None,
        name: Some(name.to_owned()),
        subresource: None,
        rest: String::new(),
    }
}

/// Namespace and name of a service account, out of its name as a user.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
}

/// With the groups that the user has without being named in them.
fn completed(mut wanted: User) -> User {
    if wanted.groups.is_empty()
        && let Some((namespace, _)) = service_account(&wanted.name)
    {
        wanted.groups.push("system:serviceaccounts".into());
        wanted.groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    let own = if wanted.name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
    if !wanted.is_in(AUTHENTICATED) && !wanted.is_in(UNAUTHENTICATED) {
        wanted.groups.push(own.into());
    }
    wanted
}
