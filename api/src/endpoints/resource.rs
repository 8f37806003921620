//! Requests about objects.

use super::negotiate::Accepted;
use super::{Body, RequestBody, encode, list, query, respond, watch};
use crate::authentication::User;
use crate::authorization::Attributes;
use crate::handler::{Content, Request};
use crate::server::{ApiServer, ConnectCall};
use http::{Response, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::request::{RequestInfo, ResourceTarget, Verb};
use windlass_core::scheme;

pub(super) async fn serve(
    server: &Arc<ApiServer>,
    info: &RequestInfo,
    target: &ResourceTarget,
    user: User,
    request: http::Request<RequestBody>,
) -> Result<Response<Body>, Status> {
    let subresource = Cow::Owned(target.subresource.clone().unwrap_or_default());
    if let Some(connect) = server.connects.get(&(target.resource.clone(), subresource)) {
        let attributes = attributes(info, target, &user);
        server.handler.authorize(&attributes).await?;
        if runs_something(target) {
            // A WebSocket begins with a GET, but who may only look into pods may not work in them.
            let create = Attributes { verb: Verb::Create.as_str(), ..attributes };
            server.handler.authorize(&create).await?;
        }
        server.handler.find(target)?;
        let objects = server.objects();
        return connect.connect(ConnectCall { user: &user, target, info, objects }, request).await;
    }
    if !is_served(server, target) {
        server.handler.authorize(&attributes(info, target, &user)).await?;
        return Ok(respond::not_found());
    }
    let (parts, body) = request.into_parts();
    let accepted = Accepted::of(&parts.headers)?;
    let action = query::action(info, &parts.headers, body, server.env()).await?;
    let include = list::include_object(info)?;
    let answer = server.handle(Request { user, target: target.clone(), action }).await?;
    let code = if answer.created { StatusCode::CREATED } else { StatusCode::OK };
    let now = server.env().clock.now();
    let view = encode::View { entry: answer.entry, accepted, include, now };
    let mut response = match answer.content {
        Content::Object(object) => view.object(&object, code)?,
        Content::List(list) => list::respond(&view, list)?,
        Content::Watch(events) => watch::respond(view, events),
        Content::Status(status) => respond::status(&accepted, &status),
    };
    respond::warn(&mut response, &answer.warnings);
    Ok(response)
}

fn attributes<'a>(
    info: &'a RequestInfo,
    target: &'a ResourceTarget,
    user: &'a User,
) -> Attributes<'a> {
    Attributes { user, verb: info.verb.as_str(), resource: Some(target), path: &info.path }
}

/// Whether the conversation is one that works in a pod.
fn runs_something(target: &ResourceTarget) -> bool {
    let subresource = target.subresource.as_deref();
    target.resource == scheme::PODS
        && matches!(subresource, Some("exec" | "attach" | "portforward"))
}

/// Whether there is anything under this path.
fn is_served(server: &ApiServer, target: &ResourceTarget) -> bool {
    match server.handler.find(target) {
        Err(_) => false,
        Ok(entry) => {
            let subresource = target.subresource.as_deref();
            subresource.is_none_or(|name| entry.info.subresource(name).is_some())
        }
    }
}
