//! The operations of resources, before they are written in one of the two forms.

use std::sync::Arc;

use windlass_core::scheme::{GroupVersion, GroupVersionKind, ResourceInfo, SubresourceInfo};

use super::definitions;

/// What a client may do at a path.
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) method: &'static str,
    pub(super) action: &'static str,
    pub(super) id: String,
    pub(super) tag: String,
    pub(super) description: String,
    pub(super) gvk: GroupVersionKind,
    pub(super) parameters: Vec<&'static Parameter>,
    /// The media types and the definition of the body, if one is sent.
    pub(super) body: Option<(Vec<&'static str>, String)>,
    /// The definition of the answer; none if it is plain text.
    pub(super) response: Option<String>,
}

/// A parameter in the path or in the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) ty: &'static str,
    pub(super) description: &'static str,
}

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(super) const MEDIA_TYPES: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
    "application/strategic-merge-patch+json",
];

const fn query(name: &'static str, ty: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: "query", ty, description }
}

const fn path(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: "path", ty: "string", description }
}

static NAME: Parameter = path("name", "The name of the object.");
static NAMESPACE: Parameter = path("namespace", "The namespace of the object.");
static REST: Parameter = path("path", "The path that is asked for behind the proxy.");
static PRETTY: Parameter = query("pretty", "string", "If 'true', the answer is indented.");
static WRITE: [Parameter; 3] = [
    query("dryRun", "string", "If 'All', everything is done but the change itself."),
    query("fieldManager", "string", "Who the changed fields belong to from now on."),
    query(
        "fieldValidation",
        "string",
        "What happens to unknown and duplicate fields: Ignore, Warn or Strict.",
    ),
];
static FORCE: Parameter =
    query("force", "boolean", "Takes over fields that belong to others; only for apply.");
static LIST: [Parameter; 9] = [
    query("allowWatchBookmarks", "boolean", "Whether a watch also reports progress."),
    query("continue", "string", "Where a list in parts goes on."),
    query("fieldSelector", "string", "Which objects are meant, by their fields."),
    query("labelSelector", "string", "Which objects are meant, by their labels."),
    query("limit", "integer", "The most objects in one answer."),
    query("resourceVersion", "string", "The version from which to list or watch."),
    query("resourceVersionMatch", "string", "How resourceVersion is meant."),
    query("sendInitialEvents", "boolean", "Whether a watch starts with the objects there are."),
    query("timeoutSeconds", "integer", "How long the call may last."),
];
static WATCH: Parameter = query("watch", "boolean", "Reports changes instead of listing.");
static DELETE: [Parameter; 4] = [
    query("dryRun", "string", "If 'All', everything is done but the change itself."),
    query("gracePeriodSeconds", "integer", "How long the object may take to end."),
    query(
        "orphanDependents",
        "boolean",
        "Whether what depends on it stays; superseded by propagationPolicy.",
    ),
    query(
        "propagationPolicy",
        "string",
        "What happens to what depends on it: Orphan, Background or Foreground.",
    ),
];

/// All operations of these resources.
pub(super) fn all(resources: &[Arc<ResourceInfo>]) -> Vec<Operation> {
    resources.iter().flat_map(|info| Builder { info }.operations()).collect()
}

/// Makes the operations of one resource.
struct Builder<'a> {
    info: &'a ResourceInfo,
}

/// An operation's verb: as resources list it, as HTTP and as OpenAPI know it, and how identifiers start.
struct Verb {
    name: &'static str,
    method: &'static str,
    action: &'static str,
    id: &'static str,
}

const COLLECTION: [Verb; 3] = [
    Verb { name: "list", method: "get", action: "list", id: "list" },
    Verb { name: "create", method: "post", action: "post", id: "create" },
    Verb { name: "deletecollection", method: "delete", action: "deletecollection", id: "delete" },
];
const OBJECT: [Verb; 4] = [
    Verb { name: "get", method: "get", action: "get", id: "read" },
    Verb { name: "update", method: "put", action: "put", id: "replace" },
    Verb { name: "patch", method: "patch", action: "patch", id: "patch" },
    Verb { name: "delete", method: "delete", action: "delete", id: "delete" },
];
const CREATE: Verb = Verb { name: "create", method: "post", action: "post", id: "create" };
const CONNECT: &str = "connect";

// === impl Builder ===

