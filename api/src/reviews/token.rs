//! `serviceaccounts/token`: a token for a while, bound to an object (KEP-1205).

use crate::authentication::{Bound, Claims, Private, TokenKeys};
use crate::registry::{Call, Created, Creater};
use crate::strategy::Map;
use crate::strategy::json::str_at;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{Key, Reader};
use windlass_core::meta::{Status, StatusCause};
use windlass_core::scheme::{self, GroupVersionResource};

/// No token holds for less (API reference, "TokenRequestSpec").
const SHORTEST: i64 = 600;
/// No token holds for longer.
const LONGEST: i64 = 1 << 32;

pub(super) struct TokenRequest(pub(super) Arc<TokenKeys>);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    audiences: Vec<String>,
    expiration_seconds: Option<i64>,
    bound_object_ref: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    api_version: String,
    kind: String,
    name: String,
    #[serde(default)]
    uid: String,
}

#[derive(Deserialize)]
struct PodView {
    spec: PodSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct PodSpec {
    node_name: String,
    service_account_name: String,
}

#[async_trait]
impl Creater for TokenRequest {
    async fn create(&self, call: Call<'_>, mut request: Map) -> Result<Created, Status> {
        let spec = request.get("spec").cloned().unwrap_or_else(|| json!({}));
        let mut spec: Spec =
            serde_json::from_value(spec).map_err(|e| Status::bad_request(e.to_string()))?;
        let seconds = spec.expiration_seconds.unwrap_or(3600);
        check(seconds, call.name())?;
        same_name(&request, call.name())?;
        if spec.audiences.is_empty() {
            spec.audiences = self.0.audiences().to_vec();
        }
        let account = find(&call, scheme::SERVICEACCOUNTS, call.name()).await?;
        let mut private = Private {
            namespace: call.namespace().to_owned(),
            serviceaccount: bound(&account),
            ..Private::default()
        };
        if let Some(reference) = &spec.bound_object_ref {
            bind(&call, reference, &mut private).await?;
        }
        let now = call.env().clock.now();
        let expires = now + SignedDuration::from_secs(seconds);
        let claims = self.claims(&call, &spec.audiences, private, now, expires);
        let token = self.0.sign(&claims)?;
        let given = request.entry("spec").or_insert_with(|| json!({}));
        given["audiences"] = json!(spec.audiences);
        given["expirationSeconds"] = seconds.into();
        let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        request.insert("status".into(), json!({"token": token, "expirationTimestamp": expires}));
        Ok(Created::Object(request))
    }
}

impl TokenRequest {
    fn claims(
        &self,
        call: &Call<'_>,
        audiences: &[String],
        kubernetes: Private,
        now: Timestamp,
        expires: Timestamp,
    ) -> Claims {
        Claims {
            aud: audiences.to_vec(),
            exp: expires.as_second(),
            iat: now.as_second(),
            nbf: now.as_second(),
            iss: self.0.issuer().to_owned(),
            jti: call.env().uuid(),
            sub: format!("system:serviceaccount:{}:{}", call.namespace(), call.name()),
            kubernetes,
        }
    }
}

fn check(seconds: i64, name: &str) -> Result<(), Status> {
    let message = match seconds {
        ..SHORTEST => "may not specify a duration less than 10 minutes",
        SHORTEST..=LONGEST => return Ok(()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let cause = StatusCause {
        reason: "FieldValueInvalid".into(),
        message: format!("Invalid value: {seconds}: {message}"),
        field: "spec.expirationSeconds".into(),
    };
    Err(Status::invalid("authentication.k8s.io", "TokenRequest", name, vec![cause]))
}

/// Whether a body that names an account names the one of the path.
fn same_name(request: &Map, name: &str) -> Result<(), Status> {
    let given = str_at(request, &["metadata", "name"]);
    if given.is_empty() || given == name {
        return Ok(());
    }
    let cause = StatusCause {
        reason: "FieldValueInvalid".into(),
        message: format!(
            "Invalid value: {given:?}: must match the service account name if specified"
        ),
        field: "metadata.name".into(),
    };
    Err(Status::invalid("authentication.k8s.io", "TokenRequest", name, vec![cause]))
}

// === impl Reference ===

impl Reference {
    /// Its kind, if it is one of the core group: another group may have one of the same name.
    fn kind(&self) -> Result<&str, Status> {
        let Self { api_version: version, kind, .. } = self;
        if matches!(version.as_str(), "" | "v1") {
            return Ok(kind);
        }
        let why = format!("cannot bind token for object of type {version}, Kind={kind}");
        Err(Status::bad_request(why))
    }
}

/// Fills in what the token ends with, and the node of a pod.
async fn bind(call: &Call<'_>, reference: &Reference, private: &mut Private) -> Result<(), Status> {
    let same = |object: &Object| {
        if reference.uid.is_empty() || *object.header().uid == *reference.uid {
            return Ok(());
        }
        let why = format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
            reference.uid
        );
        Err(Status::conflict("", &reference.kind, &reference.name, &why))
    };
    match reference.kind()? {
        "Pod" => {
            let pod = find(call, scheme::PODS, &reference.name).await?;
            same(&pod)?;
            let PodView { spec } = pod.view().map_err(Status::internal)?;
            if spec.service_account_name != call.name() {
                let why = format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    call.name()
                );
                return Err(Status::bad_request(why));
            }
            private.pod = Some(bound(&pod));
            private.node = node_of(call, spec.node_name).await?;
        }
        "Node" => {
            let node = call.objects().get(&Key::cluster(scheme::NODES, &reference.name)).await;
            let node = node.map_err(refused)?;
            same(&node)?;
            private.node = Some(bound(&node));
        }
        "Secret" => {
            let secret = find(call, scheme::SECRETS, &reference.name).await?;
            same(&secret)?;
            private.secret = Some(bound(&secret));
        }
        other => {
            return Err(Status::bad_request(format!(
                "cannot bind token for object of type {other}"
            )));
        }
    }
    Ok(())
}

/// The node of a pod; without a uid when it is gone.
async fn node_of(call: &Call<'_>, name: String) -> Result<Option<Bound>, Status> {
    if name.is_empty() {
        return Ok(None);
    }
    match call.objects().get(&Key::cluster(scheme::NODES, &name)).await {
        Ok(node) => Ok(Some(bound(&node))),
        Err(error) if error.is_not_found() => Ok(Some(Bound { name, uid: String::new() })),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: windlass_core::Error) -> Status {
    match error {
        windlass_core::Error::Status(status) => *status,
        other => Status::internal(other),
    }
}

async fn find(
    call: &Call<'_>,
    resource: GroupVersionResource,
    name: &str,
) -> Result<Arc<Object>, Status> {
    let key = Key::new(resource, call.namespace(), name);
    call.objects().get(&key).await.map_err(refused)
}

fn bound(object: &Object) -> Bound {
    Bound { name: object.name().to_owned(), uid: object.header().uid.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_another_group_is_none_of_ours() {
        for (version, good) in [("v1", true), ("", true), ("example.com/v1", false)] {
            let given = json!({"apiVersion": version, "kind": "Pod", "name": "x"});
            let reference: Reference = serde_json::from_value(given).expect("a reference");
            assert_eq!(reference.kind().is_ok(), good, "{version}");
        }
    }

    #[test]
    fn a_body_names_the_account_of_the_path_or_none() {
        for (metadata, good) in
            [(json!({}), true), (json!({"name": "bot"}), true), (json!({"name": "root"}), false)]
        {
            let body = json!({"metadata": metadata});
            let checked = same_name(body.as_object().expect("a map"), "bot");
            assert_eq!(checked.map_err(|status| status.code), if good { Ok(()) } else { Err(422) });
        }
    }
}
