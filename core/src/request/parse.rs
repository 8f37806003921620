//! From method and path to what is asked.

use super::{RequestInfo, ResourceTarget, Target, Verb};
use crate::scheme::GroupVersionResource;
use http::Method;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Reads a request line. Never fails: a path that names no resource is a [`Target::Path`].
#[must_use]
pub fn parse(method: &Method, path: &str, query: Option<&str>) -> RequestInfo {
    let query = parse_query(query.unwrap_or_default());
    let (target, watch_prefix) = parse_target(path);
    let verb = verb(method, &target, watch_prefix || asks_to_watch(&query));
    RequestInfo { verb, target, path: path.to_owned(), query }
}

fn parse_target(path: &str) -> (Target, bool) {
    let raw: Vec<&str> = path.trim_matches('/').split('/').collect();
    // Words that mean something are known in any writing, as they are to those who read the path next.
    let decoded: Vec<_> = raw.iter().map(|segment| decode(segment)).collect();
    let parts: Vec<&str> = decoded.iter().map(|segment| &**segment).collect();
    let (group, version, mut rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return (Target::Path, false),
    };
    let watch = matches!(rest, ["watch", _, ..]);
    if watch {
        rest = &rest[1..];
    }
    let (namespace, rest) = split_namespace(rest);
    let Some((resource, rest)) = rest.split_first() else { return (Target::Path, false) };
    // A name is one segment of a path, also in the store: one that hides a slash names nothing.
    let named = namespace.iter().copied().chain(rest.iter().take(2).copied());
    if named.chain([*resource]).any(hides_a_path) {
        return (Target::Path, false);
    }
    let tail = raw[raw.len() - rest.len().saturating_sub(2)..].join("/");
    let slash = if path.ends_with('/') && !tail.is_empty() { "/" } else { "" };
    let owned = |text: &str| text.to_owned();
    let target = ResourceTarget {
        resource: GroupVersionResource {
            group: owned(group).into(),
            version: owned(version).into(),
            resource: owned(resource).into(),
        },
        namespace: namespace.map(owned),
        name: rest.first().copied().map(owned),
        subresource: rest.get(1).copied().map(owned),
        rest: format!("{tail}{slash}"),
    };
    (Target::Resource(target), watch)
}

/// `namespaces/a/pods` is pods in a namespace; `namespaces/a` and `namespaces/a/status` are about the namespace.
fn split_namespace<'a, 'b>(parts: &'a [&'b str]) -> (Option<&'b str>, &'a [&'b str]) {
    match parts {
        ["namespaces", name, next, rest @ ..]
            if !(matches!(*next, "status" | "finalize") && rest.is_empty()) =>
        {
            (Some(name), &parts[2..])
        }
        // The object's own namespace, as RBAC sees it.
        _ => (None, parts),
    }
}

fn verb(method: &Method, target: &Target, watch: bool) -> Verb {
    let Target::Resource(resource) = target else { return path_verb(method) };
    let named = resource.name.is_some();
    match *method {
        Method::GET | Method::HEAD if watch && resource.subresource.is_none() => Verb::Watch,
        Method::GET | Method::HEAD if named => Verb::Get,
        Method::GET | Method::HEAD => Verb::List,
        Method::DELETE if !named => Verb::DeleteCollection,
        _ => path_verb(method),
    }
}

fn path_verb(method: &Method) -> Verb {
    match *method {
        Method::GET | Method::HEAD => Verb::Get,
        Method::POST => Verb::Create,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        _ => Verb::Other,
    }
}

fn hides_a_path(segment: &str) -> bool {
    matches!(segment, "." | "..") || segment.contains(['/', '\0'])
}

fn asks_to_watch(query: &[(String, String)]) -> bool {
    let given = query.iter().find(|(name, _)| name == "watch");
    given.is_some_and(|(_, value)| crate::client::flag(value))
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |part: &str| decode(&part.replace('+', " ")).into_owned();
            (text(name), text(value))
        })
        .collect()
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
