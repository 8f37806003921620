//! A request as webhooks and policies see it: in the version they are written for.

use super::AdmissionRequest;
use crate::registry::{Entry, replace_scale, scale_of};
use crate::schema::decode;
use crate::strategy::Map;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use windlass_core::Object;
use windlass_core::meta::Status;
use windlass_core::object::canonical;
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource, NAMESPACES};

/// Kinds that are about this kind of admission itself: nobody may lock himself out with them.
const EXEMPT: [&str; 6] = [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
];
/// Questions about who somebody is and what he may do: asked to decide, not to change anything.
const REVIEWS: [(&str, &str); 6] = [
    ("authentication.k8s.io", "tokenreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];

/// What is the same for all webhooks and policies.
pub(super) struct View {
    /// The resource as it was asked for.
    pub(super) entry: Arc<Entry>,
    /// The namespace; that of a namespace is itself.
    pub(super) namespace: String,
    /// The name, if it is known yet.
    pub(super) name: String,
    /// The kind that was sent, if it is not that of the resource.
    own_kind: Option<GroupVersionKind>,
    is_scale: bool,
    equivalents: OnceLock<Vec<Arc<Entry>>>,
}

/// A request in an `AdmissionReview`, and as expressions see it (without uid and objects).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown<'a> {
    kind: Kind<'a>,
    resource: Resource<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sub_resource: &'a str,
    request_kind: Kind<'a>,
    request_resource: Resource<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_sub_resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    operation: &'static str,
    user_info: UserInfo<'a>,
    dry_run: bool,
    options: Option<Value>,
}

#[derive(Serialize)]
struct Kind<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
}

#[derive(Serialize)]
struct Resource<'a> {
    group: &'a str,
    version: &'a str,
    resource: &'a str,
}

#[derive(Serialize)]
struct UserInfo<'a> {
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra: &'a BTreeMap<String, Vec<String>>,
}

// === impl View ===

impl View {
    /// None for requests that neither webhooks nor policies hear of.
    pub(super) fn of(request: &AdmissionRequest<'_>) -> Option<Self> {
        if is_exempt(request.resource) {
            return None;
        }
        let object = request.object.as_ref().or(request.old);
        let known = || {
            let name = object?.get("metadata")?.get("name")?.as_str()?;
            Some(name.to_owned())
        };
        let name = match request.name {
            "" => known().unwrap_or_default(),
            name => name.to_owned(),
        };
        let in_itself = *request.resource == NAMESPACES;
        let own_kind = match request.subresource {
            "scale" => Some(GroupVersionKind::new("autoscaling", "v1", "Scale")),
            _ if *request.kind != request.entry.stored => Some(request.kind.clone()),
            _ => None,
        };
        Some(Self {
            entry: request.entry.clone(),
            namespace: if in_itself { name.clone() } else { request.namespace.to_owned() },
            name,
            own_kind,
            is_scale: request.subresource == "scale",
            equivalents: OnceLock::new(),
        })
    }

    /// The same resource in other versions and groups.
    pub(super) fn equivalents(&self, request: &AdmissionRequest<'_>) -> &[Arc<Entry>] {
        self.equivalents.get_or_init(|| {
            let mut all = request.objects.resources().all();
            all.retain(|other| {
                other.place.gvr == self.entry.place.gvr
                    && other.info.gvr != self.entry.info.gvr
                    && (request.subresource.is_empty()
                        || other.info.subresource(request.subresource).is_some())
            });
            all
        })
    }

    /// The kind of what is sent, for a resource.
    pub(super) fn kind<'a>(&'a self, entry: &'a Entry) -> &'a GroupVersionKind {
        self.own_kind.as_ref().unwrap_or(&entry.served)
    }

