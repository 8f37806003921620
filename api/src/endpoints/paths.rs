//! Paths that name no objects.

use super::Body;
use super::documents::Served;
use super::health;
use super::negotiate::takes_gzip;
use super::respond::{json, not_found, with_type};
use crate::audit::Record;
use crate::authentication::{OpenId, User};
use crate::authorization::Attributes;
use crate::discovery::{self, Aggregated, Root};
use crate::filters;
use crate::metrics;
use crate::openapi::{Document, V2_PROTOBUF};
use crate::server::ApiServer;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::json;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::request::RequestInfo;
use windlass_core::scheme::GroupVersion;

/// The version of Kubernetes whose API this is.
const VERSION: (&str, &str, &str) = ("1", "36", "v1.36.0");

pub(super) async fn serve(
    server: &Arc<ApiServer>,
    info: &RequestInfo,
    user: &User,
    parts: &Parts,
    record: Option<&Record>,
) -> Result<Response<Body>, Status> {
    // About paths, roles speak of methods.
    let verb = parts.method.as_str().to_ascii_lowercase();
    let attributes = Attributes::of_path(user, &verb, &info.path);
    filters::authorize(server, &attributes, record).await?;
    let path = info.path.trim_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    if parts.method != Method::GET && parts.method != Method::HEAD && !is_api(&segments) {
        return Err(crate::handler::not_allowed());
    }
    Ok(match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => health::respond(server, &segments, info).await,
        ["version"] => json(version()),
        ["metrics"] => {
            let text = metrics::text(server).map_err(Status::internal)?;
            with_type(StatusCode::OK, metrics::CONTENT_TYPE, Body::whole(text))
        }
        ["openapi", rest @ ..] => openapi(server, rest, info, parts).await?,
        ["api", ..] | ["apis", ..] => discovered(server, &segments, parts),
        [".well-known", "openid-configuration"] => {
            openid(server, |it| &it.configuration, "application/json")
        }
        ["openid", "v1", "jwks"] => openid(server, |it| &it.keys, "application/jwk-set+json"),
        [""] => json(root(server)),
        _ => not_found(),
    })
}

fn is_api(segments: &[&str]) -> bool {
    // A path below a group version that names no resource is not there, whatever is done with it.
    matches!(segments, ["api" | "apis", ..])
}

fn version() -> String {
    let (major, minor, git_version) = VERSION;
    let info = json!({
        "major": major, "minor": minor, "gitVersion": git_version,
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc",
        "platform": format!("linux/{}", architecture()),
    });
    serde_json::to_string_pretty(&info).unwrap_or_default()
}

fn openid(
    server: &ApiServer,
    part: impl Fn(&OpenId) -> &Bytes,
    media_type: &'static str,
) -> Response<Body> {
    let Some(known) = &server.openid else { return not_found() };
    let mut response = with_type(StatusCode::OK, media_type, Body::whole(part(known).clone()));
    let an_hour = HeaderValue::from_static("public, max-age=3600");
    response.headers_mut().insert(http::header::CACHE_CONTROL, an_hour);
    response
}

/// The machine in the words of Go.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn root(server: &ApiServer) -> String {
    let resources = server.objects().resources().all();
    let mut paths: Vec<String> =
        resources.iter().map(|entry| entry.info.gvr.group_version().path()).collect();
    let fixed = ["/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3"];
    paths.extend(fixed.map(str::to_owned));
    paths.extend(["/readyz", "/version"].map(str::to_owned));
    paths.sort();
    paths.dedup();
    json!({ "paths": paths }).to_string()
}

// === discovery ===

fn discovered(server: &ApiServer, segments: &[&str], parts: &Parts) -> Response<Body> {
    let documents = &server.documents;
    let accept =
        parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let root = if segments[0] == "api" { Root::Core } else { Root::Groups };
    if segments.len() == 1
        && let Some((form, media_type)) = aggregated(accept)
    {
        let name = format!("{} {form:?}", segments[0]);
        let made = documents.discovery(&name, |all| Some(discovery::aggregated(all, root, form)));
        return document(made, media_type, parts);
    }
    let path = segments.join("/");
    let made = documents.discovery(&path, |all| match segments {
        ["api"] => Some(discovery::api_versions(all, &documents.address)),
        ["apis"] => Some(discovery::api_group_list(all)),
        ["api", version] => discovery::api_resource_list(all, &group_version("", version)),
        ["apis", group] => discovery::api_group(all, group),
        ["apis", group, version] => {
            discovery::api_resource_list(all, &group_version(group, version))
        }
        _ => None,
    });
    document(made, "application/json", parts)
}

