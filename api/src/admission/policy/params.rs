//! The parameters of a policy, as a binding names them.

use super::definition::{ParamKind, ParamRef};
use crate::admission::AdmissionRequest;
use crate::admission::view::View;
use crate::registry::Entry;
use crate::storage::ReadVersion;
use serde_json::Value as Json;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{Key, Scope};
use windlass_core::meta::{LabelSelector, Status};
use windlass_core::scheme::GroupVersion;

/// Parameters that were found: their place (namespace and name), and what they say. None for a policy without.
pub(super) type Param = Option<(String, Json)>;

/// The resource of a kind of parameters; what is wrong when there is none.
pub(super) fn resource(
    kind: &ParamKind,
    request: &AdmissionRequest<'_>,
) -> Result<Arc<Entry>, String> {
    let version: GroupVersion = kind
        .api_version
        .parse()
        .map_err(|error| format!("failed to parse paramKind APIVersion: {error}"))?;
    let gvk = version.with_kind(kind.kind.clone());
    let all = request.objects.resources().all();
    let found = all.into_iter().find(|entry| entry.served == gvk && entry.info.has_verb("get"));
    found.ok_or_else(|| {
        format!(
            "failed to find resource referenced by paramKind: '{}/{}, Kind={}'",
            gvk.group, gvk.version, gvk.kind
        )
    })
}

/// The parameters a binding names; none of them when that is allowed.
///
/// # Errors
/// What is wrong with the binding.
pub(super) async fn collect(
    entry: Option<&Entry>,
    wanted: Option<&ParamRef>,
    view: &View,
    request: &AdmissionRequest<'_>,
) -> Result<Vec<Param>, String> {
    let (Some(entry), Some(wanted)) = (entry, wanted) else { return Ok(vec![None]) };
    let namespace = namespace(entry, wanted, &view.namespace)?;
    let found = find(entry, wanted, namespace, request).await?;
    let denies = wanted.parameter_not_found_action.as_deref() == Some("Deny");
    if found.is_empty() && denies {
        return Err(
            "no params found for policy binding with `Deny` parameterNotFoundAction".to_owned()
        );
    }
    let mut params = Vec::with_capacity(found.len());
    for object in found {
        let place = format!("{}/{}", object.namespace(), object.name());
        let served = entry.serve(object).await.map_err(|status| status.message)?;
        let json = served.view().map_err(|error| error.to_string())?;
        params.push(Some((place, json)));
    }
    Ok(params)
}

fn namespace<'a>(
    entry: &Entry,
    wanted: &'a ParamRef,
    own: &'a str,
) -> Result<Option<&'a str>, String> {
    match (entry.info.namespaced, wanted.namespace.as_str(), own) {
        (false, "", _) => Ok(None),
        (false, ..) => {
            Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".into())
        }
        (true, "", "") => Err(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                .into(),
        ),
        (true, "", own) => Ok(Some(own)),
        (true, given, _) => Ok(Some(given)),
    }
}

async fn find(
    entry: &Entry,
    wanted: &ParamRef,
    namespace: Option<&str>,
    request: &AdmissionRequest<'_>,
) -> Result<Vec<Arc<Object>>, String> {
    let text = |status: Status| status.message;
    let resource = entry.info.gvr.clone();
    let namespace = namespace.map(str::to_owned);
    if !wanted.name.is_empty() {
        let key = Key {
            resource,
            namespace,
            ..Key::cluster(entry.info.gvr.clone(), wanted.name.as_str())
        };
        let known = request.objects.get_at(&key, ReadVersion::Any).await.map_err(text)?;
        let found = match known {
            Some(known) => Some(known),
            None => request.objects.get_at(&key, ReadVersion::Newest).await.map_err(text)?,
        };
        return Ok(found.into_iter().collect());
    }
    let Some(selector) = &wanted.selector else {
        return Err("one of name or selector must be provided".to_owned());
    };
    let selector = LabelSelector::from_api(selector).map_err(|error| error.to_string())?;
    let scope = Scope { namespace, ..Scope::all(resource) };
    let mut all = request.objects.list_at(&scope, ReadVersion::Any).await.map_err(text)?;
    all.retain(|object| selector.matches(&object.header().labels));
    Ok(all)
}