impl Builder<'_> {
    fn operations(&self) -> Vec<Operation> {
        let collection = COLLECTION.iter().filter(|verb| self.info.has_verb(verb.name));
        let object = OBJECT.iter().filter(|verb| self.info.has_verb(verb.name));
        let mut all: Vec<_> =
            collection.map(|verb| self.operation(verb, &self.collection_path(), None)).collect();
        all.extend(object.map(|verb| self.operation(verb, &self.object_path(), None)));
        if self.info.namespaced && self.info.has_verb("list") {
            all.push(self.list_everywhere());
        }
        all.extend(
            self.info.subresources.iter().flat_map(|subresource| self.subresource(subresource)),
        );
        all
    }

    fn subresource(&self, subresource: &SubresourceInfo) -> Vec<Operation> {
        let path = format!("{}/{}", self.object_path(), subresource.name);
        let verbs = OBJECT.iter().chain([&CREATE]).filter(|verb| subresource.has_verb(verb.name));
        let mut all: Vec<_> =
            verbs.map(|verb| self.operation(verb, &path, Some(subresource))).collect();
        if subresource.name == "proxy" {
            let rest: Vec<_> = OBJECT.iter().chain([&CREATE]).collect();
            all.extend(rest.into_iter().map(|verb| {
                let mut operation =
                    self.operation(verb, &format!("{path}/{{path}}"), Some(subresource));
                operation.parameters.push(&REST);
                operation.id.push_str("WithPath");
                operation
            }));
        }
        all
    }

    fn operation(
        &self,
        verb: &Verb,
        path: &str,
        subresource: Option<&SubresourceInfo>,
    ) -> Operation {
        let gvk =
            subresource.map_or_else(|| self.info.gvk(), |subresource| subresource.gvk.clone());
        let connects =
            subresource.is_some_and(|subresource| subresource.gvk.kind.ends_with("Options"));
        let text = connects || subresource.is_some_and(|subresource| subresource.name == "log");
        let action = if connects { CONNECT } else { verb.action };
        let body = if connects { None } else { self.body(verb, &gvk) };
        let response = if text { None } else { Some(self.response(verb, &gvk)) };
        Operation {
            path: path.to_owned(),
            method: verb.method,
            action,
            id: self.id(verb, subresource, connects),
            tag: self.tag(),
            description: describe(action, &gvk, subresource),
            parameters: self.parameters(verb, path, connects),
            gvk,
            body,
            response,
        }
    }

    fn list_everywhere(&self) -> Operation {
        let verb = &COLLECTION[0];
        let path = format!("{}/{}", self.version().path(), self.info.gvr.resource);
        let mut operation = self.operation(verb, &path, None);
        operation.id = format!("list{}{}ForAllNamespaces", self.group_id(), self.info.kind);
        operation
    }

    fn parameters(&self, verb: &Verb, path: &str, connects: bool) -> Vec<&'static Parameter> {
        let mut parameters: Vec<&'static Parameter> = Vec::new();
        parameters.extend(path.contains("{name}").then_some(&NAME));
        parameters.extend(path.contains("{namespace}").then_some(&NAMESPACE));
        if connects {
            return parameters;
        }
        parameters.push(&PRETTY);
        match verb.name {
            "create" | "update" => parameters.extend(&WRITE),
            "patch" => parameters.extend(WRITE.iter().chain([&FORCE])),
            "delete" => parameters.extend(&DELETE),
            "list" => parameters.extend(LIST.iter().chain([&WATCH])),
            "deletecollection" => parameters.extend(DELETE.iter().chain(&LIST)),
            _ => {}
        }
        parameters
    }

    fn body(&self, verb: &Verb, gvk: &GroupVersionKind) -> Option<(Vec<&'static str>, String)> {
        match verb.name {
            "create" | "update" => Some((vec!["*/*"], definitions::name(gvk))),
            "delete" | "deletecollection" => Some((vec!["*/*"], DELETE_OPTIONS.to_owned())),
            "patch" => {
                // Strategic merge needs a schema with merge keys, which custom kinds do not have.
                let known = if self.is_custom() { PATCHES.len() - 1 } else { PATCHES.len() };
                Some((PATCHES[..known].to_vec(), PATCH.to_owned()))
            }
            _ => None,
        }
    }

    fn response(&self, verb: &Verb, gvk: &GroupVersionKind) -> String {
        match verb.name {
            "list" => definitions::name(gvk) + "List",
            "delete" | "deletecollection" => STATUS.to_owned(),
            _ => definitions::name(gvk),
        }
    }

    fn is_custom(&self) -> bool {
        crate::schema::Schema::builtin().kind(&self.info.gvk()).is_none()
    }

    /// `listCoreV1NamespacedPod`.
    fn id(&self, verb: &Verb, subresource: Option<&SubresourceInfo>, connects: bool) -> String {
        let (start, way) = match connects {
            true => (CONNECT, capitalized(verb.method)),
            false => (verb.id, String::new()),
        };
        let collection = if verb.name == "deletecollection" { "Collection" } else { "" };
        let namespaced = if self.info.namespaced { "Namespaced" } else { "" };
        let name =
            subresource.map_or_else(String::new, |subresource| capitalized(&subresource.name));
        format!("{start}{}{way}{collection}{namespaced}{}{name}", self.group_id(), self.info.kind)
    }

    /// `CoreV1`, `RbacAuthorizationV1`.
    fn group_id(&self) -> String {
        let group: String = self.group_words().map(capitalized).collect();
        group + &capitalized(&self.info.gvr.version)
    }

    /// `core_v1`, `rbacAuthorization_v1`.
    fn tag(&self) -> String {
        let mut words = self.group_words();
        let first = words.next().unwrap_or_default().to_owned();
        let rest: String = words.map(capitalized).collect();
        format!("{first}{rest}_{}", self.info.gvr.version)
    }

    fn group_words(&self) -> impl Iterator<Item = &str> {
        let group = self.info.gvr.group.trim_end_matches(".k8s.io");
        (if group.is_empty() { "core" } else { group }).split('.')
    }

    fn version(&self) -> GroupVersion {
        self.info.gvr.group_version()
    }

    fn collection_path(&self) -> String {
        let namespace = if self.info.namespaced { "/namespaces/{namespace}" } else { "" };
        format!("{}{namespace}/{}", self.version().path(), self.info.gvr.resource)
    }

    fn object_path(&self) -> String {
        format!("{}/{{name}}", self.collection_path())
    }
}

fn describe(action: &str, gvk: &GroupVersionKind, subresource: Option<&SubresourceInfo>) -> String {
    let what = match subresource {
        Some(subresource) => format!("{} of a {}", subresource.name, gvk.kind),
        None => gvk.kind.to_string(),
    };
    match action {
        "list" => format!("Lists or watches objects of kind {what}."),
        "get" => format!("Reads a {what}."),
        "post" => format!("Creates a {what}."),
        "put" => format!("Replaces a {what}."),
        "patch" => format!("Changes parts of a {what}."),
        "delete" => format!("Deletes a {what}."),
        "deletecollection" => format!("Deletes many objects of kind {what}."),
        _ => format!("Connects to the {what}."),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