    /// The request without its objects.
    pub(super) fn shown<'a>(
        &'a self,
        request: &'a AdmissionRequest<'_>,
        entry: &'a Entry,
    ) -> Shown<'a> {
        let user = request.user;
        Shown {
            kind: self.kind(entry).into(),
            resource: (&entry.info.gvr).into(),
            sub_resource: request.subresource,
            request_kind: self.kind(&self.entry).into(),
            request_resource: (&self.entry.info.gvr).into(),
            request_sub_resource: request.subresource,
            name: &self.name,
            namespace: &self.namespace,
            operation: request.operation.as_str(),
            user_info: UserInfo {
                username: &user.name,
                uid: &user.uid,
                groups: &user.groups,
                extra: &user.extra,
            },
            dry_run: request.is_dry_run(),
            options: options(request),
        }
    }

    /// An object of the request as a resource has it.
    pub(super) async fn object<'o>(
        &self,
        entry: &Entry,
        object: &'o Map,
    ) -> Result<Cow<'o, Map>, Status> {
        if self.is_scale {
            return scale_of(&self.entry, object).map(Cow::Owned);
        }
        if self.own_kind.is_some() {
            return Ok(Cow::Borrowed(object));
        }
        if let Some(conversion) = entry.conversion {
            let mut converted = object.clone();
            conversion.served_map(&entry.served, &mut converted);
            return Ok(Cow::Owned(converted));
        }
        if entry.custom.is_none() || entry.info.gvr == self.entry.info.gvr {
            return Ok(Cow::Borrowed(object));
        }
        convert(&self.entry, entry, object.clone()).await.map(Cow::Owned)
    }

    /// An object that was changed, as the request has it: checked, with defaults.
    pub(super) async fn take_back(
        &self,
        entry: &Entry,
        request: &AdmissionRequest<'_>,
        changed: Map,
    ) -> Result<Map, Status> {
        let kind = self.kind(entry);
        let decoded = decode::value(kind, Value::Object(changed)).map_err(Status::internal)?;
        let Value::Object(mut object) = decoded.value else {
            return Err(Status::internal("the object is none any more"));
        };
        if self.is_scale {
            let mut whole = request.object.clone().unwrap_or_default();
            replace_scale(&self.entry, &mut whole, &object);
            return Ok(whole);
        }
        if self.own_kind.is_some() {
            return Ok(object);
        }
        entry.strategy.prune(&mut object).map_err(Status::internal)?;
        if let Some(conversion) = entry.conversion {
            conversion.stored_map(&entry.stored, &mut object);
        } else if entry.custom.is_some() && entry.info.gvr != self.entry.info.gvr {
            object = convert(entry, &self.entry, object).await?;
        }
        self.entry.strategy.default(&mut object);
        Ok(object)
    }
}

/// Whether neither webhooks nor policies hear of a resource.
pub(super) fn is_exempt(resource: &GroupVersionResource) -> bool {
    let is = |group: &str, name: &str| *resource.group == *group && *resource.resource == *name;
    EXEMPT.iter().any(|name| is("admissionregistration.k8s.io", name))
        || REVIEWS.iter().any(|(group, name)| is(group, name))
}

/// An object from one version of a defined kind to another: by way of the one that is stored.
async fn convert(from: &Entry, to: &Entry, object: Map) -> Result<Map, Status> {
    let stored = from.close(object).await?;
    let stored = Object::from_stored(canonical(stored), 0).map_err(Status::internal)?;
    to.open(&Arc::new(stored)).await
}

/// How it is written or deleted, as an object. Connections have none: their options are their object.
fn options(request: &AdmissionRequest<'_>) -> Option<Value> {
    use super::Operation::{Connect, Create, Delete, Update};
    let kind = match request.operation {
        Create => "CreateOptions",
        Update => "UpdateOptions",
        Delete => "DeleteOptions",
        Connect => return None,
    };
    let mut options = serde_json::Map::new();
    options.insert("kind".into(), kind.into());
    options.insert("apiVersion".into(), "meta.k8s.io/v1".into());
    if let Some(delete) = request.delete {
        if let Ok(Value::Object(given)) = serde_json::to_value(delete) {
            options.extend(given);
        }
        return Some(options.into());
    }
    let given = request.options;
    if given.dry_run {
        options.insert("dryRun".into(), vec!["All"].into());
    }
    for (key, value) in
        [("fieldManager", &given.field_manager), ("fieldValidation", &given.field_validation)]
    {
        if !value.is_empty() {
            options.insert(key.into(), value.as_str().into());
        }
    }
    Some(options.into())
}

impl<'a> From<&'a GroupVersionKind> for Kind<'a> {
    fn from(gvk: &'a GroupVersionKind) -> Self {
        Self { group: &gvk.group, version: &gvk.version, kind: &gvk.kind }
    }
}

impl<'a> From<&'a GroupVersionResource> for Resource<'a> {
    fn from(gvr: &'a GroupVersionResource) -> Self {
        Self { group: &gvr.group, version: &gvr.version, resource: &gvr.resource }
    }
}