fn group_version(group: &str, version: &str) -> GroupVersion {
    GroupVersion { group: group.to_owned().into(), version: version.to_owned().into() }
}

/// The aggregated form that a client names first, if it does before any other it would take.
fn aggregated(accept: &str) -> Option<(Aggregated, &'static str)> {
    for wish in accept.split(',') {
        let has = |parameter: &str| wish.split(';').any(|part| part.trim() == parameter);
        if !has("as=APIGroupDiscoveryList") || !wish.trim().starts_with("application/json") {
            continue;
        }
        if has("v=v2") {
            let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
            return Some((Aggregated::V2, v2));
        }
        if has("v=v2beta1") {
            let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
            return Some((Aggregated::V2Beta1, beta));
        }
    }
    None
}

fn document(made: Option<Served>, media_type: &'static str, parts: &Parts) -> Response<Body> {
    let Some(made) = made else { return not_found() };
    let mut response = match unchanged(parts, &made.etag) {
        Some(response) => response,
        None => with_type(StatusCode::OK, media_type, Body::whole(made.bytes)),
    };
    tag(&mut response, &made.etag, "Accept");
    response
}

// === OpenAPI ===

async fn openapi(
    server: &ApiServer,
    rest: &[&str],
    info: &RequestInfo,
    parts: &Parts,
) -> Result<Response<Body>, Status> {
    let documents = &server.documents;
    let accept =
        parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let found = match rest {
        ["v2"] if V2_PROTOBUF.iter().any(|wanted| accept.contains(wanted)) => {
            documents.openapi(|openapi| Some(openapi.v2_protobuf())).await
        }
        ["v2"] => documents.openapi(|openapi| Some(openapi.v2())).await,
        ["v3"] => documents.openapi(|openapi| Some(openapi.v3_index())).await,
        ["v3", "api", version] => {
            let version = group_version("", version);
            documents.openapi(move |openapi| openapi.v3(&version)).await
        }
        ["v3", "apis", group, version] => {
            let version = group_version(group, version);
            documents.openapi(move |openapi| openapi.v3(&version)).await
        }
        _ => None,
    };
    let Some(found) = found else { return Ok(not_found()) };
    let immutable = info.query.iter().any(|(name, value)| name == "hash" && value == found.hash());
    compressed(&found, immutable, parts)
}

fn compressed(found: &Document, immutable: bool, parts: &Parts) -> Result<Response<Body>, Status> {
    let gzip = takes_gzip(&parts.headers);
    let mut response = match unchanged(parts, &found.etag) {
        Some(response) => response,
        None if gzip => {
            let mut response =
                with_type(StatusCode::OK, found.content_type, Body::whole(found.gzip.clone()));
            let coding = HeaderValue::from_static("gzip");
            response.headers_mut().insert(CONTENT_ENCODING, coding);
            response
        }
        None => {
            let bytes = found.plain().map_err(Status::internal)?;
            with_type(StatusCode::OK, found.content_type, Body::whole(bytes))
        }
    };
    tag(&mut response, &found.etag, "Accept, Accept-Encoding");
    if immutable {
        let forever = HeaderValue::from_static("public, immutable");
        response.headers_mut().insert(http::header::CACHE_CONTROL, forever);
    }
    Ok(response)
}

/// The answer to a client that has this very document.
fn unchanged(parts: &Parts, etag: &str) -> Option<Response<Body>> {
    let known = parts.headers.get(IF_NONE_MATCH)?.to_str().ok()?;
    let same = known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag);
    same.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    })
}

fn tag(response: &mut Response<Body>, etag: &str, vary: &'static str) {
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(ETAG, etag);
    }
    headers.insert(VARY, HeaderValue::from_static(vary));
}
